"""Shares of units and norms of features, by values worked out by hand."""

import math

import pytest
import torch

from rl_acts.diagnostics import (
    dead_share,
    dormant_scores,
    dormant_share,
    feature_norm,
    gradient_inactive_share,
    policy_saturation,
    saturated_share,
)

# E|h| is 0, 0.02, 0.1, 1.88; their mean is 0.5, so the scores are 0, 0.04, 0.2, 3.76.
FEATURES = torch.tensor([[0.0, 0.02, -0.2, 1.0], [0.0, -0.02, 0.0, 2.76]])


def test_scores_are_relative_to_the_layers_mean() -> None:
    torch.testing.assert_close(
        dormant_scores(FEATURES), torch.tensor([0.0, 0.04, 0.2, 3.76], dtype=torch.float64), rtol=1e-6, atol=0.0
    )


@pytest.mark.parametrize(("tau", "share"), [(0.0, 0.25), (0.025, 0.25), (0.1, 0.5), (0.3, 0.75), (4.0, 1.0)])
def test_dormant_are_those_up_to_tau(tau: float, share: float) -> None:
    assert float(dormant_share(FEATURES, tau)) == share
    assert float(gradient_inactive_share(FEATURES, tau)) == share


def test_the_default_is_a_tenth() -> None:
    assert float(dormant_share(FEATURES)) == 0.5
    assert float(gradient_inactive_share(FEATURES)) == 0.5


def test_a_constant_unit_is_dormant_only_if_centred() -> None:
    features = torch.tensor([[5.0, 1.0], [5.0, -1.0]])
    assert float(dormant_share(features, 0.0)) == 0.0
    assert float(dormant_share(features, 0.0, centred=True)) == 0.5
    assert dormant_scores(features, centred=True).tolist() == [0.0, 2.0]


def test_in_a_layer_of_zeros_everything_is_dormant() -> None:
    assert float(dormant_share(torch.zeros(3, 4), 0.0)) == 1.0
    assert float(gradient_inactive_share(torch.zeros(3, 4), 0.0)) == 1.0


def test_dead_is_flat_in_every_row_and_saturated_is_counted_by_number() -> None:
    slopes = torch.tensor([[0.0, 0.0, -0.0005, 0.5], [0.0, 1.0, 0.0005, -0.005]])
    assert float(dead_share(slopes)) == 0.25
    assert float(dead_share(slopes, 1e-3)) == 0.5
    assert float(saturated_share(slopes)) == 6 / 8
    assert float(saturated_share(slopes, 1e-3)) == 5 / 8


def test_feature_norm_is_the_mean_length_of_a_row() -> None:
    assert float(feature_norm(torch.tensor([[3.0, 4.0], [0.0, 1.0]]))) == 3.0


def test_saturated_actions_lie_beyond_the_threshold() -> None:
    actions = torch.tensor([[0.995, -1.0], [0.99, 0.5]], dtype=torch.float64)
    assert float(policy_saturation(actions)) == 0.5
    assert float(policy_saturation(actions, 0.4)) == 1.0


@pytest.mark.parametrize(
    "measure",
    [dormant_share, gradient_inactive_share, dead_share, saturated_share, feature_norm, policy_saturation],
)
def test_a_population_is_measured_network_by_network_and_nan_stays_with_its_own(measure: object) -> None:
    stack = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))
    stack[1, 2, 3] = math.nan
    together = measure(stack)  # type: ignore[operator]
    assert together.shape == (3,)
    assert together.isnan().tolist() == [False, True, False]
    for network in (0, 2):
        assert float(together[network]) == float(measure(stack[network]))  # type: ignore[operator]
