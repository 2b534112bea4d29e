"""A transposed convolution prepared for many inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from tconv import _args, _convert, _core, _problem, activations
from tconv._args import Ints, Paddings, Spec, fail
from tconv._convert import Array
from tconv._problem import Problem
from tconv._schedule import Schedule, Stage

__all__ = ["OPERATION", "Plan"]

OPERATION = "conv_transpose"  # begins the messages of a plan, which is a conv_transpose in two steps


class Plan:
    """A transposed convolution whose kernel is packed and whose arguments are checked once, for many inputs.

    Later changes of `kernel` have no effect. A plan is immutable and may be shared between threads.

    Args:
        kernel: ``(*kernel_size, filters // groups, in)``; its number of axes less 2 is the rank.
        strides: as in conv_transpose.
        padding: as in conv_transpose.
        output_padding: as in conv_transpose.
        output_shape: as in conv_transpose.
        dilation_rate: as in conv_transpose.
        groups: as in conv_transpose.
        data_format: as in conv_transpose.
        activation: as in conv_transpose.
        dtype: the dtype computed in and of the result, "float32", "float64", "float16" or "bfloat16"; None for the
            kernel's own, or the default float type where the kernel holds integers.
        algorithm: as in conv_transpose.

    Attributes:
        dtype: dtype of the results.
        packed_bytes: bytes held by the packed kernel.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: a value out of its range, shapes that do not go together (ShapeError).

    Example:
        >>> import numpy as np, tconv
        >>> plan = tconv.Plan(np.ones((2, 2, 3, 4), np.float32), strides=2)
        >>> plan(np.ones((1, 5, 5, 4), np.float32)).shape
        (1, 10, 10, 3)
        >>> plan.output_shape((None, 5, 5, 4))
        (None, 10, 10, 3)
    """

    __slots__ = (
        "_activation",
        "_algorithm",
        "_alpha",
        "_dtype",
        "_filters",
        "_function",
        "_kernel",
        "_last",
        "_plan",
        "_spec",
        "_wide",
    )

    _plan: _core.Plan
    _last: tuple[tuple[int, ...], int, _core.Run, bool] | None

    def __init__(
        self,
        kernel: ArrayLike,
        *,
        strides: Ints = 1,
        padding: Paddings = "valid",
        output_padding: Ints | None = None,
        output_shape: Ints | None = None,
        dilation_rate: Ints = 1,
        groups: SupportsIndex = 1,
        data_format: str | None = None,
        activation: Any = None,
        dtype: DTypeLike | None = None,
        algorithm: str = "auto",
    ) -> None:
        array = _convert.to_array(OPERATION, "kernel", kernel)
        if dtype is None:
            decided = _convert.common_dtype(OPERATION, [("kernel", array)])
        else:
            decided = _convert.compute_dtype(OPERATION, dtype)
        spec = _problem.exact(
            OPERATION,
            array.shape,
            strides=strides,
            padding=padding,
            output_padding=output_padding,
            output_shape=output_shape,
            dilation_rate=dilation_rate,
            groups=groups,
            data_format=data_format,
        )
        self._prepare(array.shape, decided, spec, activation, _args.algorithm(OPERATION, algorithm))
        self._pack(array)

    def __call__(
        self,
        x: ArrayLike,
        bias: ArrayLike | None = None,
        *,
        out: Array | None = None,
        num_threads: int | None = None,
        once: bool = False,
    ) -> Array:
        """The transposed convolution of `x`.

        Args:
            x: ``(batch, *spatial, in)``, or as the data format says; without batch for a single example.
            bias: ``(filters,)``, or None.
            out: where to write the result: C-contiguous, of its shape and dtype, overlapping no argument.
            num_threads: at least 1; None for the default. The result does not depend on it.
            once: the plan will not be called again for such an `x`, so that algorithm "auto" counts what it takes to
                prepare the weights for this call.

        Raises:
            TypeError: an argument of the wrong type, or whose float dtype is wider than the plan's.
            ValueError: shapes that do not go together (ShapeError), an `out` that cannot be written.
            MemoryError: the result cannot be allocated.
        """
        array = x if type(x) is np.ndarray else _convert.to_array(OPERATION, "x", x)
        offset = bias if bias is None or type(bias) is np.ndarray else _convert.to_array(OPERATION, "bias", bias)
        threads = _args.threads(OPERATION, num_threads)
        dtype = self._dtype
        if array.dtype != dtype:
            self._check_dtype("x", array)
        if offset is not None:
            if offset.dtype != dtype:
                self._check_dtype("bias", offset)
            if offset.shape != (self._filters,):
                self._refuse_bias(offset)
        run = self._run_for(array.shape, threads, bool(once))
        if out is not None:
            _convert.check_out(OPERATION, out, run.y_shape, dtype, [("x", array), ("bias", offset)])
        return self._run(run, array, offset, out)

    def linear(self) -> Plan:
        """This plan without its activation; the two share the packed kernel.

        Example:
            >>> import numpy as np, tconv
            >>> plan = tconv.Plan(np.full((1, 1, 1), -2, np.float32), activation="relu")
            >>> x = np.ones((1, 1, 1), np.float32)
            >>> plan(x).item(), plan.linear()(x).item()
            (0.0, -2.0)
        """
        plan = object.__new__(Plan)
        for name in self.__slots__:
            setattr(plan, name, getattr(self, name))
        plan._activation, plan._alpha, plan._last = "linear", 0.0, None
        plan._function = None if self._wide == self._dtype else activations.linear  # which rounds
        return plan

    def output_shape(self, input_shape: Sequence[SupportsIndex | None]) -> tuple[int | None, ...]:
        """The shape of the result for an input of `input_shape`; None in it is an unknown extent.

        Raises:
            TypeError: not a sequence of integers.
            ShapeError: a shape that does not go with the kernel.
        """
        rank = self._spec.rank
        shape = _args.some_extents(OPERATION, "input_shape", input_shape, (rank + 1, rank + 2))
        return _problem.output_shape(OPERATION, shape, self._kernel[:rank], self._filters, self._kernel[-1], self._spec)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the results."""
        return self._dtype

    @property
    def packed_bytes(self) -> int:
        """Bytes held by the packed kernel."""
        return int(self._plan.packed_bytes)

    def describe(self, input_shape: Sequence[SupportsIndex]) -> str:
        """What will be done for an input of `input_shape`, and why, for people.

        Raises:
            TypeError: not a sequence of integers.
            ShapeError: a shape that does not go with the kernel.
        """
        rank = self._spec.rank
        shape = _args.extents(OPERATION, "input_shape", input_shape, (rank + 1, rank + 2))
        return self._make_run(self._resolve(shape), _args.threads(OPERATION, None), False).describe()

    def schedule(self, input_shape: Sequence[SupportsIndex], num_threads: int | None = None) -> Schedule:
        """How the work for an input of `input_shape` is cut for threads, and the memory that it takes: to measure.

        Args:
            input_shape: the shape of x.
            num_threads: at least 1, more than there are if you like; None for the default.

        Raises:
            TypeError: not a sequence of integers.
            ValueError: num_threads below 1; a shape that does not go with the kernel (ShapeError).

        Example:
            >>> import numpy as np, tconv
            >>> plan = tconv.Plan(np.ones((2, 2, 32, 64), np.float32), strides=2)
            >>> schedule = plan.schedule((1, 64, 64, 64), 16)
            >>> schedule.threads, len(schedule.stages), len(schedule.stages[0].costs) >= 16
            (16, 1, True)
        """
        rank = self._spec.rank
        shape = _args.extents(OPERATION, "input_shape", input_shape, (rank + 1, rank + 2))
        run = self._make_run(self._resolve(shape), _args.threads(OPERATION, num_threads), False)
        working, packed, transformed, workspace, stages = run.schedule()
        units = tuple(Stage(tuple(costs), tuple(read)) for costs, read in stages)
        return Schedule(working, packed, transformed, workspace, units)

    def __copy__(self) -> Plan:
        return self  # immutable

    def __deepcopy__(self, memo: dict[int, Any]) -> Plan:
        return self

    def __repr__(self) -> str:
        spec = self._spec
        return f"Plan(kernel={self._kernel}, strides={spec.strides}, padding={spec.mode!r}, dtype={self._dtype})"

    def _prepare(
        self, kernel: tuple[int, ...], dtype: np.dtype[Any], spec: Spec, activation: Any, algorithm: str
    ) -> None:
        """Everything but the packing."""
        self._kernel = kernel
        self._spec = spec
        self._dtype = dtype
        self._filters = _problem.filters(OPERATION, kernel, spec.groups)
        self._algorithm = algorithm
        self._last = None
        function = _activation(activation)
        fused = activations.fused(function)
        self._function = None if fused else function
        self._activation, self._alpha = fused or ("linear", 0.0)
        # What follows a 16-bit result is applied before it is rounded.
        self._wide = np.dtype(np.float32) if dtype.itemsize == 2 and not fused else dtype

    def _pack(self, kernel: Array) -> None:
        spec = self._spec
        axes = [
            (1, 1, taps, stride, dilation, 0)
            for taps, stride, dilation in zip(self._kernel, spec.strides, spec.dilations, strict=False)
        ]
        self._plan = _core.Plan(
            _convert.storage(_convert.as_dtype(kernel, self._wide)),
            axes=axes,
            groups=spec.groups,
            dtype=_convert.name_of(self._wide),
            channels_first=spec.channels_first,
            isa="best",
            algorithm=_args.ALGORITHMS[self._algorithm],
        )

    def last_run(self, shape: tuple[int, ...]) -> tuple[int, Callable[..., Any]] | None:
        """What the last call used, and for how many threads, if that was for an `x` of `shape` and computed all of the
        result: a function of x, bias and None for arrays of exactly these shapes and `dtype`; None for others.
        """
        last = self._last
        return None if last is None or last[0] != shape or self._function is not None else last[1:3]

    def _resolve(self, shape: tuple[int, ...]) -> Problem:
        return _problem.resolve(OPERATION, ("x", shape), ("kernel", self._kernel), self._spec)

    def _make_run(self, problem: Problem, threads: int, once: bool) -> _core.Run:
        return self._plan.at(
            x_shape=problem.shape,
            y_shape=problem.result,
            dtype=self._wide,
            batch=problem.batched[0],
            axes=problem.axes,
            channels_first=self._spec.channels_first,
            activation=self._activation,
            alpha=self._alpha,
            threads=threads,
            once=once,
        )

    def _run_for(self, shape: tuple[int, ...], threads: int, once: bool) -> _core.Run:
        """What computes for an `x` of `shape`. The last one is remembered: one assignment, so threads may race."""
        last = self._last
        if last is not None and last[0] == shape and last[1] == threads and last[3] == once:
            return last[2]
        run = self._make_run(self._resolve(shape), threads, once)
        self._last = (shape, threads, run, once)
        return run

    def _run(self, run: _core.Run, x: Array, bias: Array | None, out: Array | None) -> Array:
        """Computes; all arguments are checked."""
        wide, function = self._wide, self._function
        direct = None if out is None or function is not None else _convert.exactly(out, wide)
        y = run(x, bias, direct)
        if y is None:  # something has to be converted
            y = run(_convert.exactly(x, wide), None if bias is None else _convert.exactly(bias, wide), direct)
        if function is not None:
            return _applied(function, y, self._dtype, out)
        result: Array = y if out is None else out
        return result

    def _check_dtype(self, name: str, array: Array) -> None:
        decided = _convert.arithmetic(OPERATION, name, array.dtype)
        if decided is None or decided == self._dtype:
            return
        if _convert.promoted(decided, self._dtype) != self._dtype:
            how = f"convert {name}, or make the plan with dtype={_convert.promoted(decided, self._dtype).name!r}"
            fail(OPERATION, f"{name} is {decided} but the plan computes in {self._dtype}; {how}", TypeError)

    def _refuse_bias(self, bias: Array) -> None:
        shapes = f"bias: {bias.shape}, kernel: {self._kernel}"
        fail(OPERATION, f"bias must have the shape ({self._filters},), one number per filter ({shapes})")


def _activation(identifier: Any) -> activations.Activation:
    try:
        return activations.get(identifier)
    except ValueError as error:
        why = " ".join(str(error).split())[:200].rstrip(".")
        fail(OPERATION, f"activation={_args.show(identifier)} is not one ({why})", ValueError, error)


def _applied(function: activations.Activation, y: Array, dtype: np.dtype[Any], out: Array | None) -> Array:
    """`function` of `y`, checked, as `dtype`; in `out` if there is one."""
    result = _convert.to_array(OPERATION, "the activation's result", function(y))
    if result.shape != y.shape:
        fail(OPERATION, f"activation must keep the shape {y.shape}, but gives {result.shape}")
    result = _convert.as_dtype(result, dtype)
    if out is None:
        return result
    np.copyto(out, result)
    return out
