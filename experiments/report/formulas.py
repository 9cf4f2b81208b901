"""The formula of an activation spec with the values of its parameters, where the library knows it."""

import rl_acts


def formula(spec: str) -> str | None:
    """f(x) and parameters of a canonical spec; None for an activation that is not registered here.

    >>> formula("swim(k=0.7)")
    'x/2 * (1 + k*x / sqrt(1 + (k*x)^2)), k = 0.7'
    >>> formula("no_such_activation") is None
    True
    """
    # A study may use activations that its own code registered, which a reader of the folder does not have.
    try:
        parsed = rl_acts.parse(spec)
        info = rl_acts.info(parsed.name)
    except rl_acts.ActivationError:
        return None
    values = {**info.defaults, **parsed.arguments}
    learnt = {parameter.name for parameter in info.parameters if parameter.shape is not None}
    parts = [f"{name} learnt from {value}" if name in learnt else f"{name} = {value}" for name, value in values.items()]
    return ", ".join([info.formula, *parts])
