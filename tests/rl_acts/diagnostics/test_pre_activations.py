"""Where pre-activations lie."""

import math

import numpy as np
import pytest
import torch

from rl_acts.diagnostics import pre_activations


def test_by_hand() -> None:
    found = pre_activations(torch.tensor([[-4.0, -3.0, -2.0], [0.0, 0.5, 2.5]]))
    assert [float(share) for share in (found.share_left, found.share_middle, found.share_right)] == pytest.approx(
        [2 / 6, 2 / 6, 2 / 6]
    )
    assert float(found.mean) == -1.0
    assert float(found.sd) == pytest.approx(math.sqrt((16 + 9 + 4 + 0 + 0.25 + 6.25) / 6 - 1))
    assert [float(found.q05), float(found.q50), float(found.q95)] == pytest.approx([-3.75, -1.0, 2.0])


@pytest.mark.parametrize("shape", [(7, 3), (1, 1), (50, 8)])
def test_against_numpy_network_by_network(shape: tuple[int, int]) -> None:
    z = 3 * torch.randn(2, *shape, generator=torch.Generator().manual_seed(1))
    found = pre_activations(z)
    for network, values in enumerate(z.double().numpy()):
        quantiles = [float(part[network]) for part in (found.q05, found.q50, found.q95)]
        assert quantiles == pytest.approx(np.quantile(values, [0.05, 0.5, 0.95]).tolist())
        assert float(found.mean[network]) == pytest.approx(values.mean())
        assert float(found.sd[network]) == pytest.approx(values.std(), abs=1e-12)
        assert float(found.share_middle[network]) == pytest.approx(np.mean((values > -3) & (values <= 0)), abs=1e-12)


def test_nan_is_not_hidden() -> None:
    z = torch.tensor([[[1.0, math.nan]], [[1.0, 2.0]]])
    assert all(part.isnan().tolist() == [True, False] for part in pre_activations(z))
