"""The registry: names, aliases, third-party entries, and making a module from a spec."""

import inspect
import warnings
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import TypedDict, TypeVar, Unpack

import torch
from torch import nn

from rl_acts._info import FAMILIES, ActivationInfo, Family, Interval, Parameter, Smoothness, checked
from rl_acts._spec import ActivationSpec, Spec, Value, parse_text, spec_from_mapping
from rl_acts.errors import ActivationError, did_you_mean

ENTRY_POINT_GROUP = "rl_acts.activations"

_ModuleClass = TypeVar("_ModuleClass", bound=type[nn.Module])


class _Declared(TypedDict, total=False):
    """What `register` takes besides the name; see `ActivationInfo` for the meaning of each."""

    aliases: tuple[str, ...]
    formula: str
    family: Family
    parameters: tuple[Parameter, ...]
    range: Interval | None
    derivative_range: Interval | None
    smoothness: Smoothness
    source: str
    unverified: str | None
    elementwise: bool
    stochastic: bool
    surrogate: bool
    stateful: bool
    width_factor: float
    learnt_numbers: Callable[..., int]


class _Registry:
    """Entries by canonical name, and the aliases that lead to them."""

    def __init__(self) -> None:
        self.entries: dict[str, ActivationInfo] = {}
        self.aliases: dict[str, str] = {}
        self.plugins_loaded = False
        self.broken_plugins: dict[str, Exception] = {}

    def add(self, entry: ActivationInfo) -> None:
        for name in (entry.name, *entry.aliases):
            if not name.isidentifier() or name != normal(name):
                raise ActivationError(f"Cannot register {name!r}: names are lower snake case, as in 'my_swim'.")
            taken = self.entries.get(self.aliases.get(name, name))
            if taken is not None:
                raise ActivationError(
                    f"Cannot register {name!r}: the name belongs to {taken.cls.__qualname__} already."
                )
        self.entries[entry.name] = entry
        self.aliases.update(dict.fromkeys(entry.aliases, entry.name))

    def find(self, name: str) -> ActivationInfo | None:
        wanted = normal(name)
        return self.entries.get(self.aliases.get(wanted, wanted))

    def known(self) -> list[str]:
        return sorted([*self.entries, *self.aliases])

    def _add_plugin(self, name: str, loaded: object) -> None:
        if not isinstance(loaded, type) or not issubclass(loaded, nn.Module):
            raise ActivationError(f"{loaded!r} is no nn.Module class.")
        entry = self.find(name)
        # Loading a class that is decorated with `register` has entered it already.
        if entry is None or entry.cls is not loaded:
            register(name)(loaded)

    def load_plugins(self) -> None:
        """Load third-party entry points, once. A broken one is reported as a warning and harms no other."""
        if self.plugins_loaded:
            return
        self.plugins_loaded = True
        for point in metadata.entry_points(group=ENTRY_POINT_GROUP):
            try:
                self._add_plugin(point.name, point.load())
            # Foreign code can raise anything; the reason is shown now, and again when the name is asked for.
            except Exception as error:  # noqa: BLE001
                self.broken_plugins[normal(point.name)] = error
                warnings.warn(
                    f"rl_acts: the entry point {point.name} = {point.value!r} could not be loaded: {error!r}",
                    stacklevel=2,
                )


_registry = _Registry()


def normal(name: str) -> str:
    """Return a name as the registry writes it: lower snake case."""
    return name.strip().lower().replace("-", "_").replace(" ", "_")


def register(name: str, **declared: Unpack[_Declared]) -> Callable[[_ModuleClass], _ModuleClass]:
    """Class decorator that makes an `nn.Module` class an activation with a name.

    Args:
        name: Lower snake case.
        **declared: The fields of `ActivationInfo`, all optional. `parameters` and `width_factor` are read
            from the class attributes ``declared`` and ``width_factor`` if there are any and they are not given.

    Returns:
        The decorator, which returns the class as it was.

    Raises:
        ActivationError: The name or an alias is taken or not lower snake case, or a field is not allowed.

    Example:
        >>> import torch, rl_acts
        >>> @rl_acts.register("cube_root", formula="x^(1/3)", family="miscellaneous")
        ... class CubeRoot(torch.nn.Module):
        ...     def forward(self, x):
        ...         return x.sign() * x.abs().pow(1 / 3)
        >>> rl_acts.make("cube_root")(torch.tensor([-8.0]))
        tensor([-2.])
        >>> rl_acts.unregister("cube_root")
    """

    def add(cls: _ModuleClass) -> _ModuleClass:
        declared.setdefault("parameters", getattr(cls, "declared", ()))
        declared.setdefault("width_factor", getattr(cls, "width_factor", 1.0))
        _registry.add(ActivationInfo(name=name, cls=cls, **declared))
        return cls

    return add


def unregister(name: str) -> None:
    """Remove an entry and its aliases.

    Raises:
        ActivationError: There is no such entry.
    """
    entry = info(name)
    del _registry.entries[entry.name]
    for alias in entry.aliases:
        del _registry.aliases[alias]


def info(name: str) -> ActivationInfo:
    """Return what is declared about the activation with this name or alias.

    Raises:
        ActivationError: No such name; the message gives the nearest ones.

    Example:
        >>> info("silu").name
        'swish'
        >>> info("swim").derivative_range
        (-0.044331054, 1.044331054)
    """
    if not isinstance(name, str):
        raise ActivationError(f"A name is text; got {name!r}.")
    entry = _registry.find(name)
    if entry is None:
        _registry.load_plugins()
        entry = _registry.find(name)
    if entry is None:
        broken = _registry.broken_plugins.get(normal(name))
        if broken is not None:
            raise ActivationError(f"The package that provides {name!r} could not be loaded: {broken!r}.") from broken
        raise ActivationError(
            f"Unknown activation {name!r}.{did_you_mean(name, _registry.known())} "
            f"Known are {', '.join(_registry.known())}."
        )
    return entry


def registered(cls: type) -> ActivationInfo | None:
    """Return the entry of a class, or None if it is in no entry of its own."""
    return next((entry for entry in _registry.entries.values() if entry.cls is cls), None)


def names(family: Family | None = None, *, learnable: bool | None = None) -> list[str]:
    """Return the canonical names, sorted, third-party entries included.

    Args:
        family: Only this class of the taxonomy.
        learnable: Only entries with (True) or without (False) learnt parameters.

    Raises:
        ActivationError: No such family.

    Example:
        >>> names("ELU-based")
        ['elu', 'selu']
    """
    if family is not None and family not in FAMILIES:
        raise ActivationError(
            f"Unknown family {family!r}.{did_you_mean(family, FAMILIES)} Known are {', '.join(FAMILIES)}."
        )
    _registry.load_plugins()
    return sorted(
        entry.name
        for entry in _registry.entries.values()
        if family in (None, entry.family) and learnable in (None, entry.learnable)
    )


def parse(spec: str | Mapping[str, object] | ActivationSpec) -> ActivationSpec:
    """Return the canonical form of a spec given as text, mapping or `ActivationSpec`; nothing is evaluated.

    Args:
        spec: ``"swim"``, ``"swim(k=0.7)"`` or ``{"name": "swim", "k": 0.7}``.

    Raises:
        ActivationError: Not readable, unknown name, unknown argument or a value that is not allowed.

    Example:
        >>> str(parse({"name": "SiLU"}))
        'swish'
        >>> str(parse("swim( k = 7e-1 )"))
        'swim(k=0.7)'
    """
    if isinstance(spec, str):
        spec = parse_text(spec)
    elif isinstance(spec, Mapping):
        spec = spec_from_mapping(spec)
    elif not isinstance(spec, ActivationSpec):
        raise ActivationError(f"A spec is a name, a call, a mapping, an nn.Module class or a callable; got {spec!r}.")
    entry = info(spec.name)
    return ActivationSpec(entry.name, {key: _allowed(entry, key, value) for key, value in spec.arguments.items()})


def _allowed(entry: ActivationInfo, key: str, value: Value) -> Value:
    declared = [parameter.name for parameter in entry.parameters]
    if key in declared:
        return checked(entry.name, entry.parameters, key, value)
    # nn.Module's own constructor is (*args, **kwargs) and takes none of them.
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    signature = inspect.signature(entry.cls).parameters.values()
    allowed = declared or [given.name for given in signature if given.kind in named and given.name != "features"]
    if key in allowed:
        return value
    takes = f"allowed are {', '.join(allowed)}" if allowed else "it takes none"
    raise ActivationError(
        f"{entry.name} has no argument {key!r} (got {key}={value!r}); {takes}.{did_you_mean(key, allowed)}"
    )


def make(
    spec: Spec,
    features: int | None = None,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> nn.Module:
    """Build one activation.

    Args:
        spec: A name, a call, a mapping, an `nn.Module` class, or a callable ``features -> nn.Module``.
        features: Width of the layer behind which it stands; needed for ``per="unit"``.
        dtype: Of its parameters and buffers, if it has any.
        device: Likewise.

    Returns:
        A new module that maps pre-activations ``(..., features)`` to activations of the same shape.

    Raises:
        ActivationError: See `parse`; or a class that cannot be built without arguments, a callable that returns no
            module, a module instead of a class, a width that is missing.

    Example:
        >>> make("swim(k=0.7)")
        Swim(k=0.7)
        >>> make({"name": "prelu", "per": "unit"}, features=64)
        PReLU(per='unit', features=64)
    """
    module = _build(spec, features)
    return module.to(device=device, dtype=dtype)


def _build(spec: Spec, features: int | None) -> nn.Module:
    if isinstance(spec, nn.Module):
        raise ActivationError(
            f"Got the module {spec!r}; give its class, a name, or a callable features -> nn.Module. "
            "One object in several layers or networks would share its parameters unseen."
        )
    if isinstance(spec, type):
        return _build_class(spec, {}, features)
    if isinstance(spec, str | Mapping | ActivationSpec):
        parsed = parse(spec)
        return _build_class(info(parsed.name).cls, parsed.arguments, features)
    if not callable(spec):
        raise ActivationError(f"A spec is a name, a call, a mapping, an nn.Module class or a callable; got {spec!r}.")
    module = spec(features)
    if not isinstance(module, nn.Module):
        raise ActivationError(f"The callable {spec!r} returned {module!r}, which is no nn.Module.")
    return module


def _build_class(cls: type, arguments: Mapping[str, object], features: int | None) -> nn.Module:
    if not issubclass(cls, nn.Module):
        raise ActivationError(f"The class {cls.__qualname__} is no nn.Module.")
    signature = inspect.signature(cls)
    if "features" in signature.parameters and "features" not in arguments:
        arguments = {**arguments, "features": features}
    try:
        signature.bind(**arguments)
    except TypeError as error:
        raise ActivationError(
            f"{cls.__qualname__} cannot be built from the arguments {dict(arguments)!r}: {error}. "
            "Give a callable features -> nn.Module that supplies them."
        ) from None
    return cls(**arguments)
