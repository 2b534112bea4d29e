"""Defaults that a call or a layer can do without: Keras' data format, float type and fuzz factor, and the thread count.

A value set here wins; else what ``keras.json`` under ``$KERAS_HOME`` or ``~/.keras`` says when the default is asked
for; else Keras' own default. The file is only ever read.
"""

from __future__ import annotations

import functools
import os
import stat
from types import ModuleType
from typing import Any

__all__ = [
    "epsilon",
    "floatx",
    "get_num_threads",
    "image_data_format",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_num_threads",
]

_DATA_FORMATS = ("channels_first", "channels_last")
_FLOATS = ("bfloat16", "float16", "float32", "float64")

_settings: dict[str, Any] = {}  # what the setters were given: the documented defaults, nothing else
_file: tuple[object, dict[str, Any]] = (None, {})  # (identity of the file last read, its content)


def image_data_format() -> str:
    """The data format that ``data_format=None`` stands for.

    Returns:
        "channels_last" or "channels_first".

    Raises:
        ValueError: keras.json says something else.

    Example:
        >>> import tconv
        >>> tconv.config.set_image_data_format("channels_last")
        >>> tconv.config.image_data_format()
        'channels_last'
    """
    value = _settings.get("image_data_format")
    if value is None:
        value = _keras_json().get("image_data_format", "channels_last")
        if value not in _DATA_FORMATS:
            _args().fail(
                "keras.json",
                f"image_data_format={_args().show(value)} must be one of {', '.join(_DATA_FORMATS)}",
                ValueError,
            )
    return str(value)


def set_image_data_format(data_format: str) -> None:
    """Sets the data format that ``data_format=None`` stands for.

    Args:
        data_format: "channels_last" or "channels_first", in any case.

    Raises:
        ValueError: it is neither.

    Example:
        >>> import tconv
        >>> tconv.config.set_image_data_format("channels_last")
    """
    lower = _args().lowered(data_format)
    if lower not in _DATA_FORMATS:
        shown = _args().show(data_format)
        raise ValueError(
            f"The `data_format` argument must be one of {', '.join(_DATA_FORMATS)}. Received: data_format={shown}"
        )
    _settings["image_data_format"] = lower


def floatx() -> str:
    """The float type used where no argument decides.

    Returns:
        "float16", "bfloat16", "float32" or "float64".

    Raises:
        ValueError: keras.json says something else ("bfloat16" cannot be said there, as in Keras).

    Example:
        >>> import tconv
        >>> tconv.config.floatx()
        'float32'
    """
    value = _settings.get("floatx")
    if value is None:
        value = _keras_json().get("floatx", "float32")
        if value not in _FLOATS[1:]:
            _args().fail(
                "keras.json", f"floatx={_args().show(value)} must be one of {', '.join(_FLOATS[1:])}", ValueError
            )
    return str(value)


def set_floatx(value: str) -> None:
    """Sets the float type used where no argument decides.

    Args:
        value: "float16", "bfloat16", "float32" or "float64".

    Raises:
        ValueError: it is none of these.

    Example:
        >>> import tconv
        >>> tconv.config.set_floatx("float32")
    """
    if not isinstance(value, str) or value not in _FLOATS:
        raise ValueError(f"Unknown `floatx` value: {_args().show(value)}. Expected one of {', '.join(_FLOATS)}.")
    _settings["floatx"] = value


def epsilon() -> float:
    """The fuzz factor that keeps divisions and logarithms away from zero.

    Raises:
        ValueError: keras.json holds something that isn't a positive float.

    Example:
        >>> import tconv
        >>> tconv.config.epsilon()
        1e-07
    """
    value = _settings.get("epsilon")
    if value is None:
        value = _keras_json().get("epsilon", 1e-7)
        if not isinstance(value, float) or not 0 < value < float("inf"):
            _args().fail("keras.json", f"epsilon={_args().show(value)} must be a positive float", ValueError)
    return float(value)


def set_epsilon(value: float) -> None:
    """Sets the fuzz factor.

    Args:
        value: a positive, finite number.

    Raises:
        TypeError: it isn't a number.
        ValueError: it isn't positive and finite.

    Example:
        >>> import tconv
        >>> tconv.config.set_epsilon(1e-7)
    """
    number = _args().number("set_epsilon", "value", value)
    if not 0 < number < float("inf"):
        _args().fail("set_epsilon", f"value={number} must be positive and finite", ValueError)
    _settings["epsilon"] = number


def get_num_threads() -> int:
    """The number of threads that a call without ``num_threads`` uses.

    Returns:
        What set_num_threads was given, else TCONV_NUM_THREADS, else what OpenMP would use.

    Example:
        >>> import tconv
        >>> tconv.get_num_threads() >= 1
        True
    """
    from tconv._build import build_info

    return threads_setting() or int(build_info()["default_threads"])


def set_num_threads(n: int | None) -> None:
    """Sets the number of threads that a call without ``num_threads`` uses. Results do not depend on it.

    Args:
        n: at least 1, or None for the library's own default.

    Raises:
        TypeError: n isn't an integer.
        ValueError: n is below 1.

    Example:
        >>> import tconv
        >>> tconv.set_num_threads(2)
        >>> tconv.get_num_threads()
        2
        >>> tconv.set_num_threads(None)
    """
    if n is None:
        _settings.pop("num_threads", None)
        return
    _settings["num_threads"] = _args().integer("set_num_threads", "n", n, least=1)


def threads_setting() -> int:
    """What set_num_threads was given; 0 for nothing."""
    return int(_settings.get("num_threads", 0))


@functools.lru_cache(maxsize=8)
def _keras_json_path(keras_home: str | None, user: str | None) -> str:
    """Where keras.json is; `user` is what the user's home depends on: finding it takes longer than a small call."""
    return os.path.join(keras_home or os.path.join(os.path.expanduser("~"), ".keras"), "keras.json")


def _keras_json() -> dict[str, Any]:
    """The content of keras.json, parsed again only when the file changes. {} if there is none or it isn't JSON."""
    global _file
    environment = os.environ
    user = environment.get("USERPROFILE" if os.name == "nt" else "HOME")
    path = _keras_json_path(environment.get("KERAS_HOME"), user)
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            return {}
    except (OSError, ValueError):
        return {}
    identity = (path, found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)
    if _file[0] != identity:
        import json

        try:
            with open(path, encoding="utf-8") as file:
                content = json.load(file)
        except (OSError, ValueError, RecursionError):
            content = {}
        _file = (identity, content if isinstance(content, dict) else {})
    return _file[1]


def _args() -> ModuleType:
    """The builder of messages, which itself asks this module for defaults."""
    from tconv import _args

    return _args
