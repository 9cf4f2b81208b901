"""Ranks, by values worked out by hand and by formulas of their own."""

import math

import numpy as np
import pytest
import torch

from rl_acts.diagnostics import effective_rank, feature_rank, pca_rank, singular_values, srank, stable_rank

VALUES = torch.tensor([8.0, 1.5, 0.4, 0.1], dtype=torch.float64)


def test_singular_values_of_a_diagonal_matrix() -> None:
    features = torch.tensor([[0.0, -3.0, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, 5.0], [0.0, 0.0, 0.0]])
    assert singular_values(features).tolist() == pytest.approx([5.0, 3.0, 2.0], rel=1e-14)
    assert singular_values(features).dtype == torch.float64


def test_srank_by_hand() -> None:
    # The sums are 8, 9.5, 9.9 and 10 of 10.
    assert [float(srank(VALUES, delta)) for delta in (0.25, 0.02, 0.0101, 0.005)] == [1.0, 3.0, 3.0, 4.0]
    assert float(srank(torch.tensor([98.0, 1.5, 0.5]))) == 2.0


def test_pca_rank_by_hand() -> None:
    # The sums of squares are 64, 66.25, 66.41 and 66.42.
    assert [float(pca_rank(VALUES, share)) for share in (0.9, 0.99, 0.9975, 0.9999)] == [1.0, 2.0, 3.0, 4.0]
    assert float(pca_rank(VALUES)) == 2.0


def test_effective_rank_by_hand() -> None:
    assert float(effective_rank(torch.tensor([3.0, 3.0, 3.0, 0.0]))) == pytest.approx(3.0)
    assert float(effective_rank(torch.tensor([2.0, 1.0, 1.0]))) == pytest.approx(2 * math.sqrt(2.0))


def test_feature_rank_by_hand() -> None:
    values = torch.tensor([1.0, 0.5, 0.05, 0.01])
    # Divided by the root of 25 rows: 0.2, 0.1, 0.01 and 0.002.
    assert float(feature_rank(values, 25)) == 2.0
    assert float(feature_rank(values, 24)) == 3.0
    assert float(feature_rank(values, 25, 0.15)) == 1.0


def test_stable_rank_by_hand() -> None:
    assert float(stable_rank(torch.tensor([2.0, 2.0, 1.0]))) == 2.25


def test_against_formulas_of_their_own() -> None:
    features = np.random.default_rng(1).normal(size=(40, 6)) @ np.diag([9.0, 3.0, 1.0, 0.3, 0.02, 0.0])
    eigenvalues = np.sort(np.linalg.eigvalsh(features.T @ features))[::-1].clip(0)
    values = singular_values(torch.from_numpy(features))
    assert float(stable_rank(values)) == pytest.approx(np.linalg.norm(features) ** 2 / np.linalg.norm(features, 2) ** 2)
    assert float(feature_rank(values, 40)) == np.sum(np.linalg.eigvalsh(features.T @ features / 40) > 1e-4)
    explained = [eigenvalues[:k].sum() / eigenvalues.sum() for k in range(1, 7)]
    assert float(pca_rank(values)) == 1 + next(k for k, share in enumerate(explained) if share >= 0.99)
    p = np.sqrt(eigenvalues) / np.sqrt(eigenvalues).sum()
    assert float(effective_rank(values)) == pytest.approx(np.prod([q**-q for q in p if q > 1e-9]), rel=1e-6)
    shares = [np.sqrt(eigenvalues)[:k].sum() / np.sqrt(eigenvalues).sum() for k in range(1, 7)]
    assert float(srank(values)) == 1 + next(k for k, share in enumerate(shares) if share >= 0.99)


def test_all_but_the_feature_rank_do_not_depend_on_scale() -> None:
    for measure in (srank, pca_rank, effective_rank, stable_rank):
        assert float(measure(VALUES * 1e3)) == pytest.approx(float(measure(VALUES)))
    assert float(feature_rank(VALUES, 100)) == 3.0
    assert float(feature_rank(VALUES * 1e3, 100)) == 4.0


def test_a_population_with_a_matrix_of_zeros_and_a_broken_one() -> None:
    stack = torch.randn(3, 9, 4, generator=torch.Generator().manual_seed(0))
    stack[1] = 0.0
    stack[2, 0, 0] = math.inf
    values = singular_values(stack)
    assert values.shape == (3, 4)
    alone = singular_values(stack[0])
    for measure in (srank, pca_rank, effective_rank, stable_rank, lambda s: feature_rank(s, 9)):
        found = measure(values)
        assert float(found[0]) == pytest.approx(float(measure(alone)))
        assert float(found[1]) == 0.0
        assert math.isnan(float(found[2]))
