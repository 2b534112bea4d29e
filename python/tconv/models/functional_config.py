"""Writes Keras 3's config of a functional model: layers by name, and which outputs each of their calls takes.

A tensor is written as `[layer's name, which of its calls, which of the call's outputs]`. Calls count from 0; but where
the model's own inputs and outputs are listed, those of a functional model within it count from 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tconv.layers.base import Layer
from tconv.layers.structure import mapped
from tconv.layers.symbolic import Node, SymbolicTensor

if TYPE_CHECKING:
    from tconv.models.functional import Functional


def written(model: Functional) -> dict[str, Any]:
    """The config of a model."""
    from tconv.models.configs import serialize

    calls = calls_of(model)
    numbers = numbered(model)

    def history(tensor: SymbolicTensor) -> list[Any]:
        return [tensor.node.layer.name, numbers[id(tensor.node)], tensor.index]

    def end(tensor: SymbolicTensor) -> list[Any]:
        name, number, index = history(tensor)
        return [name, number + first_end(tensor.node.layer), index]

    def argument(tensor: SymbolicTensor) -> dict[str, Any]:
        config = {"shape": tensor.shape, "dtype": tensor.dtype, "keras_history": history(tensor)}
        return {"class_name": "__keras_tensor__", "config": config}

    entries = []
    for layer in model._layers:
        inbound = [
            {"args": [mapped(argument, node.inputs)], "kwargs": {**node.options, **_mask(node)}}
            for node in calls.get(id(layer), [])
            if node.inputs is not None
        ]
        entries.append({**serialize(layer), "name": layer.name, "inbound_nodes": inbound})
    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": entries,
        "input_layers": mapped(end, model.input),
        "output_layers": mapped(end, model.output),
    }


def calls_of(model: Functional) -> dict[int, list[Node]]:
    """The calls within the model by layer, in the order in which they were made."""
    found: dict[int, Node] = {}
    stack = list(model._outputs) + list(model._inputs)
    while stack:
        node = stack.pop().node
        if id(node) not in found:
            found[id(node)] = node
            stack += node.input_tensors
    calls: dict[int, list[Node]] = {}
    for node in sorted(found.values(), key=lambda node: node.number):
        calls.setdefault(id(node.layer), []).append(node)
    return calls


def numbered(model: Functional) -> dict[int, int]:
    """By identity of a call, which of its layer's it is."""
    return {id(node): number for several in calls_of(model).values() for number, node in enumerate(several)}


def _mask(node: Node) -> dict[str, Any]:
    return {"mask": mapped(lambda _: None, node.inputs)} if node.layer._takes_mask else {}


def first_end(layer: Layer) -> int:
    """The number of a layer's first call in Keras 3's lists of inputs and outputs."""
    from tconv.models.functional import Functional

    return 1 if isinstance(layer, Functional) else 0
