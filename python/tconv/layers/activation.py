"""An activation function as a layer of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tconv import activations
from tconv._convert import Array
from tconv._registry import Objects
from tconv.layers import arguments
from tconv.layers.base import Layer
from tconv.layers.building import Shape, checked_shape


class Activation(Layer):
    """Applies a function to every element.

    Args:
        activation: a name, a function of `tconv.activations` or any callable.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer` and `input_shape`, as for every layer.

    Raises:
        ValueError: the name is unknown.

    Example:
        >>> Activation("relu")([-1.0, 2.0])
        array([0., 2.], dtype=float32)
    """

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = arguments.named(type(self).__name__, "activation", activations.get, activation)
        self.built = True

    def _sublayers(self) -> Iterator[Layer]:
        return iter(())

    def call(self, inputs: Array) -> Any:
        """`activation(inputs)`."""
        return self.activation(inputs)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """`input_shape`."""
        return checked_shape(self.name, input_shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "activation": activations.serialize(self.activation)}

    def __repr__(self) -> str:
        dtype = "" if self.dtype_policy.name == "float32" else f", dtype={self.dtype_policy.name!r}"
        return f"Activation({arguments.label(self.activation)!r}{dtype}, name={self.name!r})"

    @classmethod
    def _deserialized(cls, config: dict[str, Any], custom_objects: Objects | None) -> dict[str, Any]:
        if isinstance(config["activation"], (str, Mapping)):
            config["activation"] = activations.deserialize(config["activation"], custom_objects)
        return super()._deserialized(config, custom_objects)
