"""The problem table and the Hypothesis strategies: problems as data.

A `Problem` holds the arguments as a user would spell them, and knows its arrays and, through the oracle, its answer.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

import reference

try:
    import ml_dtypes

    BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
except ImportError:  # bfloat16 is an extra
    BFLOAT16 = None

DTYPES = ["float32", "float64", "float16", *(["bfloat16"] if BFLOAT16 is not None else [])]


def np_dtype(name):
    return BFLOAT16 if name == "bfloat16" else np.dtype(name)


@dataclasses.dataclass(frozen=True)
class Problem:
    """One call of `conv_transpose`. `batch` None is an unbatched input; `padding` is as a user may write it."""

    spatial: tuple[int, ...]
    kernel_size: tuple[int, ...]
    strides: Any = 1
    padding: Any = "valid"
    output_padding: Any = None
    output_shape: Any = None
    dilation_rate: Any = 1
    batch: int | None = 1
    in_channels: int = 1
    filters: int = 1
    groups: int = 1
    data_format: str | None = "channels_last"
    bias: bool = True
    activation: str | None = None
    dtype: str = "float32"
    integers: bool = False  # small whole numbers, whose sums are exact in any order
    seed: int = 0

    @property
    def rank(self):
        return len(self.spatial)

    @property
    def channels_first(self):
        return self.data_format == "channels_first"

    def per_axis(self, value):
        return [value] * self.rank if value is None or isinstance(value, int) else list(value)

    @property
    def axes(self):
        """The oracle's axes; reference.Illegal where the arguments mean nothing."""
        if isinstance(self.padding, str):
            pads = [self.padding.lower()] * self.rank
        else:
            pads = [(p, p) if isinstance(p, int) else tuple(p) for p in self.per_axis(self.padding)]
        return [
            reference.resolve(*arguments)
            for arguments in zip(
                self.spatial,
                self.kernel_size,
                self.per_axis(self.strides),
                self.per_axis(self.dilation_rate),
                pads,
                self.per_axis(self.output_padding),
                self.per_axis(self.output_shape),
                strict=True,
            )
        ]

    @property
    def is_legal(self):
        try:
            return bool(self.axes)
        except reference.Illegal:
            return False

    @property
    def geometry(self):
        """The geometry arguments that all functions share."""
        names = ("strides", "padding", "output_padding", "output_shape", "dilation_rate", "groups", "data_format")
        return {name: getattr(self, name) for name in names}

    @property
    def oracle(self):
        return {"axes": self.axes, "groups": self.groups, "channels_first": self.channels_first}

    def _shape(self, spatial, channels):
        shape = (channels, *spatial) if self.channels_first else (*spatial, channels)
        return shape if self.batch is None else (self.batch, *shape)

    @property
    def input_shape(self):
        return self._shape(self.spatial, self.in_channels)

    @property
    def output(self):
        return self._shape([a.out for a in self.axes], self.filters)

    @property
    def kernel_shape(self):
        return (*self.kernel_size, self.filters // self.groups, self.in_channels)

    def values(self, shape, salt=0):
        random = np.random.default_rng([self.seed, salt])
        numbers = random.integers(-2, 3, shape) if self.integers else random.standard_normal(shape)
        return np.asarray(numbers, np.float64).astype(np_dtype(self.dtype))

    @property
    def x(self):
        return self.values(self.input_shape, 1)

    @property
    def kernel(self):
        return self.values(self.kernel_shape, 2)

    @property
    def b(self):
        return self.values((self.filters,), 3) if self.bias else None

    @property
    def dy(self):
        return self.values(self.output, 4)

    # -- the oracle's answers: exact value and sum of absolute products, both float64, in the shape of the result

    def _batched(self, array):
        return array[None] if self.batch is None else array

    def _unbatched(self, array):
        return array[0] if self.batch is None else array

    def expected(self):
        x, oracle = self._batched(self.x), self.oracle
        exact = reference.forward(x, self.kernel, self.b, **oracle)
        size = reference.absolute_products(x, self.kernel, self.b, **oracle)
        return self._unbatched(exact), self._unbatched(size)

    def expected_grad_input(self):
        dy, oracle = self._batched(self.dy), self.oracle
        exact = reference.grad_input(dy, self.kernel, **oracle)
        return self._unbatched(exact), self._unbatched(
            reference.absolute_products_grad_input(dy, self.kernel, **oracle)
        )

    def expected_grad_kernel(self):
        x, dy, oracle = self._batched(self.x), self._batched(self.dy), self.oracle
        exact = reference.grad_kernel(x, dy, **oracle)
        return exact, reference.absolute_products_grad_kernel(x, dy, **oracle)

    # -- the number of products behind one element, for error bounds

    @property
    def terms(self):
        taps = math.prod(-(-k // max(1, s)) if d == 1 else k for k, s, d in self._ksd)
        return taps * max(self.in_channels // self.groups, 1) + 1

    @property
    def terms_grad_input(self):
        return math.prod(self.kernel_size) * max(self.filters // self.groups, 1)

    @property
    def terms_grad_kernel(self):
        return math.prod(self.spatial) * (1 if self.batch is None else self.batch)

    @property
    def _ksd(self):
        return zip(self.kernel_size, self.per_axis(self.strides), self.per_axis(self.dilation_rate), strict=True)

    def but(self, **changes):
        return dataclasses.replace(self, **changes)


def error_excess(problem, got, exact, products, terms):
    """The largest error in units of what rounding explains; at most 1 in a correct library."""
    got = np.asarray(got).astype(np.float64)
    assert got.shape == exact.shape
    limit = reference.bound(problem.dtype, exact, products, terms)
    return float(np.max(np.abs(got - exact) / limit, initial=0.0)) if np.isfinite(got).all() else math.inf


def _p(spatial, kernel_size, strides, padding, in_channels, filters, **more):
    return Problem(spatial, kernel_size, strides, padding, in_channels=in_channels, filters=filters, **more)


# The kinds of the benchmark's workloads at small size, and the corners of the geometry.
NAMED: dict[str, Problem] = {
    "docs2d": _p((5, 4), (2, 2), 2, "valid", 16, 8, batch=4),
    "dcgan1": _p((4, 4), (4, 4), 2, 1, 64, 32, batch=3),
    "dcgan2": _p((8, 8), (4, 4), 2, 1, 48, 24, batch=2),
    "dcgan3": _p((9, 7), (4, 4), 2, "same", 17, 33, batch=2),
    "dcgan4": _p((12, 13), (4, 4), 2, 1, 24, 3, batch=2, activation="tanh"),
    "unet_up1": _p((7, 9), (2, 2), 2, 0, 64, 32),
    "unet_up4": _p((33, 31), (2, 2), 2, 0, 16, 8),
    "vae": _p((8, 8), (3, 3), 2, 1, 20, 12, batch=2, output_padding=1),
    "fcn8x": _p((10, 9), (16, 16), 8, 4, 5, 5, bias=False),
    "bilinear_dw": _p((14, 11), (4, 4), 2, 1, 16, 16, groups=16, bias=False),
    "fsrcnn": _p((11, 12), (9, 9), 3, 4, 14, 1),
    "s1k3": _p((13, 14), (3, 3), 1, 1, 32, 32, activation="relu"),
    "dbnet_a": _p((17, 19), (2, 2), 2, 0, 24, 24),
    "dbnet_b": _p((21, 23), (2, 2), 2, 0, 24, 1, activation="sigmoid"),
    "hifigan1": _p((25,), (16,), 8, 4, 64, 32, activation="leaky_relu"),
    "hifigan2": _p((100,), (16,), 8, 4, 32, 16),
    "hifigan3": _p((200,), (4,), 2, 1, 16, 8),
    "hifigan4": _p((401,), (4,), 2, 1, 8, 4),
    "docs3d": _p((4, 3, 5), (2, 2, 2), 2, 0, 16, 8, batch=2),
    "unet3d": _p((6, 7, 8), (2, 2, 2), 2, 0, 16, 8),
    "vnet": _p((5, 4, 6), (3, 3, 3), 2, 1, 16, 8, output_padding=1),
    "gan3d": _p((4, 5, 3), (4, 4, 4), 2, 1, 16, 8, batch=2),
    "gan3d_last": _p((6, 5, 7), (4, 4, 4), 2, 1, 16, 1, activation="tanh"),
    "dilated": _p((12, 11), (3, 3), 1, 0, 16, 16, dilation_rate=2),
    "strided_dil": _p((9, 8), (3, 3), 2, 0, 16, 16, dilation_rate=2),
    "stft": _p((13,), (64,), 16, 24, 66, 1),
    "stride_beyond_kernel": _p((5, 4), (2, 1), (4, 3), "valid", 3, 5),
    "stride_beyond_kernel_same": _p((5, 4), (2, 3), (5, 4), "same", 3, 5),
    "output_padding_zero_even": _p((5, 6), (4, 2), 2, "same", 3, 4, output_padding=0),
    "negative_crop": _p((4, 5), (3, 2), 2, ((-3, 1), (2, -4)), 3, 4),
    "crop_beyond_taps": _p((7,), (2,), 1, ((3, 2),), 3, 2),
    "lower": _p((6, 5), (3, 4), 2, "same_lower", 4, 3),
    "explicit_output": _p((4, 4), (3, 3), 2, "same", 4, 3, output_shape=(7, 8)),
    "explicit_output_beyond_full": _p((4, 3), (2, 2), 3, "valid", 4, 3, output_shape=(12, 9)),
    "multiplier": _p((6, 7), (3, 3), 2, "same", 5, 15, groups=5),
    "reducing_groups": _p((6, 7), (3, 2), 2, "same", 12, 4, groups=4),
    "uneven_groups": _p((5, 6), (3, 3), (2, 1), "valid", 34, 51, groups=17),
    "dilation_and_stride_coprime": _p((7, 6), (3, 4), (2, 3), 1, 3, 4, dilation_rate=(3, 2)),
    "dilation_and_stride_common": _p((7, 6), (3, 4), (4, 6), 0, 3, 4, dilation_rate=(6, 4)),
    "four_axes": _p((3, 2, 4, 3), (2, 3, 1, 2), (2, 1, 3, 2), "same", 3, 4),
    "five_axes": _p((2, 3, 2, 1, 2), (2, 1, 2, 3, 2), (1, 2, 2, 1, 3), "valid", 2, 3),
    "six_axes": _p((2, 1, 2, 2, 1, 2), (2, 2, 1, 2, 1, 2), (2, 1, 2, 1, 3, 2), "valid", 2, 3, groups=1),
    "one_pixel": _p((1, 1), (5, 5), 3, "same", 3, 4),
    "one_tap": _p((5, 6), (1, 1), (3, 1), "same", 3, 4),
    "empty_batch": _p((5, 6), (3, 3), 2, "same", 3, 4, batch=0),
    "empty_extent": _p((0, 6), (3, 3), 2, "valid", 3, 4),
    "no_channels": _p((3, 4), (3, 3), 2, "valid", 0, 4),
    "no_filters": _p((3, 4), (3, 3), 2, "valid", 3, 0),
    "unbatched": _p((5, 6), (3, 3), 2, "same", 3, 4, batch=None),
    "many_filters": _p((6, 7), (3, 3), 2, "same", 8, 130),
    "many_channels": _p((3, 3), (3, 3), 2, "same", 513, 5),
    "long_row": _p((1031,), (5,), 3, "same", 3, 2),
}


# ---------------------------------------------------------------------------------------------------- strategies


def _spelling(draw, values):
    """One number where all axes agree, sometimes; else a tuple or a list."""
    if len(set(values)) == 1 and draw(st.booleans()):
        return values[0]
    return draw(st.sampled_from([tuple, list]))(values)


@st.composite
def problems(draw, *, ranks=(1, 1, 2, 2, 3, 4, 5, 6), dtypes=("float32",), empty=True, unbatched=True, **fixed):
    """Any legal problem. `fixed` sets fields; `empty` allows zero batch, extents and channels."""
    rank = fixed.pop("rank", None) or draw(st.sampled_from(ranks))
    most = {1: 40, 2: 11, 3: 6, 4: 4, 5: 3, 6: 2}[rank]
    taps = {1: 9, 2: 5, 3: 4, 4: 3, 5: 2, 6: 2}[rank]
    least = 0 if empty and draw(st.integers(0, 9)) == 0 else 1

    def each(strategy):
        return [draw(strategy) for _ in range(rank)]

    spatial = each(st.integers(least, most))
    kernel = each(st.integers(1, taps))
    strides = each(st.integers(1, 4))
    dilations = each(st.sampled_from([1, 1, 1, 2, 3]) if draw(st.booleans()) else st.just(1))
    mode = draw(st.sampled_from(["valid", "same", "same_lower", "crop", "pads"]))
    if mode == "crop":
        pads = [(p, p) for p in each(st.integers(0, 3))]
    elif mode == "pads":
        pads = [(draw(st.integers(-3, 4)), draw(st.integers(-3, 4))) for _ in range(rank)]
    else:
        pads = [mode] * rank

    wish = draw(st.sampled_from(["nothing", "nothing", "output_padding", "output_shape"]))
    output_paddings: list[int] | None = None
    output_shape: list[int] | None = None
    if wish == "output_padding":
        output_paddings = [draw(st.integers(0, max(s, d) - 1)) for s, d in zip(strides, dilations, strict=True)]
    arguments = list(zip(spatial, kernel, strides, dilations, pads, strict=True))
    if wish == "output_shape" and min(spatial) > 0:
        legal = [reference.legal_outputs(*a) for a in arguments]
        if all(legal):
            output_shape = [draw(st.sampled_from(choice)) for choice in legal]
    for axis, a in enumerate(arguments):  # too much cropped: uncrop
        try:
            reference.resolve(*a, output_paddings[axis] if output_paddings else None)
        except reference.Illegal:
            if isinstance(a[4], str):
                output_paddings = None
                if a[4] == "valid" or spatial[axis] == 0:
                    continue
            elif output_shape is None:
                pads[axis] = (-1, -1) if spatial[axis] else (-strides[axis], 0)

    padding: Any
    if isinstance(pads[0], str):
        padding = draw(st.sampled_from([pads[0], pads[0].upper(), pads[0].capitalize()]))
    elif all(begin == end for begin, end in pads) and draw(st.booleans()):
        padding = _spelling(draw, [begin for begin, _ in pads])
    else:
        padding = tuple(pads)

    channels = st.sampled_from([1, 1, 2, 3, 4, 5, 8, 15, 16, 17, 33])
    small = st.sampled_from([1, 2, 3, 5])
    grouping = draw(st.sampled_from(["none", "none", "some", "depthwise", "multiplier"]))
    if grouping == "none":
        groups, in_channels, filters = 1, draw(channels), draw(channels)
    elif grouping == "some":
        groups = draw(st.sampled_from([2, 3, 8]))
        in_channels, filters = groups * draw(small), groups * draw(small)
    else:
        groups = in_channels = draw(channels)
        filters = groups * (1 if grouping == "depthwise" else draw(st.integers(2, 3)))
    if empty and draw(st.integers(0, 19)) == 0:
        in_channels = 0
    if empty and draw(st.integers(0, 19)) == 0:
        filters = 0
    batches = [1, 1, 2, 3] + ([None] if unbatched else []) + ([0] if empty else [])

    fields = {
        "spatial": tuple(spatial),
        "kernel_size": tuple(kernel),
        "strides": _spelling(draw, strides),
        "padding": padding,
        "output_padding": None if output_paddings is None else _spelling(draw, output_paddings),
        "output_shape": None if output_shape is None else tuple(output_shape),
        "dilation_rate": _spelling(draw, dilations),
        "batch": draw(st.sampled_from(batches)),
        "in_channels": in_channels,
        "filters": filters,
        "groups": groups,
        "data_format": draw(st.sampled_from(["channels_last", "channels_first"])),
        "bias": draw(st.booleans()),
        "dtype": draw(st.sampled_from(list(dtypes))),
        "seed": draw(st.integers(0, 2**16)),
    }
    problem = Problem(**{**fields, **fixed})
    if not problem.is_legal:  # a fixed field does not fit
        problem = problem.but(padding="valid", output_padding=None, output_shape=None)
    return problem
