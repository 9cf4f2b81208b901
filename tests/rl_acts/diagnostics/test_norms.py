"""Norms of weights, gradients and updates, by values worked out by hand."""

import math

import pytest
import torch
from torch import nn

from rl_acts.diagnostics import UpdateWatch, coefficient_of_variation, distance_from_init, norm, norm_ratio, rms

WEIGHT, BIAS = torch.tensor([[1.0, 2.0], [4.0, 0.0]]), torch.tensor([2.0, 0.0])


def test_several_tensors_are_one_vector() -> None:
    assert float(norm([WEIGHT, BIAS])) == 5.0
    assert float(rms([WEIGHT, BIAS])) == pytest.approx(5.0 / math.sqrt(6))


def test_distance_from_init() -> None:
    first = [WEIGHT - 2.0, BIAS]
    assert float(distance_from_init([WEIGHT, BIAS], first)) == pytest.approx(4.0 / math.sqrt(6))


def test_the_ratio_of_norms_is_averaged_by_parameter_count() -> None:
    steps = [torch.full((2, 2), 0.5), torch.tensor([0.0, 1.0])]
    # Norms 1 and 1 over sqrt(21) and 2, with 4 and 2 parameters.
    assert float(norm_ratio(steps, [WEIGHT, BIAS])) == pytest.approx((4 / math.sqrt(21) + 2 / 2) / 6)
    # What is still all zero is left out.
    assert float(norm_ratio(steps, [torch.zeros(2, 2), BIAS])) == 0.5
    assert math.isnan(float(norm_ratio(steps, [torch.zeros(2, 2), torch.zeros(2)])))


def test_coefficient_of_variation() -> None:
    assert float(coefficient_of_variation(torch.tensor([1.0, 3.0]))) == 0.5
    assert coefficient_of_variation(torch.tensor([[1.0, 0.0], [3.0, 0.0]])).isnan().tolist() == [False, True]


def test_the_networks_of_a_population_stay_apart() -> None:
    weights, biases = torch.stack([WEIGHT, 2 * WEIGHT]), torch.stack([BIAS, torch.zeros(2)])
    assert norm([weights, biases], 1).tolist() == [5.0, 2 * math.sqrt(21)]
    assert rms([weights, biases], 1).tolist() == pytest.approx([5.0 / math.sqrt(6), 2 * math.sqrt(21 / 6)])
    moved = distance_from_init([weights, biases], [weights, biases - 3.0], 1)
    assert moved.tolist() == pytest.approx([math.sqrt(18 / 6)] * 2)
    ratios = norm_ratio([weights, biases + 1.0], [weights, biases], 1)
    assert ratios.tolist() == pytest.approx([(4 + 2 * math.sqrt(10) / 2) / 6, 1.0])


def test_a_watch_sees_what_an_optimiser_does_and_changes_nothing() -> None:
    watched, free = (nn.Parameter(torch.tensor([3.0, 4.0])) for _ in range(2))
    optimisers = [torch.optim.SGD([parameter], lr=0.1, momentum=0.5) for parameter in (watched, free)]
    watch = UpdateWatch(optimisers[0], [watched])
    for gradient in ([3.0, 4.0], [0.0, 15.0]):
        for parameter, optimiser in zip((watched, free), optimisers, strict=True):
            parameter.grad = torch.tensor(gradient)
            optimiser.step()
    found = watch.close()
    assert found["gradient_norm"] == 10.0
    assert found["gradient_norm_cv"] == 0.5
    # From (3, 4) by (0.3, 0.4), then from (2.7, 3.6) by (0.15, 1.7).
    assert found["update_norm"] == pytest.approx((0.5 + math.hypot(0.15, 1.7)) / 2)
    assert found["effective_learning_rate"] == pytest.approx((0.1 + math.hypot(0.15, 1.7) / 4.5) / 2)
    assert found["gradient_weight_ratio"] == pytest.approx((1.0 + 15 / 4.5) / 2)
    assert torch.equal(watched, free)
    optimisers[0].step()
    assert watch.close()["gradient_norm"] == 10.0


def test_a_watch_without_a_step_has_nothing_to_say() -> None:
    parameter = nn.Parameter(torch.ones(2))
    assert UpdateWatch(torch.optim.Adam([parameter]), [parameter]).close() == {}
