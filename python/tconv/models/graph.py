"""From symbolic tensors to layers in Keras' order and steps in the order of computing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tconv.layers.base import Layer
from tconv.layers.input_layer import InputLayer
from tconv.layers.structure import flat, mapped, packed
from tconv.layers.symbolic import Node, SymbolicTensor


class Step(NamedTuple):
    """One call of a layer: which numbered values it takes, and which it makes."""

    layer: Layer
    inputs: Any  # a number, or a list, tuple or dictionary of numbers
    options: Mapping[str, Any]
    outputs: tuple[int, ...]
    released: tuple[int, ...]  # values that no later step takes


class Program(NamedTuple):
    """What a functional model computes, without symbolic tensors."""

    steps: tuple[Step, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    size: int  # how many values there are


def nodes_between(
    name: str, inputs: Sequence[SymbolicTensor], outputs: Sequence[SymbolicTensor]
) -> tuple[list[Node], list[Layer]]:
    """The calls that lead from `inputs` to `outputs`, each after those that it needs; and the layers in the order in
    which a walk from the outputs meets them.

    Raises:
        ValueError: the outputs depend on something that is not among the inputs.
    """
    given = set(map(id, inputs))
    finished: list[Node] = []
    met: dict[int, Layer] = {}
    seen: set[int] = set()
    for output in outputs:
        stack = [(output, False)]
        while stack:
            tensor, done = stack.pop()
            node = tensor.node
            if done:
                finished.append(node)
                continue
            if id(node) in seen:
                continue
            seen.add(id(node))
            met.setdefault(id(node.layer), node.layer)
            stack.append((tensor, True))
            if id(tensor) in given:
                continue
            if node.inputs is None:
                raise ValueError(f"Model '{name}': the outputs depend on '{tensor.name}', which is not among `inputs`.")
            stack += [(before, False) for before in reversed(node.input_tensors)]
    return finished, list(met.values())


def keras_order(inputs: Sequence[SymbolicTensor], nodes: Sequence[Node], met: Sequence[Layer]) -> list[Layer]:
    """The layers as Keras lists them: those that are furthest from the outputs first.

    A layer's depth is the longest way from one of its calls to the outputs. Among layers of one depth, the walk from
    the outputs decides. Inputs that nothing depends on come before the layers of the last step.
    """
    inside = set(map(id, nodes))
    of_node: dict[int, int] = {}
    of_layer: dict[int, int] = {}
    for node in reversed(nodes):
        depth = max(of_node.get(id(node), 0), of_layer.get(id(node.layer), 0))
        of_node[id(node)] = of_layer[id(node.layer)] = depth
        for tensor in node.input_tensors:
            if id(tensor.node) in inside:
                of_node[id(tensor.node)] = max(depth + 1, of_node.get(id(tensor.node), 0))
    layers = {id(layer): layer for layer in met}
    turn = {key: number for number, key in enumerate(layers)}
    for tensor in inputs:
        layer = tensor.node.layer
        if id(layer) not in layers:
            layers[id(layer)], of_layer[id(layer)], turn[id(layer)] = layer, 0, -1
    return sorted(layers.values(), key=lambda layer: (-of_layer[id(layer)], turn[id(layer)]))


def rerouted(
    name: str, inputs: Sequence[SymbolicTensor], outputs: Sequence[SymbolicTensor]
) -> tuple[list[SymbolicTensor], list[SymbolicTensor]]:
    """The same model from inputs of its own, where `inputs` are what layers gave: every call is recorded once more.

    Raises:
        ValueError: the outputs depend on something that is not among the inputs.
    """
    if all(tensor.node.inputs is None for tensor in inputs):
        return list(inputs), list(outputs)
    nodes, _ = nodes_between(name, inputs, outputs)
    renamed: dict[int, SymbolicTensor] = {}
    for tensor in inputs:
        own = tensor.node.inputs is None
        renamed[id(tensor)] = tensor if own else InputLayer(batch_shape=tensor.shape, dtype=tensor.dtype).output
    for node in nodes:
        if node.inputs is None or any(id(tensor) in renamed for tensor in flat(node.outputs)):
            continue
        copies = [SymbolicTensor(tensor.shape, tensor.dtype, tensor.name) for tensor in flat(node.outputs)]
        taken = mapped(lambda tensor: renamed.get(id(tensor), tensor), node.inputs)
        Node(node.layer, taken, node.options, packed(node.outputs, copies))
        renamed.update((id(tensor), copy) for tensor, copy in zip(flat(node.outputs), copies))
    return [renamed[id(tensor)] for tensor in inputs], [renamed[id(tensor)] for tensor in outputs]


def program_of(inputs: Sequence[SymbolicTensor], outputs: Sequence[SymbolicTensor], nodes: Sequence[Node]) -> Program:
    """The steps of the calls `nodes`."""
    numbers: dict[int, int] = {}
    for tensor in [*inputs, *(tensor for node in nodes for tensor in flat(node.outputs))]:
        numbers.setdefault(id(tensor), len(numbers))
    calls = [node for node in nodes if node.inputs is not None]
    last: dict[int, int] = {}
    for turn, node in enumerate(calls):
        for tensor in (*node.input_tensors, *flat(node.outputs)):
            last[numbers[id(tensor)]] = turn
    kept = {numbers[id(tensor)] for tensor in outputs}
    released: dict[int, list[int]] = {}
    for number, turn in last.items():
        if number not in kept:
            released.setdefault(turn, []).append(number)
    steps = tuple(
        Step(
            node.layer,
            mapped(lambda tensor: numbers[id(tensor)], node.inputs),
            node.options,
            tuple(numbers[id(tensor)] for tensor in flat(node.outputs)),
            tuple(released.get(turn, ())),
        )
        for turn, node in enumerate(calls)
    )
    return Program(
        steps,
        tuple(numbers[id(tensor)] for tensor in inputs),
        tuple(numbers[id(tensor)] for tensor in outputs),
        len(numbers),
    )


def checked_names(name: str, layers: Sequence[Layer]) -> None:
    """Raises ValueError if two layers have one name."""
    names = [layer.name for layer in layers]
    for one in names:
        if names.count(one) > 1:
            raise ValueError(
                f"Model '{name}': The name \"{one}\" is used {names.count(one)} times in the model. All layer names "
                "should be unique."
            )
