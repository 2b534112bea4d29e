"""A layer's arguments, made exact. Wrong ones are ValueErrors that say what Keras' say."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from tconv import _args, activations
from tconv import config as _config

F = TypeVar("F", bound=Callable[..., None])


def either_order(init: F) -> F:
    """Lets output_padding and data_format, fifth and sixth, come in either order when they are given by position.

    tf.keras and Keras' 1-D and 2-D layers have output_padding first, Keras' 3-D layer data_format. A string is the
    data_format, anything else the output_padding. By name they are what they are called.
    """

    @functools.wraps(init)
    def ordered(self: Any, *args: Any, **kwargs: Any) -> None:
        if len(args) == 5 and isinstance(args[4], str) and "data_format" not in kwargs:
            kwargs["data_format"] = args[4]
            args = args[:4]
        elif len(args) > 5 and (isinstance(args[4], str) or not (args[5] is None or isinstance(args[5], str))):
            args = (*args[:4], args[5], args[4], *args[6:])
        init(self, *args, **kwargs)

    return ordered  # type: ignore[return-value]


def positive(kind: str, name: str, value: Any) -> int:
    """An integer >= 1; bool is none."""
    number = _integer(value)
    if number is None or number <= 0:
        detail = "" if number is not None else f" (of type {type(value).__name__}, not an integer)"
        expected = "Expected a strictly positive value. Received"
        raise ValueError(f"{kind}: Invalid value for argument `{name}`. {expected} {name}={_args.show(value)}{detail}.")
    return number


def per_axis(kind: str, name: str, value: Any, rank: int, least: int) -> tuple[int, ...]:
    """One integer per axis, each >= `least`, from an integer or a sequence of `rank`."""
    text = f"{kind}: The `{name}` argument must be a tuple of {rank} integers. Received {name}={_args.show(value)}"
    number = _integer(value)
    if number is not None:
        numbers: tuple[int | None, ...] = (number,) * rank
    else:
        count = _args.count(value)
        if count is None:
            raise ValueError(f"{text}.")
        if count != rank:
            raise ValueError(f"{text}, which has {count}.")
        try:
            given = _args.entries(kind, name, value)
        except TypeError as error:
            raise ValueError(f"{text}: {error}") from error
        numbers = tuple(_integer(entry) for entry in given)
        for entry, checked in zip(given, numbers):
            if checked is None:
                raise ValueError(f"{text}, including element {_args.show(entry)} of type {type(entry).__name__}.")
    exact = tuple(entry for entry in numbers if entry is not None)
    low = {entry for entry in exact if entry < least}
    if low:
        legal = "> 0" if least == 1 else f">= {least}"
        raise ValueError(f"{text}, including values {low} that do not satisfy `value {legal}`.")
    return exact


def padding(kind: str, value: Any, rank: int) -> str | tuple[Any, ...]:
    """A mode in lower case, or per axis one crop or one (begin, end).

    "causal" is refused: it has no meaning for a transposed convolution.
    """
    legal = "'valid', 'same', 'same_lower', an integer, or per axis an integer or a pair of them"
    mode = _args.lowered(value)
    if mode is not None:
        if mode not in _args.MODES:
            why = "; causal padding is only supported for convolutions" if mode == "causal" else ""
            received = f"Received: padding={_args.show(value)}"
            raise ValueError(f"{kind}: The `padding` argument must be {legal}{why}. {received}")
        return mode
    try:
        pairs = _args.geometry(
            kind,
            rank,
            strides=1,
            padding=value,
            output_padding=None,
            output_shape=None,
            dilation_rate=1,
            groups=1,
            data_format="channels_last",
        ).crops
    except TypeError as error:
        raise ValueError(str(error)) from None
    return tuple(begin if begin == end else (begin, end) for begin, end in pairs)


def convolution_padding(kind: str, value: Any, rank: int) -> str:
    """A mode of an ordinary convolution in lower case; "causal" is for one axis."""
    modes = ("valid", "same", "causal") if rank == 1 else ("valid", "same")
    mode = _args.lowered(value)
    if mode is None or mode not in modes:
        legal = ", ".join(map(repr, modes))
        raise ValueError(
            f"{kind}: The `padding` argument must be one of {legal}. Received: padding={_args.show(value)}"
        )
    return mode


def data_format(kind: str, value: Any) -> str:
    """One of the two formats in lower case; None is `tconv.config.image_data_format()`, read now."""
    name = _args.lowered(_config.image_data_format() if value is None else value)
    if name not in _args.DATA_FORMATS:
        legal = "{'channels_first', 'channels_last'}"
        received = f"Received: data_format={_args.show(value).strip(chr(39))}"
        raise ValueError(f"{kind}: The `data_format` argument must be one of {legal}. {received}")
    return name


def algorithm(kind: str, value: Any) -> str:
    """How an output is computed, in lower case."""
    name = _args.lowered(value)
    if name is None or name not in _args.ALGORITHMS:
        legal = ", ".join(map(repr, _args.ALGORITHMS))
        raise ValueError(
            f"{kind}: The `algorithm` argument must be one of {legal}. Received: algorithm={_args.show(value)}"
        )
    return name


def named(kind: str, name: str, get: Callable[[Any], Any], value: Any) -> Any:
    """`get(value)`; its errors say which argument of which layer is wrong."""
    try:
        return get(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{kind}: `{name}`: {error}") from error


def boolean(kind: str, name: str, value: Any) -> bool:
    """A bool."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{kind}: Expected `{name}` to be a boolean. Received: {name}={_args.show(value)}")
    return bool(value)


def label(activation: Any) -> Any:
    """A function's name if that is all there is to it, else the function."""
    try:
        written = activations.serialize(activation)
    except ValueError:
        return activation
    return written if isinstance(written, str) else activations.shown(activation)


def _integer(value: Any) -> int | None:
    if isinstance(value, (bool, np.bool_)) or (isinstance(value, np.ndarray) and value.ndim):
        return None
    try:
        return int(operator.index(value))
    except MemoryError:
        raise
    except Exception:  # whatever its own __index__ raises
        return None
