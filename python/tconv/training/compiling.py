"""What a model is told: what it is compiled with, as configs; and its data, as arrays or streams."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tconv import _args, _convert, losses, optimizers
from tconv._registry import Objects
from tconv.optimizers import Optimizer
from tconv.training.data import Batch, is_stream, structured

_ARGUMENTS = ("loss", "loss_weights", "metrics")
_NO_MATTER = ("run_eagerly", "steps_per_execution", "jit_compile", "auto_scale_loss")  # how Keras runs, not what


def output_names(model: Any) -> Sequence[str] | None:
    """The names of a model's outputs, flat; None where they are not known before the first batch."""
    names = getattr(model, "output_names", None)
    if names is None:
        return ["output"] if type(model).__name__ == "Sequential" else None
    return sorted(model.output) if isinstance(model.output, Mapping) else list(names)


def written(optimizer: Optimizer, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Keras' config of what a model was compiled with."""
    config = {"optimizer": optimizers.serialize(optimizer)}
    config.update({name: _mapped(arguments[name], _serialized) for name in _ARGUMENTS})
    return {**config, "weighted_metrics": None}


def read(config: Mapping[str, Any], custom_objects: Objects | None) -> dict[str, Any]:
    """What `compile` takes, from Keras' config.

    Raises:
        ValueError: something in it is not known.
    """
    if not isinstance(config, Mapping):
        raise ValueError(f"compile_from_config: a config is a dictionary, not {_args.show(config)}.")
    unknown = sorted(set(map(str, config)) - {"optimizer", "weighted_metrics", *_ARGUMENTS, *_NO_MATTER})
    if unknown or config.get("weighted_metrics"):
        raise ValueError(f"compile_from_config: {unknown or ['weighted_metrics']} cannot be compiled with.")
    if not isinstance(config.get("optimizer"), (str, Mapping)):
        raise ValueError("compile_from_config: there is no optimizer.")

    def made(entry: Any) -> Any:
        return losses.deserialize(entry, custom_objects) if isinstance(entry, Mapping) else entry

    found = {name: _mapped(config.get(name), made) for name in _ARGUMENTS}
    return {"optimizer": optimizers.deserialize(config["optimizer"], custom_objects), **found}


def _serialized(entry: Any) -> Any:
    return losses.serialize(entry) if callable(entry) else entry


def _mapped(given: Any, function: Callable[[Any], Any]) -> Any:
    """`function` of every entry of nested lists and dictionaries, the config of an object being an entry."""
    if isinstance(given, Mapping) and "class_name" not in given:
        return {name: _mapped(entry, function) for name, entry in given.items()}
    return [_mapped(entry, function) for entry in given] if isinstance(given, (list, tuple)) else function(given)


def gathered(model: Any, what: str, x: Any, y: Any, weight: Any, one: bool = False) -> Any:
    """Arrays as a `Batch`, or an iterable of batches.

    Args:
        model: what takes them.
        what: the operation, for errors.
        x: inputs, as the user gave them.
        y: targets, likewise.
        weight: factors of the examples, likewise.
        one: whether it must be one batch.

    Raises:
        ValueError: there is nothing, or something too much.
        TypeError: an array does not hold real numbers.
    """
    if x is None:
        raise ValueError(f"{what}: there is no x.")
    listed = isinstance(x, list) and bool(x) and all(isinstance(entry, tuple) for entry in x)
    if not one and (is_stream(x) or (y is None and listed)):
        if y is not None or weight is not None:
            raise ValueError(f"{what}: x gives batches, which have their own targets and weights.")
        return x
    if y is None:
        raise ValueError(f"{what}: there are no targets y; give them, or an iterable of batches (x, y) as x.")
    names = output_names(model)
    several = not isinstance(y, tuple) if names is None else len(names) > 1
    if names is None and isinstance(y, list):
        several = all(hasattr(entry, "shape") for entry in y)
    return Batch(
        model._as_arrays(x),
        structured(what, "y", y, several),
        None if weight is None else _convert.to_array(what, "sample_weight", weight),
    )


def validation(model: Any, given: Any) -> Any:
    """`validation_data` as a `Batch`, or an iterable of batches."""
    if isinstance(given, tuple):
        if not 2 <= len(given) <= 3:
            raise ValueError(f"fit: validation_data is (x, y) or (x, y, sample_weight), not a tuple of {len(given)}.")
        return gathered(model, "fit: validation_data", *given, *[None] * (3 - len(given)))
    return gathered(model, "fit: validation_data", given, None, None)
