"""What Keras' layers can be asked besides: specs, calls without side effects, and what is not to be had here."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, cast

from tconv import _args
from tconv._convert import Array
from tconv.layers.described import Described
from tconv.layers.structure import flat, is_shape, mapped, packed
from tconv.layers.symbolic import SymbolicTensor
from tconv.variable import Variable

if TYPE_CHECKING:
    from tconv.layers.base import Layer


class KerasCalls(Described):
    """The part of a layer that answers Keras' rarer questions."""

    def add_variable(self, *args: Any, **kwargs: Any) -> Variable:
        """`add_weight`, by Keras' other name."""
        return self.add_weight(*args, **kwargs)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the output: `previous_mask`, since no layer here makes one."""
        return previous_mask

    def compute_output_spec(self, inputs: Any, **options: Any) -> Any:
        """The shapes and dtypes of the outputs, as symbolic tensors that belong to no model.

        Args:
            inputs: symbolic tensors or arrays; what a call takes. Only their shapes are looked at.
            options: as for a call; they have no effect on shapes.

        Raises:
            ValueError: the inputs do not fit the layer.

        Example:
            >>> import tconv
            >>> layer = tconv.layers.Conv1DTranspose(8, 2, strides=2, name="up", dtype="mixed_float16")
            >>> layer.compute_output_spec(tconv.layers.Input((5, 3)))
            <SymbolicTensor shape=(None, 10, 8), dtype=float16, name=up>
        """
        for tensor in flat(inputs):
            if not isinstance(getattr(tensor, "shape", None), tuple):
                raise ValueError(f"Layer '{self.name}': inputs have a shape. Received: {_args.show(tensor)}")
        layer = cast("Layer", self)
        shapes = layer.compute_output_shape(mapped(lambda tensor: tensor.shape, inputs))
        leaves = [shapes] if is_shape(shapes) else flat(shapes)
        dtypes = layer._output_dtypes(len(leaves))
        specs = [SymbolicTensor(tuple(shape), dtype, self.name) for shape, dtype in zip(leaves, dtypes)]
        return specs[0] if is_shape(shapes) else packed(shapes, specs)

    def symbolic_call(self, inputs: Any, **options: Any) -> Any:
        """`compute_output_spec`, by the name that it has where Keras calls it."""
        return self.compute_output_spec(inputs, **options)

    def stateless_call(
        self,
        trainable_variables: Sequence[Any],
        non_trainable_variables: Sequence[Any],
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """What a call gives with other values of the variables; the layer itself stays as it is.

        Args:
            trainable_variables: values in the order of `trainable_variables`.
            non_trainable_variables: values in the order of `non_trainable_variables`.
            *args: as for a call.
            return_losses: whether `losses` of that call are returned, too.
            **kwargs: as for a call.

        Returns:
            outputs, and the values of `non_trainable_variables` after the call; with `return_losses` the
            losses as well.

        Raises:
            ValueError: the layer is not built, or a number of values or a shape is another.

        Example:
            >>> import numpy as np, tconv
            >>> layer = tconv.layers.Dense(1)
            >>> layer.build((None, 2))
            >>> layer.stateless_call([np.ones((2, 1)), [0.5]], [], np.ones((1, 2)))[0].tolist()
            [[2.5]]
        """
        if not self.built:
            raise ValueError(
                f"To call stateless_call, {type(self).__name__} must be built (i.e. its variables must have been "
                "already created). You can build it by calling it on some data."
            )
        twin = cast("Layer", copy.deepcopy(self))
        for argument, variables, values in (
            ("trainable_variables", twin.trainable_variables, trainable_variables),
            ("non_trainable_variables", twin.non_trainable_variables, non_trainable_variables),
        ):
            count = _args.count(values)
            if count != len(variables):
                raise ValueError(
                    f"Layer '{self.name}': {argument} must be a sequence of {len(variables)} values. "
                    f"Received: {_args.show(values)}"
                )
            for variable, value in zip(variables, values):
                variable.assign(value.value if isinstance(value, Variable) else value)
        outputs = twin(*args, **kwargs)
        after: list[Array] = [variable.numpy() for variable in twin.non_trainable_variables]
        return (outputs, after, twin.losses) if return_losses else (outputs, after)

    @property
    def metrics(self) -> list[Any]:
        """Nothing: what training measures are losses and functions, see `Model.compile`."""
        return []

    @property
    def metrics_variables(self) -> list[Variable]:
        """Nothing, as there are no `metrics` with variables."""
        return []

    def add_metric(self, *_: Any, **__: Any) -> NoReturn:
        """Raises a NotImplementedError, as in Keras: `compile(metrics=[...])` takes metrics."""
        raise NotImplementedError(
            "Layer `add_metric()` method is deprecated. Give metrics to `compile(metrics=[...])`."
        )

    def rematerialized_call(self, layer_call: Callable[..., Any], *_: Any, **__: Any) -> Callable[..., Any]:
        """`layer_call` itself: a pullback keeps the input and the output, so nothing is to be computed again."""
        return layer_call

    @property
    def quantization_mode(self) -> None:
        """None: layers are not quantized."""
        return None

    def quantize(self, mode: Any = None, **_: Any) -> NoReturn:
        """Raises a NotImplementedError, as Keras' transposed convolutions do."""
        self._not_to_be_had("quantize")

    def quantized_build(self, input_shape: Any, mode: Any = None) -> NoReturn:
        """Raises a NotImplementedError."""
        self._not_to_be_had("quantized_build")

    def quantized_call(self, *_: Any, **__: Any) -> NoReturn:
        """Raises a NotImplementedError."""
        self._not_to_be_had("quantized_call")

    def _not_to_be_had(self, method: str) -> NoReturn:
        raise NotImplementedError(f"Layer {type(self).__name__} does not have a `{method}` method implemented.")
