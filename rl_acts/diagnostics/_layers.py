"""The hidden layers of a network: what stands before and behind each activation."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn

# Between a linear layer and its activation these belong to the linear layer, behind the activation to the next one.
_NO_ACTIVATION = (
    nn.LayerNorm,
    nn.RMSNorm,
    nn.GroupNorm,
    nn.modules.batchnorm._NormBase,  # noqa: SLF001 - the only common base of all batch and instance norms
    nn.Dropout,
    nn.AlphaDropout,
    nn.Flatten,
)


class DiagnosticsError(ValueError):
    """A network or a batch that cannot be measured; the message names it and what is allowed."""


@dataclass(frozen=True)
class HiddenLayer:
    """One hidden layer.

    Attributes:
        name: ``layer1``, ``layer2``, ...
        linear: Its weights.
        before: From the layer's input to the pre-activations z: the linear layer, and norms that follow it.
        activation: From z to the post-activations h.
    """

    name: str
    linear: nn.Linear
    before: nn.Sequential
    activation: nn.Sequential

    def __call__(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return z and h, from what the layer before has put out."""
        z = self.before(h)
        # A copy, for activations that work in place.
        return z, self.activation(z.clone())


def hidden_layers(network: nn.Module) -> tuple[list[HiddenLayer], nn.Sequential, nn.Linear]:
    """Return a perceptron's hidden layers, the rest behind them, and the linear layer in the rest.

    A hidden layer ends before the next linear layer. Norms and dropout directly behind a linear layer belong to what is
    before the activation; everything after the first module that is none of these, up to a norm, is the activation. A
    layer without one has the identity.

    Args:
        network: An ``nn.Sequential`` as `rl_acts.mlp` builds it; others inside it are unfolded.

    Raises:
        DiagnosticsError: It is none, or has no linear layer.
    """
    if not isinstance(network, nn.Sequential):
        raise DiagnosticsError(
            f"a network of type {type(network).__name__} cannot be measured; allowed is an nn.Sequential as "
            "rl_acts.mlp builds it."
        )
    parts: list[list[nn.Module]] = [[]]
    for module in _unfolded(network):
        if isinstance(module, nn.Linear) and any(isinstance(earlier, nn.Linear) for earlier in parts[-1]):
            parts.append([])
        parts[-1].append(module)
    linears = [next((module for module in part if isinstance(module, nn.Linear)), None) for part in parts]
    if linears[-1] is None:
        raise DiagnosticsError(f"a network without linear layers cannot be measured; got {network!r}.")
    layers: list[HiddenLayer] = []
    carried: list[nn.Module] = []
    for part, linear in zip(parts[:-1], linears[:-1], strict=True):
        if linear is not None:
            before, activation, behind = _split(part, linear)
            name = f"layer{len(layers) + 1}"
            layers.append(HiddenLayer(name, linear, nn.Sequential(*carried, *before), nn.Sequential(*activation)))
            carried = behind
    return layers, nn.Sequential(*carried, *parts[-1]), linears[-1]


def _unfolded(network: nn.Sequential) -> Iterator[nn.Module]:
    for module in network:
        if isinstance(module, nn.Sequential):
            yield from _unfolded(module)
        else:
            yield module


def _split(part: list[nn.Module], linear: nn.Linear) -> tuple[list[nn.Module], list[nn.Module], list[nn.Module]]:
    begin = part.index(linear) + 1
    while begin < len(part) and isinstance(part[begin], _NO_ACTIVATION):
        begin += 1
    end = begin
    while end < len(part) and not isinstance(part[end], _NO_ACTIVATION):
        end += 1
    return part[:begin], part[begin:end], part[end:]
