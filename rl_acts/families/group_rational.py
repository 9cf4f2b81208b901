"""Rational functions with a denominator for each group of features, from Kolmogorov-Arnold transformers."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from rl_acts._base import Activation, needed_width
from rl_acts._info import UNBOUNDED, Flag, Function, Parameter, Whole
from rl_acts._registry import register
from rl_acts.errors import ActivationError
from rl_acts.families.rational import DENOMINATOR, FIT, INIT, NUMERATOR, OUR_FITS, evaluate, start


@register(
    "group_rational",
    aliases=("gr_kan",),
    formula="as rational, with a denominator for each of G runs of features",
    family="adaptive",
    range=UNBOUNDED,
    derivative_range=(-0.1019153342, 1.1015337119),
    smoothness="C0",
    source="Yang and Wang, arXiv 2409.10594 (KAT), and their code Adamdad/kat and rational_kat_cu",
    unverified=OUR_FITS,
    elementwise=False,
)
class GroupRational(Activation):
    """GR-KAN's rational functions: version A, the features cut into equal runs that have a denominator each.

    The numerator is shared by all groups, as in the authors' code (6 + 8 * 4 = 38 numbers); their text speaks of
    sharing by group, which is ``share_numerator=False``. In their block it stands *before* each linear layer, the first
    one started from the identity, the second from Swish or GELU.

    Their released ``gelu`` coefficients are not used here: they were fitted with the denominator of version B and are
    evaluated with A's, where they are off by 1.46. ``init="gelu"`` is a fit of version A. Their PyTorch fallback takes
    no absolute value of x, so its denominators can vanish; this is the form of their GPU kernels.

    Unverified: the wide fits are ours.

    Args:
        init: As for `Rational`. Default ``"swish"``, as in most of their released models.
        groups: How many runs of features; must divide the width. Default 8.
        share_numerator: Whether all groups have one numerator. Default True.
        numerator: Degree of P, 1 to 10. Default 5.
        denominator: Degree of Q, 1 to 10. Default 4.
        fit: ``"wide"`` (default, on [-10, 10], for the reason that `Rational` gives) or ``"published"``.
        features: Width of the layer.

    Raises:
        ActivationError: A bad argument, a width that is missing or that `groups` does not divide, or a published fit
            that does not exist.

    Attributes:
        a: Parameter of shape ``(1, m + 1)``, or ``(groups, m + 1)`` if the numerator is not shared.
        b: Parameter of shape ``(groups, n)``.
    """

    declared: ClassVar[tuple[Parameter, ...]] = (
        Parameter("init", "swish", Function(other="relu"), INIT.meaning, shape=(38,)),
        Parameter("groups", 8, Whole(other=4, minimum=1), "runs of features with a denominator each"),
        Parameter("share_numerator", default=True, constraint=Flag(other=False), meaning="whether they share P"),
        NUMERATOR,
        DENOMINATOR,
        FIT,
    )

    def __init__(
        self,
        init: str = "swish",
        groups: int = 8,
        share_numerator: bool = True,
        numerator: int = 5,
        denominator: int = 4,
        fit: str = "wide",
        features: int | None = None,
    ) -> None:
        super().__init__()
        self.init = self.word("init", init)
        self.groups = self.whole("groups", groups)
        self.share_numerator = self.flag("share_numerator", share_numerator)
        self.numerator, self.denominator = self.whole("numerator", numerator), self.whole("denominator", denominator)
        self.fit = self.word("fit", fit)
        self.features = needed_width("GroupRational", "a rational function for each group of units", features)
        if self.features % self.groups:
            raise ActivationError(
                f"GroupRational: features={features!r} is not allowed with groups={self.groups}; the layer's width "
                f"must be a multiple of {self.groups}."
            )
        a, b = start("GroupRational", self.init, self.fit, "A", (self.numerator, self.denominator))
        self.a = nn.Parameter(torch.tensor(a).repeat(1 if self.share_numerator else self.groups, 1))
        self.b = nn.Parameter(torch.tensor(b).repeat(self.groups, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)`` to the same shape."""
        # (..., groups, features of one group) against coefficients of shape (groups, 1).
        runs = torch.unflatten(x, -1, (self.groups, -1))
        return evaluate(runs, self.a.unsqueeze(-2), self.b.unsqueeze(-2), "A").flatten(-2)

    def extra_repr(self) -> str:
        """Show the start and the width too."""
        return f"init={self.init!r}, {super().extra_repr()}, features={self.features}"
