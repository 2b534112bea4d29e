"""The state of training beside the weights: the optimizer's, at Keras' place, and that of random numbers, at ours.

Keras reads the optimizer's and passes over the other: it does not keep where its dropout is.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tconv.layers.base import Layer
from tconv.models import Model
from tconv.saving.entry import INTEGERS, Entry
from tconv.saving.loading import Loading
from tconv.variable import Variable

OPTIMIZER = "optimizer"
RANDOM = "random-state"  # no attribute of a model, which could be a place of layers, has such a name
States = Mapping[str, Mapping[str, Entry]]


def of_training(root: Layer) -> dict[str, tuple[str, Sequence[Variable]]]:
    """Group -> its name and variables, for a compiled model; nothing for others."""
    if not isinstance(root, Model) or root.optimizer is None:
        return {}
    found: dict[str, tuple[str, Sequence[Variable]]] = {OPTIMIZER: (root.optimizer.name, root.optimizer.variables)}
    if states := _random(root):
        found[RANDOM] = ("random_state", states)
    return found


def match(loading: Loading, root: Layer, read: Callable[[], States]) -> None:
    """Takes what a compiled model can go on from; warns where it fits another optimizer."""
    if not isinstance(root, Model) or root.optimizer is None or not loading.fits:
        return
    stored = read()
    entries = stored.get(OPTIMIZER, {})
    if entries:
        root.optimizer.build(root.trainable_weights)
        variables = _fitting(root.optimizer.variables, root.optimizer.slotless, entries)
        if variables is None:
            warnings.warn(
                f"The state of an optimizer in the file does not fit '{root.optimizer.name}', which begins anew.",
                stacklevel=5,
            )
        for number, variable in enumerate(variables or ()):
            loading.take(variable, entries[str(number)], f"{OPTIMIZER}/vars/{number}")
    states, entries = _random(root), stored.get(RANDOM, {})
    if _fitting(states, len(states), entries) is not None:
        for number, variable in enumerate(states):
            loading.take(variable, entries[str(number)], f"{RANDOM}/vars/{number}")


def _random(root: Layer) -> list[Variable]:
    return list({id(state): state for state in root._states()}.values())


def _fitting(variables: Sequence[Variable], before: int, entries: Mapping[str, Entry]) -> Sequence[Variable] | None:
    """The variables that the entries are for: all, or those `before` the first step; None if they are for others."""
    for wanted in (variables, variables[:before]):
        if set(entries) == {str(number) for number in range(len(wanted))} and all(
            entries[str(number)].shape == variable.shape
            and (entries[str(number)].dtype in INTEGERS) == (variable.dtype.kind in "iu")
            for number, variable in enumerate(wanted)
        ):
            return wanted
    return None


def compiled(model: Layer, config: Any, custom_objects: Any) -> None:
    """Compiles a model as a file says, or warns that it cannot be."""
    if not isinstance(model, Model) or not isinstance(config, Mapping) or not config:
        return
    try:
        model.compile_from_config(config, custom_objects)
    except (ValueError, TypeError) as error:
        warnings.warn(f"load_model: the model is not compiled: {error}", stacklevel=4)


def compile_config(model: Layer) -> dict[str, Any]:
    """What a model's config has of `compile`; warns where that cannot be written."""
    if not isinstance(model, Model):
        return {}
    try:
        config = model.get_compile_config()
    except ValueError as error:
        warnings.warn(f"The model is saved without what it was compiled with: {error}", stacklevel=4)
        return {}
    return {} if config is None else {"compile_config": config}
