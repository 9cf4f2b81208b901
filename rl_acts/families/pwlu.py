"""PWLU: a piecewise linear function that first watches its pre-activations and then learns."""

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from rl_acts._base import PER, LearnableActivation, widened
from rl_acts._info import Parameter, Real, Whole
from rl_acts._registry import register

# Weight of a new batch in the running mean and spread, and the spreads on either side that the intervals cover.
_NEW, _SPREADS = 0.1, 3.0
# Intervals never get shorter than this, whatever the statistics or the learnt ends say.
_SHORTEST = 1e-3
_BUFFERS = ("mu", "s", "calls", "phase")


def _learnt_numbers(n: int, per: str, features: int, **_: object) -> int:
    return (n + 5) * (features if per == "unit" else 1)


@register(
    "pwlu",
    formula="Y_i + (Y_(i+1) - Y_i) / d * (x - B_i) for B_i <= x < B_(i+1), outside lines of slopes K_L and K_R; Y, "
    "B_0, B_n, K_L, K_R learnt; relu(x) during the warm-up",
    family="adaptive",
    range=(0.0, math.inf),
    derivative_range=(0.0, 1.0),
    smoothness="C0",
    source="arXiv 2104.03693, realignment by statistics",
    unverified="Read in notes on the paper. The length of the warm-up (5,000 calls; the paper: 5 epochs) and the "
    "bounds without statistics (-3, 3) are this library's choice.",
    stateful=True,
    learnt_numbers=_learnt_numbers,
)
class PWLU(LearnableActivation):
    """Piecewise linear unit with n equal intervals between two learnt ends, and two phases.

    Phase 0, the first `warm_up` calls in training mode while gradients are recorded: f is ReLU exactly, f'(0) = 0, the
    parameters get the gradient 0, and mu <- 0.9 mu + 0.1 mean(x), s <- 0.9 s + 0.1 std(x) (of the batch, divided by
    its size). Calls without gradients (acting, targets, evaluation) count nothing. A network that is called several
    times an update, as critics are, counts each call.

    Phase 1, from the call after the last of those on: the ends are B_0 = mu - 3 s and B_n = mu + 3 s, d = (B_n - B_0) /
    n but at least 1e-3, B_i = B_0 + i d, and f starts as Y_i = relu(B_i), K_L = 0, K_R = 1, off ReLU by at most d/4.
    mu and s stay as they are, and all n + 5 numbers of a set are learnt. Gradients are those of the formula with the
    index i held fixed; at a knot f' is the right one.

    The parameters hold what was learnt since the realignment, all 0 until then: B_0 = mu - 3 s + `low_change`, and so
    on. So the realignment happens in the buffers alone. It leaves the optimiser's state valid, and a target network
    that is given the online network's buffers has the realigned function in the same step, exactly; `rl_acts.sb3` does
    that.

    Engines that train several runs with one module keep the buffers of each run apart, as `torch.func` does with
    stacked tensors. In training mode `forward` writes into the buffers that it is called with, so under
    ``vmap(functional_call)`` into the stacked ones. Where writing is not possible (inside `torch.func.grad`, or where
    the buffers are not to be touched), keep the module in evaluation mode, and for each call that learns:

    1. evaluate with the run's current buffers: ``functional_call(module, {**parameters, **buffers}, (x,))``;
    2. then replace them: ``buffers = module.advance(x, buffers)``, which changes nothing and can be batched by `vmap`.

    Targets are evaluated with the online network's buffers, and their parameters averaged as always.

    Unverified: the length of the warm-up and the bounds without statistics are this library's choice.

    Args:
        n: Number of intervals, from 1 to 256. Default 16; even, so that 0 is a knot where the ends are symmetric.
        warm_up: Calls of phase 0; 0 for none. Default 5000.
        bound: Ends at -bound and bound before any statistics, above 0: the start of s is bound / 3. Default 3.
        per: ``"layer"`` (default), ``"unit"`` or ``"net"``: what shares one function and its statistics.
        features: Width of the layer, needed for ``per="unit"``.

    Attributes:
        heights_change: Parameter ``(n + 1,)``, or ``(features, n + 1)`` for ``per="unit"``: Y since the realignment.
        low_change: Parameter ``()``, or ``(features,)``: B_0; likewise high_change (B_n), left_change (K_L) and
            right_change (K_R).
        mu: Buffer ``()``, or ``(features,)``: running mean.
        s: Likewise: running spread.
        calls: Buffer ``()``, whole number: calls counted, at most `warm_up`.
        phase: Buffer ``()``, whole number: 0 or 1.
    """

    declared: ClassVar[tuple[Parameter, ...]] = (
        Parameter("n", 16, Whole(other=8, minimum=1, maximum=256), "number of intervals"),
        Parameter("warm_up", 5000, Whole(other=0, minimum=0), "training calls that collect statistics as ReLU"),
        Parameter("bound", 3.0, Real(other=2.0, minimum=0.0), "ends of the intervals before any statistics"),
        PER,
    )
    mu: Tensor
    s: Tensor
    calls: Tensor
    phase: Tensor

    def __init__(
        self, n: int = 16, warm_up: int = 5000, bound: float = 3.0, per: str = "layer", features: int | None = None
    ) -> None:
        super().__init__(per, features)
        self.n, self.warm_up, self.bound = self.whole("n", n), self.whole("warm_up", warm_up), self.real("bound", bound)
        sets = () if self.features is None else (self.features,)
        self.heights_change = nn.Parameter(torch.zeros(*sets, self.n + 1))
        self.low_change, self.high_change, self.left_change, self.right_change = (
            self.new_parameter(0.0) for _ in range(4)
        )
        self.register_buffer("mu", torch.zeros(sets))
        self.register_buffer("s", torch.full(sets, self.bound / _SPREADS))
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.register_buffer("phase", torch.tensor(int(self.warm_up == 0)))

    def advance(self, x: Tensor, buffers: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """Return what the buffers are after one more call in training, and change nothing.

        Args:
            x: Pre-activations ``(..., features)`` of the call, at least one row.
            buffers: The buffers before it: mu, s, calls, phase; None for the module's own.
        """
        mu, s, calls, phase = (getattr(self, name) if buffers is None else buffers[name] for name in _BUFFERS)
        rows = widened(x.detach()).reshape(-1, *(() if self.features is None else (self.features,)))
        collecting = phase == 0
        mean = ((1.0 - _NEW) * mu + _NEW * rows.mean(0)).to(mu.dtype)
        spread = ((1.0 - _NEW) * s + _NEW * rows.std(0, correction=0)).to(s.dtype)
        calls = calls + collecting
        return {
            "mu": torch.where(collecting, mean, mu),
            "s": torch.where(collecting, spread, s),
            "calls": calls,
            "phase": (calls >= self.warm_up).to(phase.dtype),
        }

    def knots(self) -> tuple[Tensor, Tensor]:
        """Return B and Y of the intervals' ends, each ``(n + 1,)`` or ``(features, n + 1)``, as phase 1 uses them."""
        low, d = self._intervals(self.low_change, self.high_change)
        return self._ends(low, d), self._heights()

    def _intervals(self, low_change: Tensor | float, high_change: Tensor | float) -> tuple[Tensor, Tensor]:
        low = self.mu - _SPREADS * self.s + low_change
        high = self.mu + _SPREADS * self.s + high_change
        return low, ((high - low) / self.n).clamp(min=_SHORTEST)

    def _ends(self, low: Tensor, d: Tensor) -> Tensor:
        steps = torch.arange(self.n + 1, dtype=low.dtype, device=low.device)
        return low.unsqueeze(-1) + steps * d.unsqueeze(-1)

    def _heights(self) -> Tensor:
        return self._ends(*self._intervals(0.0, 0.0)).relu() + self.heights_change

    def _pieces(self, x: Tensor) -> Tensor:
        low, d = self._intervals(self.low_change, self.high_change)
        with torch.no_grad():
            # Piece 0 is the line on the left, n + 1 the one on the right. NaN is in no piece, and its value NaN in all.
            piece = (((x - low) / d).floor() + 1.0).clamp(0, self.n + 1).nan_to_num(0.0).long()
            if self.features is not None:
                piece = piece + (self.n + 2) * torch.arange(self.features, device=x.device)
        ends, heights = self._ends(low, d), self._heights()
        slopes = (heights[..., 1:] - heights[..., :-1]) / d.unsqueeze(-1)
        slopes = torch.cat((self.left_change.unsqueeze(-1), slopes, 1.0 + self.right_change.unsqueeze(-1)), dim=-1)
        starts, levels = (torch.cat((table[..., :1], table), dim=-1) for table in (ends, heights))
        start, level, slope = (_looked_up(table, piece) for table in (starts, levels, slopes))
        return level + slope * (x - start)

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)`` to the same shape; see the class for what training changes."""
        wide = widened(x)
        value = torch.where(self.phase > 0, self._pieces(wide), wide.relu()).to(x.dtype)
        # The value is of the buffers before the call, so that it never depends on the other rows.
        if self.training and torch.is_grad_enabled() and x.numel():
            with torch.no_grad():
                for name, after in self.advance(x).items():
                    getattr(self, name).copy_(after)
        return value


def _looked_up(table: Tensor, places: Tensor) -> Tensor:
    # Its backward pass, a sum by place, is twice as fast on a CPU as that of table[places].
    return table.flatten().index_select(0, places.flatten()).view(places.shape)
