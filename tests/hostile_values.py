"""Objects that lie about themselves, and how they must be refused."""

import numpy as np
import pytest

TYPE_OR_VALUE = (TypeError, ValueError)


class Endless:
    """A sequence of two that never ends when it is iterated over."""

    def __len__(self):
        return 2

    def __getitem__(self, item):
        return self


class Immense(Endless):
    def __len__(self):
        return 2**70


class Negative(Endless):
    def __len__(self):
        return -1


class Unreadable:
    def __getattr__(self, name):
        raise RuntimeError(name)


class Unshowable:
    def __repr__(self):
        return repr(self)


class Text(str):
    def lower(self):
        raise KeyError("lower")


def nested():
    value = []
    for _ in range(100_000):
        value = [value]
    return value


class Fresh(dict):
    """A table that makes its generators anew: whoever reads one leaves nothing for the next."""

    def __getitem__(self, key):
        return (i for i in (1, 2)) if key == "generator" else super().__getitem__(key)


HOSTILE = Fresh(
    {
        "endless": Endless(),
        "immense": Immense(),
        "negative": Negative(),
        "unreadable": Unreadable(),
        "unshowable": Unshowable(),
        "nested": nested(),
        "matrix": np.ones((3, 3)),
        "number": 2.5,
        "text": Text("sam"),
        "long text": "v" * 10**6,
        "set": {1, 2},
        "dictionary": {1: 1, 2: 2},
        "generator": None,
        "missing": NotImplemented,
    }
)


def refused(function, kinds=TYPE_OR_VALUE):
    with pytest.raises(kinds) as caught:
        function()
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 700
    assert not isinstance(caught.value, (UnicodeError, NotImplementedError))
    return message
