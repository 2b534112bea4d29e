"""Batch normalization."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from tconv import _args, constraints, initializers, regularizers
from tconv._convert import Array
from tconv._registry import real
from tconv.layers import arguments
from tconv.layers.base import Layer
from tconv.layers.building import Shape, calls, checked_shape
from tconv.layers.differentiation import Back, Gradients, trained
from tconv.layers.input_spec import InputSpec
from tconv.ops import sum_to_axis
from tconv.variable import Variable


class BatchNormalization(Layer):
    """`gamma * (x - mean) / sqrt(variance + epsilon) + beta`, channel by channel.

    In training, mean and variance are the batch's, and `moving_mean` and `moving_variance` follow them; else, and
    whenever the layer is not trainable, they are the moving ones. Source: Ioffe and Szegedy, arXiv:1502.03167; the
    signature, names and shapes are Keras 3's.

    Args:
        axis: the axis of the channels.
        momentum: the share of the moving statistics that a call in training keeps.
        epsilon: added to the variance.
        center: whether beta is added.
        scale: whether gamma is multiplied by.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: a name, a config, a
            callable or an array; None for the default.
        beta_regularizer, gamma_regularizer: a penalty in `losses`: a name, a config or a callable.
        beta_constraint, gamma_constraint: a projection after an optimizer's step: a name, a config or a callable.
        renorm, renorm_clipping, renorm_momentum, synchronized: read from Keras' configs; renorm and synchronized must
            be false.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer` and `input_shape`, as for every layer.

    Raises:
        ValueError: an argument is not valid, or not known.

    Example:
        >>> import numpy as np, tconv
        >>> layer = tconv.layers.BatchNormalization(momentum=0.5)
        >>> layer([[1.0], [3.0]], training=True).round(2).ravel().tolist()
        [-1.0, 1.0]
        >>> [float(weight.value[0]) for weight in layer.weights]  # gamma, beta, moving mean, moving variance
        [1.0, 0.0, 1.0, 1.0]
    """

    _objects = (
        *Layer._objects,
        *("beta_initializer", "gamma_initializer", "moving_mean_initializer", "moving_variance_initializer"),
        *("beta_regularizer", "gamma_regularizer", "beta_constraint", "gamma_constraint"),
    )

    _takes_mask = True

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: Any = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        kind = type(self).__name__
        if arguments.boolean(kind, "renorm", renorm) or arguments.boolean(kind, "synchronized", synchronized):
            raise ValueError(f"{kind}: renorm and synchronized are not supported; leave them false.")
        self.renorm, self.renorm_clipping, self.synchronized = False, renorm_clipping, False
        self.renorm_momentum = renorm_momentum
        self.axis = _axis(kind, axis)
        self.momentum = _number(self, "momentum", momentum)
        self.epsilon = _number(self, "epsilon", epsilon)
        self.center = arguments.boolean(kind, "center", center)
        self.scale = arguments.boolean(kind, "scale", scale)
        named = functools.partial(arguments.named, kind)
        given = {"beta": beta_initializer, "gamma": gamma_initializer, "moving_mean": moving_mean_initializer}
        for name, initializer in {**given, "moving_variance": moving_variance_initializer}.items():
            default = "ones" if name in ("gamma", "moving_variance") else "zeros"
            made = named(f"{name}_initializer", initializers.get, default if initializer is None else initializer)
            setattr(self, f"{name}_initializer", made)
        self.beta_regularizer = named("beta_regularizer", regularizers.get, beta_regularizer)
        self.gamma_regularizer = named("gamma_regularizer", regularizers.get, gamma_regularizer)
        self.beta_constraint = named("beta_constraint", constraints.get, beta_constraint)
        self.gamma_constraint = named("gamma_constraint", constraints.get, gamma_constraint)
        self.gamma: Variable | None = None
        self.beta: Variable | None = None
        self.moving_mean: Variable | None = None
        self.moving_variance: Variable | None = None

    def _sublayers(self) -> Iterator[Layer]:
        return iter(())

    # ---- weights

    def build(self, input_shape: Any = None) -> None:
        """Makes gamma, beta and the moving statistics, one number per channel.

        Raises:
            ValueError: the number of channels is not known, or there is no such axis.
        """
        self.compute_output_shape(input_shape)
        channels = input_shape[self.axis]
        if channels is None:
            raise ValueError(
                f"Layer '{self.name}': axis {self.axis} of the inputs must be defined. Received: "
                f"input_shape={input_shape}"
            )
        if self.scale:
            self.gamma = self._add("gamma", channels, self.gamma_regularizer, self.gamma_constraint)
        if self.center:
            self.beta = self._add("beta", channels, self.beta_regularizer, self.beta_constraint)
        self.moving_mean = self._add("moving_mean", channels, trainable=False)
        self.moving_variance = self._add("moving_variance", channels, trainable=False)
        self.input_spec = InputSpec(len(input_shape), len(input_shape), {self.axis: channels})

    def _add(
        self, name: str, channels: int, regularizer: Any = None, constraint: Any = None, trainable: bool = True
    ) -> Variable:
        return self.add_weight(
            (channels,),
            getattr(self, f"{name}_initializer"),
            trainable=trainable,
            regularizer=regularizer,
            constraint=constraint,
            name=name,
        )

    # ---- computing

    def call(self, inputs: Array, training: bool | None = None) -> Array:
        """The normalized inputs. In training the moving statistics are moved."""
        return self._normalized(_wide(inputs), inputs.dtype, self._statistics(inputs, training))

    def _statistics(self, inputs: Array, training: bool | None) -> tuple[Array, Array, Array | None, Array | None]:
        """Mean and 1 / sqrt(variance + epsilon), gamma and beta, one number per channel each."""
        assert self.moving_mean is not None and self.moving_variance is not None  # noqa: PT018
        x = _wide(inputs)
        with self._lock:
            gamma, beta = (None if weight is None else weight.value for weight in (self.gamma, self.beta))
            mean, variance = self.moving_mean.value, self.moving_variance.value
        if training and self.trainable and x.size:
            count = x.size // x.shape[self.axis]
            mean = sum_to_axis(x, self.axis) / x.dtype.type(count)
            variance = sum_to_axis(np.square(x - self._along(mean, x)), self.axis) / x.dtype.type(count)
            self._move(self.moving_mean, mean)
            self._move(self.moving_variance, variance)
        variance = variance.astype(x.dtype, copy=False)
        return mean.astype(x.dtype, copy=False), 1 / np.sqrt(variance + x.dtype.type(self.epsilon)), gamma, beta

    def _move(self, variable: Variable, value: Array) -> None:
        """Moves a moving statistic; within a vjp, that is left to the caller."""
        with self._lock:
            updates = calls.updates
            before = variable.value if updates is None else updates.value(variable)
            after = before.astype(value.dtype) * self.momentum + value * (1 - self.momentum)
            if updates is None:
                variable.assign(after)
            else:
                updates.assign(variable, after.astype(variable.dtype))

    def _along(self, values: Array, x: Array) -> Array:
        """One number per channel, arranged along the channels of x."""
        return values.astype(x.dtype, copy=False).reshape([-1 if n == self.axis % x.ndim else 1 for n in range(x.ndim)])

    def _normalized(self, x: Array, dtype: np.dtype[Any], statistics: tuple[Array, Array, Any, Any]) -> Array:
        mean, inverse, gamma, beta = statistics
        factor = inverse if gamma is None else inverse * gamma.astype(x.dtype, copy=False)
        offset = -mean * factor if beta is None else beta.astype(x.dtype, copy=False) - mean * factor
        outputs = x * self._along(factor, x)
        outputs += self._along(offset, x)
        return outputs.astype(dtype, copy=False)

    def call_vjp(self, inputs: Array, *, training: bool | None = None, input_gradient: bool = True) -> tuple[Any, Back]:
        """The output and its pullback, which keeps the input, and mean and variance."""
        statistics = self._statistics(inputs, training)
        outputs = self._normalized(_wide(inputs), inputs.dtype, statistics)
        of_batch = bool(training and self.trainable and inputs.size)
        gamma, beta = trained(self, self.gamma), trained(self, self.beta)
        source = inputs if of_batch or gamma is not None else None

        def pullback(dy: Array) -> tuple[Array | None, Gradients]:
            mean, inverse, scale, _ = statistics
            wide = _wide(dy)
            sum_dy = sum_to_axis(wide, self.axis)
            dgamma = None
            if source is not None:
                centered = _wide(source) - self._along(mean, wide)
                dgamma = sum_to_axis(wide * centered, self.axis) * inverse
            gradients = []
            if gamma is not None and dgamma is not None:
                gradients.append((gamma, dgamma))
            if beta is not None:
                gradients.append((beta, sum_dy))
            if not input_gradient:
                return None, gradients
            factor = inverse if scale is None else inverse * scale.astype(wide.dtype, copy=False)
            dx = wide
            if of_batch and dgamma is not None:
                share = wide.dtype.type(wide.shape[self.axis]) / wide.dtype.type(wide.size)
                dx = wide - self._along(sum_dy * share, wide) - centered * self._along(dgamma * inverse * share, wide)
            return (dx * self._along(factor, wide)).astype(dy.dtype, copy=False), gradients

        return outputs, pullback

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """`input_shape`.

        Raises:
            ValueError: it has no such axis.
        """
        shape = checked_shape(self.name, input_shape)
        if not -len(shape) <= self.axis < len(shape):
            raise ValueError(f"Axis {self.axis} is out of bounds for input shape {shape}. Received: axis={self.axis}")
        return shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, with Keras' keys in Keras' order."""
        config = {name: getattr(self, name) for name in ("axis", "momentum", "epsilon", "center", "scale")}
        for name in ("beta", "gamma", "moving_mean", "moving_variance"):
            config[f"{name}_initializer"] = initializers.serialize(getattr(self, f"{name}_initializer"))
        for name in ("beta_regularizer", "gamma_regularizer"):
            config[name] = regularizers.serialize(getattr(self, name))
        for name in ("beta_constraint", "gamma_constraint"):
            config[name] = constraints.serialize(getattr(self, name))
        rest = {"synchronized": False, "renorm": False, "renorm_clipping": self.renorm_clipping}
        return {**super().get_config(), **config, **rest, "renorm_momentum": self.renorm_momentum}


def _wide(array: Array) -> Array:
    return array.astype(np.float32) if array.dtype.itemsize == 2 else array


def _axis(kind: str, value: Any) -> int:
    """An integer; tf.keras writes a list of one."""
    if isinstance(value, (list, tuple)) and len(value) == 1:
        (value,) = value
    try:
        return _args.integer(kind, "axis", value)
    except TypeError as error:
        raise ValueError(str(error)) from None


def _number(layer: Layer, name: str, value: Any) -> float:
    try:
        return float(real(layer, name, value))
    except TypeError as error:
        raise ValueError(str(error)) from None
