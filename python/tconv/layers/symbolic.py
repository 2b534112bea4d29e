"""Symbolic tensors: shapes and dtypes without values, and the calls that make them. A `Model` is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tconv import _args
from tconv.layers.structure import flat, is_shape, mapped, packed

if TYPE_CHECKING:
    from tconv.layers.base import Layer
    from tconv.layers.building import Shape


class SymbolicTensor:
    """What a layer gives when it is called on an `Input` or on what another layer gave for one.

    Attributes:
        shape: its extents, batch first; None for one that is not known.
        dtype: the name of its dtype.
        name: the name of an input, or of the layer that makes it.

    Example:
        >>> from tconv import layers
        >>> layers.Conv2DTranspose(8, 2, strides=2, name="up")(layers.Input((4, 4, 3)))
        <SymbolicTensor shape=(None, 8, 8, 8), dtype=float32, name=up>
    """

    __slots__ = ("dtype", "index", "name", "node", "shape")
    __array_ufunc__ = None  # arithmetic with arrays is a TypeError, too
    node: Node
    index: int

    def __init__(self, shape: Shape, dtype: str, name: str) -> None:
        self.shape = shape
        self.dtype = dtype
        self.name = name

    @property
    def ndim(self) -> int:
        """The number of its axes."""
        return len(self.shape)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(f"{self!r} has no values: give it to layers, and make a tconv.Model of what comes out.")

    def __iter__(self) -> Any:
        raise TypeError(f"{self!r} cannot be iterated over.")

    def __bool__(self) -> bool:
        raise TypeError(f"{self!r} is neither true nor false: it has no values.")

    def __repr__(self) -> str:
        return f"<SymbolicTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"


class Node:
    """One call of a layer on symbolic tensors.

    Attributes:
        layer: what was called.
        inputs: what it was called on: a symbolic tensor, or a list, tuple or dictionary of them; None for an Input.
        options: the call's other arguments.
        outputs: what it gave, arranged as the layer gives it.
        number: how many calls of the layer came before.
    """

    __slots__ = ("inputs", "layer", "number", "options", "outputs")

    def __init__(self, layer: Layer, inputs: Any, options: Mapping[str, Any], outputs: Any) -> None:
        self.layer = layer
        self.inputs = inputs
        self.options = dict(options)
        self.outputs = outputs
        for index, tensor in enumerate(flat(outputs)):
            tensor.node, tensor.index = self, index
        with layer._lock:
            self.number = len(layer._nodes)
            layer._nodes.append(self)

    @property
    def input_tensors(self) -> list[SymbolicTensor]:
        """What the call takes; nothing for an Input."""
        return [] if self.inputs is None else flat(self.inputs)


def is_symbolic(inputs: Any) -> bool:
    """Whether there is a symbolic tensor among the inputs of a call."""
    if isinstance(inputs, (list, tuple, dict)):
        return any(isinstance(value, SymbolicTensor) for value in flat(inputs))
    return isinstance(inputs, SymbolicTensor)


def symbolic_call(layer: Layer, inputs: Any, options: Mapping[str, Any]) -> Any:
    """What `layer` gives for symbolic inputs; it is built if that is still to do.

    Raises:
        ValueError: the inputs do not fit the layer, or only some of them are symbolic.
        TypeError: the layer does not take one of the options.
        NotImplementedError: the layer has no compute_output_shape.
    """
    inputs = layer._arranged(inputs)
    if not all(isinstance(tensor, SymbolicTensor) for tensor in flat(inputs)):
        raise ValueError(f"Layer '{layer.name}': all inputs must be symbolic, or none. Received: {_args.show(inputs)}")
    options = layer._call_options.completed(layer.name, options)
    shapes = mapped(lambda tensor: tensor.shape, inputs)
    layer._check_input(shapes)
    with layer._lock:
        if not layer.built:
            layer.build(shapes)
    layer._check_input(shapes)
    return node_of(layer, inputs, options, layer.compute_output_shape(shapes)).outputs


def node_of(layer: Layer, inputs: Any, options: Mapping[str, Any], shapes: Any) -> Node:
    """The record of a call that gives outputs of `shapes`."""
    leaves = [shapes] if is_shape(shapes) else flat(shapes)
    tensors = [
        SymbolicTensor(tuple(shape), dtype, layer.name)
        for shape, dtype in zip(leaves, layer._output_dtypes(len(leaves)))
    ]
    return Node(layer, inputs, options, tensors[0] if is_shape(shapes) else packed(shapes, tensors))
