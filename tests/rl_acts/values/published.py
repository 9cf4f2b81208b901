"""The published reference values of the project's sources, verbatim, and which spec each row is of.

Four tables: f and f' at seven points, minima and bounds of f', and moments under N(0, 1) with the variance-preserving
gain. Numbers are printed to a fixed count of significant digits, trailing zeros left out.
"""

import math
import re
from dataclasses import dataclass

VALUES = """
| function | f(-3) | f(-1) | f(-0.5) | f(0) | f(0.5) | f(1) | f(3) |
|---|---|---|---|---|---|---|---|
| relu | 0 | 0 | 0 | 0 | 0.5 | 1 | 3 |
| leaky_relu (slope 0.01) | -0.03 | -0.01 | -0.005 | 0 | 0.5 | 1 | 3 |
| prelu (a=0.25) | -0.75 | -0.25 | -0.125 | 0 | 0.5 | 1 | 3 |
| elu (alpha=1) | -0.9502129316 | -0.6321205588 | -0.3934693403 | 0 | 0.5 | 1 | 3 |
| selu | -1.670568729 | -1.111330738 | -0.6917581878 | 0 | 0.5253504937 | 1.050700987 | 3.152102962 |
| gelu (erf) | -0.004049694095 | -0.1586552539 | -0.1542687694 | 0 | 0.3457312306 | 0.8413447461 | 2.995950306 |
| gelu_tanh | -0.003637392082 | -0.1588080094 | -0.1542859902 | 0 | 0.3457140098 | 0.8411919906 | 2.996362608 |
| gelu_quick (1.702) | -0.01807130971 | -0.1542042341 | -0.1496115634 | 0 | 0.3503884366 | 0.8457957659 | 2.98192869 |
| silu = swish (beta=1) | -0.1422776195 | -0.2689414214 | -0.1887703344 | 0 | 0.3112296656 | 0.7310585786 | 2.85772238 |
| swish (beta=1.5) | -0.03296082789 | -0.1824255238 | -0.1604106504 | 0 | 0.3395893496 | 0.8175744762 | 2.967039172 |
| dsilu | -0.08810410602 | 0.07232948813 | 0.2600388127 | 0.5 | 0.7399611873 | 0.9276705119 | 1.088104106 |
| mish | -0.1456474613 | -0.3034014614 | -0.2207437747 | 0 | 0.3752452113 | 0.8650983883 | 2.986535005 |
| softplus (beta=1) | 0.04858735157 | 0.3132616875 | 0.4740769842 | 0.6931471806 | 0.9740769842 | 1.313261688 | 3.048587352 |
| sigmoid | 0.04742587318 | 0.2689414214 | 0.3775406688 | 0.5 | 0.6224593312 | 0.7310585786 | 0.9525741268 |
| tanh | -0.9950547537 | -0.761594156 | -0.4621171573 | 0 | 0.4621171573 | 0.761594156 | 0.9950547537 |
| hardswish | 0 | -0.3333333333 | -0.2083333333 | 0 | 0.2916666667 | 0.6666666667 | 3 |
| relu_squared | 0 | 0 | 0 | 0 | 0.25 | 1 | 9 |
| swim (k=0.5) | -0.2519245585 | -0.2763932023 | -0.1893660937 | 0 | 0.3106339063 | 0.7236067977 | 2.748075442 |
| swim (k=1) = PFLU | -0.07697505292 | -0.1464466094 | -0.1381966011 | 0 | 0.3618033989 | 0.8535533906 | 2.923024947 |
| swim_survey (a=0.5) | -0.7884875265 | -0.3232233047 | -0.1940983006 | 0 | 0.3059016994 | 0.6767766953 | 2.211512474 |
| crrelu (eps=0.01) | -0.0003332698961 | -0.006065306597 | -0.004412484513 | 0 | 0.5044124845 | 1.006065307 | 3.00033327 |
| sqish (alpha=0.25, beta=1, gamma=1) | -0.98584189 | -0.5703347579 | -0.3374040852 | 0 | 0.4340461205 | 0.9281486879 | 2.987605551 |
| sqish (alpha=0, beta=1, gamma=1) | -0.1491764338 | -0.3452577617 | -0.2592978121 | 0 | 0.4275098182 | 0.9385078998 | 2.99628877 |
| talu (alpha=-0.75) | -0.6351489524 | -0.6351489524 | -0.4621171573 | 0 | 0.5 | 1 | 3 |
| talu (alpha=-0.2) | -0.1973753202 | -0.1973753202 | -0.1973753202 | 0 | 0.5 | 1 | 3 |
| ulu (a1=1, a2=1) | -0.00741786947 | -0.119202922 | -0.1344707107 | 0 | 0.3655292893 | 0.880797078 | 2.992582131 |
| ulu (a1=0.5, a2=1) | -0.1422776195 | -0.2689414214 | -0.1887703344 | 0 | 0.3655292893 | 0.880797078 | 2.992582131 |
| threshold (s=1) | 0 | 0 | 0 | 1 | 1 | 1 | 1 |
| xielu (0.8, 0.8, beta 0.5), eps=0 | 0.1398296547 | -0.2056964471 | -0.1647754722 | 0 | 0.45 | 1.3 | 8.7 |
| xielu as in its repo, eps=-1e-6 | 0.1398296547 | -0.2056964471 | -0.1647754722 | -0.0000007999996 | 0.45 | 1.3 | 8.7 |
| apalu (a=0.55, b=0.065) | -0.06176384056 | -0.04108783632 | -0.02557550712 | 0 | 0.4677136401 | 1.015187671 | 3.29006078 |
| xsilu (alpha=0.1) | 0.1292668566 | -0.2227297056 | -0.1765244013 | 0 | 0.3234755987 | 0.7772702944 | 3.129266857 |
| linear_combination (equal weights) | -0.9869072201 | -0.3731631836 | -0.1461441221 | 0.125 | 0.5211441221 | 0.8731631836 | 1.98690722 |
| wafbc, Gaussian p (C1=1, C2=0) | 0.001349898032 | 0.1586552539 | 0.3085375387 | 0.5 | 0.6914624613 | 0.8413447461 | 0.998650102 |
| HardSigmoid_k(HardSigmoid_k(x))*ELU(x) | -0.4751064658 | -0.3539875129 | -0.2282122174 | 0 | 0.31 | 0.64 | 2.1 |
| erfc(softplus(x))^2 | 0.8934373633 | 0.4326377522 | 0.2525800777 | 0.1069019982 | 0.02833881922 | 0.004004115982 | 2.632772484e-10 |
| sigmoid(x)*erf(x) | -0.04742482552 | -0.226637149 | -0.196509872 | 0 | 0.3239900058 | 0.6160636439 | 0.952553084 |
| log(sigmoid(x))*asinh(x) | 5.543692875 | 1.157474164 | 0.4687373633 | 0 | -0.2281314508 | -0.2761005772 | -0.08835349743 |
"""

SLOPES = """
| function | -3 | -1 | -0.5 | 0 | 0.5 | 1 | 3 |
|---|---|---|---|---|---|---|---|
| gelu (erf) | -0.0119456472 | -0.0833154706 | 0.132504875 | 0.5 | 0.867495125 | 1.08331547 | 1.01194565 |
| silu | -0.088104106 | 0.0723294881 | 0.260038813 | 0.5 | 0.739961187 | 0.927670512 | 1.08810411 |
| dsilu | -0.0323214045 | 0.302366119 | 0.441229027 | 0.5 | 0.441229027 | 0.302366119 | -0.0323214045 |
| mish | -0.0933931145 | 0.0592167559 | 0.289510678 | 0.6 | 0.886424375 | 1.04903622 | 1.02110691 |
| swim (k=0.5) | -0.0440328848 | 0.0975077641 | 0.264597776 | 0.5 | 0.735402224 | 0.902492236 | 1.04403288 |
| crrelu (eps=0.01) | -0.000888719723 | 0 | 0.00661872677 | 0.01 (right: 1.01) | 1.00661873 | 1 | 0.99911128 |
| sqish (0.25, 1, 1) | 0.153675932 | 0.373911616 | 0.566612923 | 0.780330086 | 0.942453675 | 1.02093241 | 1.01430685 |
| ulu (1, 1) | -0.0123264326 | -0.0907842488 | 0.0723294881 | 0.5 | 0.927670512 | 1.09078425 | 1.01232643 |
| xielu (0.8, 0.8, 0.5) | -0.260170345 | -0.00569644706 | 0.185224528 | 0.5 | 1.3 | 2.1 | 5.3 |
| apalu (0.55, 0.065) | 0.00323615944 | 0.0239121637 | 0.0394244929 | 0.825 (left: 0.065) | 1.03357205 | 1.13727878 | 1.11350158 |
| hardswish | 0 (right: -0.5) | 0.166666667 | 0.333333333 | 0.5 | 0.666666667 | 0.833333333 | 1 (left: 1.5) |
"""

EXTREMES = """
| function | min f (at x) | min f' (at x) | max f' (at x) |
|---|---|---|---|
| gelu (erf) | -0.1699712075 (-0.751791525) | -0.1289041452 (-1.41421356) | 1.128904145 (1.41421356) |
| gelu_tanh | -0.1700407506 (-0.752461422) | -0.1289930687 (-1.41850401) | 1.128993069 (1.41850401) |
| gelu_quick | -0.1636101896 (-0.751154255) | -0.0998393201 (-1.40972813) | 1.09983932 (1.40972813) |
| silu | -0.2784645428 (-1.27846454) | -0.0998393201 (-2.39935728) | 1.09983932 (2.39935728) |
| dsilu | -0.0998393201 (-2.39935728) | -0.0369143732 (+/-3.43584099) | 0.5 (0) |
| mish | -0.3088434130 (-1.19243121) | -0.1125261224 (-2.2563764) | 1.088498161 (1.49057118) |
| swim (k=0.5) | -0.3002831060 (-1.57230276) | -0.0443310540 (-2.82842712) | 1.044331054 (2.82842712) |
| swim (k=1) | -0.1501415530 (-0.786151378) | -0.0443310540 (-1.41421356) | 1.044331054 (1.41421356) |
| sqish (0, 1, 1) | -0.3474298774 (-1.10885755) | -0.1299347479 (-2.09392471) | 1.05325725 (1.15625438) |
| sqish (0.25, 1, 1) | unbounded below, monotone | 0.1525489391 (-2.79189961) | 1.039942938 (1.54167251) |
| ulu (1, 1) | -0.1392322714 (-0.639232271) | -0.0998393201 (-1.19967864) | 1.09983932 (1.19967864) |
| xielu (init) | -0.2057512241 (-0.980829253) | -0.3 (x -> -inf) | unbounded |
| HS_k(HS_k(x))*ELU(x) | -0.5 (x -> -inf) | 0 | 0.8 (2.5, left limit); 0.7 beyond |
| erfc(softplus)^2 | 0 | -0.3660192602 (-0.846797727) | 0 |
| sigmoid*erf | -0.2307697696 (-0.855402882) | -0.1225226358 (-1.52858278) | 0.6787047984 (0.387676592) |
| log(sigmoid)*asinh | -0.2764675460 (+0.953487921) | unbounded | 0.1173420194 (1.82998076) |
"""

MOMENTS = """
| function | E[f(z)] | E[f(z)^2] | gain = E[f^2]^(-1/2) |
|---|---|---|---|
| relu | 0.3989423 | 0.5 | 1.414214 |
| leaky_relu (slope 0.01) | 0.3949529 | 0.50005 | 1.414143 |
| prelu (a=0.25) | 0.2992067 | 0.53125 | 1.371989 |
| elu (alpha=1) | 0.1605206 | 0.6449454 | 1.245198 |
| selu | 0 | 1 | 1 |
| gelu (erf) | 0.2820948 | 0.4252215 | 1.53353 |
| gelu_tanh | 0.2820386 | 0.4251937 | 1.533581 |
| gelu_quick (1.702) | 0.2823306 | 0.4219528 | 1.539459 |
| silu = swish (beta=1) | 0.206621 | 0.3557755 | 1.676532 |
| swish (beta=1.5) | 0.2650916 | 0.4068853 | 1.567704 |
| dsilu | 0.5 | 0.3794824 | 1.62332 |
| mish | 0.2404039 | 0.4523422 | 1.486848 |
| softplus (beta=1) | 0.8060592 | 0.9212459 | 1.041867 |
| sigmoid | 0.5 | 0.293379 | 1.846229 |
| tanh | 0 | 0.3942945 | 1.592537 |
| hardswish | 0.1662167 | 0.3315674 | 1.736657 |
| relu_squared | 0.5 | 1.5 | 0.8164966 |
| swim (k=0.5) | 0.1961561 | 0.3427385 | 1.708121 |
| swim (k=1) = PFLU | 0.2824454 | 0.4139199 | 1.554325 |
| swim_survey (a=0.5) | 0.1412227 | 0.29098 | 1.853824 |
| crrelu (eps=0.01) | 0.3989423 | 0.5035548 | 1.409213 |
| sqish (alpha=0.25, beta=1, gamma=1) | 0.1572693 | 0.5785552 | 1.314703 |
| sqish (alpha=0, beta=1, gamma=1) | 0.2494364 | 0.5 | 1.414214 |
| talu (alpha=-0.75) | 0.1648382 | 0.6304873 | 1.259395 |
| talu (alpha=-0.2) | 0.3080509 | 0.5174254 | 1.390196 |
| ulu (a1=1, a2=1) | 0.3028528 | 0.4394725 | 1.508461 |
| ulu (a1=0.5, a2=1) | 0.2547369 | 0.455917 | 1.481007 |
| threshold (s=1) | 0.5 | 0.5 | 1.414214 |
| xielu (0.8, 0.8, beta 0.5), eps=0 | 0.5284165 | 1.735515 | 0.7590769 |
| xielu as in its repo, eps=-1e-6 | 0.5284165 | 1.735515 | 0.7590769 |
| apalu (a=0.55, b=0.065) | 0.3912709 | 0.5513174 | 1.346788 |
| xsilu (alpha=0.1) | 0.2479452 | 0.4023167 | 1.57658 |
| linear_combination (equal weights) | 0.2247356 | 0.3926457 | 1.595878 |
| wafbc, Gaussian p (C1=1, C2=0) | 0.5 | 0.3333333 | 1.732051 |
| HardSigmoid_k(HardSigmoid_k(x))*ELU(x) | 0.1264508 | 0.2633311 | 1.948718 |
| erfc(softplus(x))^2 | 0.19218 | 0.08261191 | 3.479194 |
| sigmoid(x)*erf(x) | 0.1396774 | 0.1509789 | 2.573605 |
| log(sigmoid(x))*asinh(x) | 0.39482 | 0.9989933 | 1.000504 |
"""

# By the first cell of a row, in whichever table it stands; some rows are of two entries.
SPECS: dict[str, tuple[str, ...]] = {
    "relu": ("relu",),
    "leaky_relu (slope 0.01)": ("leaky_relu",),
    "prelu (a=0.25)": ("prelu", "leaky_relu(slope=0.25)"),
    "elu (alpha=1)": ("elu",),
    "selu": ("selu",),
    "gelu (erf)": ("gelu",),
    "gelu_tanh": ("gelu_tanh",),
    "gelu_quick (1.702)": ("gelu_quick",),
    "gelu_quick": ("gelu_quick",),
    "silu = swish (beta=1)": ("silu", "swish", "swish_learnable"),
    "silu": ("silu",),
    "swish (beta=1.5)": ("swish(beta=1.5)",),
    "dsilu": ("dsilu",),
    "mish": ("mish",),
    "softplus (beta=1)": ("softplus",),
    "sigmoid": ("sigmoid",),
    "tanh": ("tanh",),
    "hardswish": ("hardswish",),
    "relu_squared": ("relu_squared",),
    "swim (k=0.5)": ("swim", "swim_learnable"),
    "swim (k=1) = PFLU": ("swim(k=1)", "pflu"),
    "swim (k=1)": ("swim(k=1)", "pflu"),
    "swim_survey (a=0.5)": ("swim_survey",),
    "crrelu (eps=0.01)": ("crrelu",),
    "sqish (alpha=0.25, beta=1, gamma=1)": ("sqish",),
    "sqish (0.25, 1, 1)": ("sqish",),
    "sqish (alpha=0, beta=1, gamma=1)": ("sqish(alpha=0)",),
    "sqish (0, 1, 1)": ("sqish(alpha=0)",),
    "talu (alpha=-0.75)": ("talu(alpha=-0.75)",),
    "talu (alpha=-0.2)": ("talu", "talu(alpha=-0.2)"),
    "ulu (a1=1, a2=1)": ("ulu(a1=1, a2=1)",),
    "ulu (1, 1)": ("ulu(a1=1, a2=1)",),
    "ulu (a1=0.5, a2=1)": ("ulu",),
    "threshold (s=1)": ("threshold",),
    "xielu (0.8, 0.8, beta 0.5), eps=0": ("xielu(eps=0)",),
    "xielu (0.8, 0.8, 0.5)": ("xielu(eps=0)",),
    "xielu as in its repo, eps=-1e-6": ("xielu(eps=-1e-6)",),
    "xielu (init)": ("xielu(eps=0)",),
    "apalu (a=0.55, b=0.065)": ("apalu",),
    "apalu (0.55, 0.065)": ("apalu",),
    "xsilu (alpha=0.1)": ("xsilu(alpha=0.1)",),
    "linear_combination (equal weights)": ("linear_combination",),
    "wafbc, Gaussian p (C1=1, C2=0)": ("wafbc(c1=1, c2=0)",),
    "HardSigmoid_k(HardSigmoid_k(x))*ELU(x)": ("hardsigmoid_elu",),
    "HS_k(HS_k(x))*ELU(x)": ("hardsigmoid_elu",),
    "erfc(softplus(x))^2": ("erfc_softplus_squared",),
    "erfc(softplus)^2": ("erfc_softplus_squared",),
    "sigmoid(x)*erf(x)": ("sigmoid_erf",),
    "sigmoid*erf": ("sigmoid_erf",),
    "log(sigmoid(x))*asinh(x)": ("log_sigmoid_asinh",),
    "log(sigmoid)*asinh": ("log_sigmoid_asinh",),
}

POINTS = (-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0)
_NUMBER = r"-?[0-9.]+(?:e-?[0-9]+)?"


@dataclass(frozen=True)
class Printed:
    """A number as it was printed.

    Attributes:
        value: Its value.
        half_unit: Half a unit of the last digit that was printed or dropped as a trailing zero; 0 for a printed 0,
            which is exact in these tables.
    """

    value: float
    half_unit: float

    def admits(self, value: float, slack: float = 1e-15) -> bool:
        """Return whether a value would have been printed so, `slack` being allowed for rounding."""
        return abs(value - self.value) <= self.half_unit * (1 + 1e-6) + slack


@dataclass(frozen=True)
class Slope:
    """A printed slope, with the one-sided limit from the side that is named, if it differs there."""

    at: Printed
    side: int = 0
    limit: Printed | None = None


@dataclass(frozen=True)
class Bound:
    """A printed minimum or bound of a slope.

    Attributes:
        printed: The number, or None: unbounded.
        places: Where it is reached, any of them; infinite for a limit; None if not printed.
    """

    printed: Printed | None
    places: tuple[Printed, ...] | None = None


def rows(text: str) -> dict[str, list[str]]:
    """Return the cells behind the first cell of each row, by the first."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.strip().splitlines()]
    return {first: rest for first, *rest in lines[2:]}


def digits(text: str) -> int:
    """Return how many significant digits a table's column prints: the most that any of its numbers shows."""
    numbers = re.findall(_NUMBER, text)
    return max(len(re.sub(r"e.*|[-.]", "", number).lstrip("0")) for number in numbers)


def printed(text: str, significant: int, decimals: int = 30) -> Printed:
    """Return a printed number of so many significant digits, at most so many of them decimals."""
    value = float(text)
    if value == 0:
        return Printed(0.0, 0.0)
    last = max(math.floor(math.log10(abs(value))) - significant + 1, -decimals)
    return Printed(value, 0.5 * 10.0**last)


def slope(cell: str, significant: int) -> Slope:
    """Read ``0.01`` or ``0.01 (right: 1.01)``."""
    sided = re.fullmatch(rf"({_NUMBER}) \((left|right): ({_NUMBER})\)", cell)
    if sided is None:
        return Slope(printed(cell, significant))
    side = 1 if sided[2] == "right" else -1
    return Slope(printed(sided[1], significant), side, printed(sided[3], significant))


def bound(cell: str, significant: int, significant_of_places: int) -> Bound:
    """Read ``-0.17 (-0.75)``, ``-0.036 (+/-3.4)``, ``-0.3 (x -> -inf)``, ``0.8 (2.5, left limit)``, ``unbounded``.

    As many decimals are printed as significant digits, if the number is below 1.
    """
    if cell.startswith("unbounded"):
        return Bound(None)
    number = re.match(_NUMBER, cell)
    assert number is not None, cell
    value = printed(number[0], significant, decimals=significant)
    place = re.search(rf"\((?:x -> )?(\+/-|\+)?({_NUMBER}|-inf)", cell)
    if place is None:
        return Bound(value)
    if place[2] == "-inf":
        return Bound(value, (Printed(-math.inf, 0.0),))
    at = printed(place[2], significant_of_places)
    mirrored = (Printed(-at.value, at.half_unit),) if place[1] == "+/-" else ()
    return Bound(value, (at, *mirrored))
