"""Configs of models and of the layers in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tconv import _args, layers
from tconv._registry import Family, Objects
from tconv.layers.base import Layer
from tconv.models.functional import Functional
from tconv.models.model import Model
from tconv.models.sequential import Sequential

_FAMILY: Family[Layer] = Family(
    "layer",
    "keras.layers",
    (*layers.MEMBERS, Sequential, Functional),
    {**layers.ALIASES, "Model": Functional},  # as old tf.keras has it
    {**layers.MODULES, "Sequential": "keras", "Functional": "keras.src.models.functional"},
)


def serialize(layer: Layer) -> dict[str, Any]:
    """Keras 3's config of a layer or model.

    Example:
        >>> import tconv
        >>> tconv.models.serialize(tconv.Sequential(name="decoder"))["config"]["layers"]
        []
    """
    written: dict[str, Any] = _FAMILY.serialize(layer)
    return {**written, "registered_name": "Functional"} if type(layer) is Functional else written


def clone_model(model: Model) -> Model:
    """A model of the same layers, in the same order, with weights of its own that start anew.

    Args:
        model: a Sequential or functional model; layers of your own in it have `get_config`.

    Raises:
        ValueError: it is not a model, or has no config.

    Example:
        >>> import tconv
        >>> model = tconv.Sequential([tconv.layers.Input((3,)), tconv.layers.Dense(2, name="dense")])
        >>> tconv.models.clone_model(model).weights[0] is model.weights[0]
        False
    """
    if not isinstance(model, (Sequential, Functional)):
        raise ValueError(f"clone_model: model={_args.show(model)} must be a Sequential or functional model.")
    own: dict[str, type[Layer]] = {}
    found: list[Layer] = [model]
    while found:
        layer = found.pop()
        found += layer._sublayers()
        if not type(layer).__module__.startswith("tconv."):
            own[type(layer).__name__] = type(layer)
    clone = deserialize(serialize(model), own)
    assert isinstance(clone, Model)
    return clone


def deserialize(config: Any, custom_objects: Objects | None = None) -> Layer:
    """The layer or model of a config.

    Raises:
        ValueError: the config is not one, or names something that is not known.

    Example:
        >>> import tconv
        >>> tconv.models.deserialize(tconv.models.serialize(tconv.Sequential(name="decoder")))
        Sequential([], name='decoder')
    """
    layer = _FAMILY.deserialize(config, custom_objects)
    if not isinstance(layer, Layer):
        raise ValueError(f"Could not interpret layer identifier: {_args.show(config)}. It is no layer's config.")
    return layer


def unbuilt(entry: Any) -> Any:
    """A layer's config without its own build shape: the model builds it."""
    return {k: v for k, v in entry.items() if k != "build_config"} if isinstance(entry, Mapping) else entry


def model_from_json(json_string: str, custom_objects: Objects | None = None) -> Any:
    """The model that `to_json` of tconv, Keras 3 or tf.keras wrote; built, with new weights, if it says for what shape.

    Optimizer and loss of a compiled Keras model are left aside. Nothing named in the text is imported or executed.

    Args:
        json_string: the text.
        custom_objects: classes and functions of your own, by the name the text gives them.

    Returns:
        A `Sequential` or a functional `Model`.

    Raises:
        ValueError: the text is not JSON, or not a model's, or names something that is not known.

    Example:
        >>> import tconv
        >>> model = tconv.Sequential([tconv.layers.Conv2DTranspose(8, 3, name="up")], name="decoder")
        >>> tconv.models.model_from_json(model.to_json())
        Sequential([Conv2DTranspose(filters=8, kernel_size=(3, 3), name='up')], name='decoder')
    """
    try:
        config = json.loads(json_string)
        model = _FAMILY.deserialize(config, custom_objects) if isinstance(config, dict) else None
    except json.JSONDecodeError as error:
        raise ValueError(f"model_from_json: the text is not JSON: {error}.") from None
    except RecursionError:
        raise ValueError("model_from_json: the text is nested too deeply.") from None
    if not isinstance(model, Model):
        raise ValueError(f"model_from_json: this is not a model: {_args.show(config)}")
    return model
