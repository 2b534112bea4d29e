"""Initializers: distributions, seeds, and what those beyond Keras are for."""

import copy
import pickle
import threading

import numpy as np
import pytest

import reference
import tconv
from tconv import initializers
from tconv.initializers.windows import window

RANDOM = [
    "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling", "GlorotNormal", "GlorotUniform", "HeNormal",
    "HeUniform", "LecunNormal", "LecunUniform", "Orthogonal",
]  # fmt: skip
KERNEL = (3, 3, 8, 512)  # from 512 channels to 8 filters


def quantiles(values, count=15):
    return np.quantile(values, np.linspace(0.02, 0.98, count))


@pytest.mark.parametrize(
    ("initializer", "draw"),
    [
        (initializers.RandomNormal(1.0, 0.5, seed=1), lambda rng, n: rng.normal(1.0, 0.5, n)),
        (initializers.RandomUniform(-1, 3, seed=1), lambda rng, n: rng.uniform(-1, 3, n)),
        (initializers.TruncatedNormal(1.0, 0.5, seed=1), lambda rng, n: 1 + 0.5 * cut(rng, n)),
        (initializers.HeNormal(seed=1), lambda rng, n: np.sqrt(2 / 72) / 0.87962566103423978 * cut(rng, n)),
        (initializers.HeUniform(seed=1), lambda rng, n: np.sqrt(6 / 72) * rng.uniform(-1, 1, n)),
        (
            initializers.VarianceScaling(0.5, "fan_out", "untruncated_normal", seed=1),
            lambda rng, n: np.sqrt(0.5 / 4608) * rng.standard_normal(n),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_whole_distribution(initializer, draw):
    values = initializer(KERNEL, "float64").ravel()
    expected = draw(np.random.default_rng(99), 400_000)
    np.testing.assert_allclose(quantiles(values), quantiles(expected), atol=0.03 * expected.std())
    assert values.min() >= expected.min() - 0.6 * expected.std()
    assert values.max() <= expected.max() + 0.6 * expected.std()


def cut(rng, count):
    """A normal distribution without what is beyond 2."""
    values = rng.standard_normal(2 * count)
    return values[np.abs(values) <= 2][:count]


@pytest.mark.parametrize("name", RANDOM)
def test_a_seed_says_all(name):
    cls = getattr(initializers, name)
    shape = (3, 4, 5)
    first = cls(seed=5)(shape, "float64")
    np.testing.assert_array_equal(cls(seed=5)(shape, "float64"), first)
    np.testing.assert_array_equal(cls(seed=np.int64(5))(shape, "float32"), first.astype("float32"))
    assert not np.array_equal(cls(seed=6)(shape, "float64"), first)
    unseeded = cls()
    np.testing.assert_array_equal(unseeded(shape), unseeded(shape))
    for copied in (copy.deepcopy(unseeded), pickle.loads(pickle.dumps(unseeded))):
        np.testing.assert_array_equal(copied(shape), unseeded(shape))
    assert not np.array_equal(unseeded.clone()(shape), unseeded(shape))
    np.testing.assert_array_equal(cls(seed=5).clone()(shape, "float64"), first)


@pytest.mark.parametrize("name", RANDOM)
def test_a_seed_generator_gives_other_values_each_time(name):
    cls = getattr(initializers, name)

    def three():
        initializer = cls(seed=initializers.SeedGenerator(5))
        return [initializer((3, 4)) for _ in range(3)]

    first = three()
    for a, b in zip(first, three(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[1], first[2])


def test_a_seed_generator_is_shared_by_threads_and_copied_with_its_state():
    seed = initializers.SeedGenerator(1)
    drawn = []
    threads = [
        threading.Thread(target=lambda: drawn.extend(seed.next().integers(2**62) for _ in range(50))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(drawn)) == 200
    for again in (copy.deepcopy(seed), pickle.loads(pickle.dumps(seed))):
        assert again.next().integers(2**62) not in drawn


@pytest.mark.parametrize("seed", [-1, 1.5, True, "1", {"class_name": "Random", "config": {}}, {"seed": 1}])
def test_wrong_seeds(seed):
    with pytest.raises(ValueError, match=r"RandomNormal: seed=.* must be a non-negative integer, a SeedGenerator"):
        initializers.RandomNormal(seed=seed)


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("dtype", ["int32", "bool"])
def test_integers_cannot_be_drawn(name, dtype):
    with pytest.raises(ValueError, match="must be a floating one"):
        getattr(initializers, name)()((2, 2), dtype)


@pytest.mark.parametrize(("shape", "wide"), [((4, 9), True), ((9, 4), False), ((3, 3, 4), False), ((2, 1, 7), True)])
def test_orthogonal(shape, wide):
    q = initializers.Orthogonal(gain=3.0, seed=1)(shape, "float64").reshape(-1, shape[-1])
    product = q @ q.T if wide else q.T @ q
    np.testing.assert_allclose(product, 9 * np.eye(len(product)), atol=1e-12)


def test_orthogonal_matrices_are_drawn_uniformly():
    """Rows of a uniform rotation have mean 0 and variance 1/n; QR alone, without its signs, has not."""
    drawn = np.stack([initializers.Orthogonal(seed=seed)((3, 3), "float64") for seed in range(2000)])
    np.testing.assert_allclose(drawn.mean(0), np.zeros((3, 3)), atol=0.06)
    np.testing.assert_allclose((drawn**2).mean(0), np.full((3, 3), 1 / 3), atol=0.04)


@pytest.mark.parametrize(
    "arguments",
    [
        {"scale": 0}, {"scale": -1.0}, {"scale": float("inf")}, {"mode": "fan"}, {"distribution": "cauchy"},
        {"input_axes": (0,)}, {"transposed_fans": 1}, {"input_axes": [0.5], "output_axes": [1]},
        {"input_axes": [0], "output_axes": [1], "transposed_fans": True},
    ],
    ids=str,
)  # fmt: skip
def test_wrong_arguments_of_variance_scaling(arguments):
    with pytest.raises(ValueError, match=r"^VarianceScaling: .*\.$"):
        initializers.VarianceScaling(**arguments)


def test_axes_that_a_shape_has_not():
    initializer = initializers.VarianceScaling(input_axes=(3,), output_axes=(0,))
    with pytest.raises(ValueError, match=r"axis 3 is none of a weight of shape \(2, 2\)"):
        initializer((2, 2))


@pytest.mark.parametrize("name", ["RandomNormal", "TruncatedNormal"])
def test_a_spread_is_not_negative(name):
    with pytest.raises(ValueError, match="stddev=-1 must be at least 0"):
        getattr(initializers, name)(stddev=-1)


# ------------------------------------------------------------------------------------------------------- constants


@pytest.mark.parametrize(
    ("value", "shape", "dtype", "expected"),
    [
        (3, (2,), "int64", [3, 3]),
        (2**53 + 1, (1,), "int64", [2**53 + 1]),
        (3, (2,), "float32", [3.0, 3.0]),
        (True, (1,), "bool", [True]),
        ([1, 2], (2, 2), "float64", [[1, 2], [1, 2]]),
        (np.float16([[1], [2]]), (2, 2), "float64", [[1, 1], [2, 2]]),
        (np.arange(6).reshape(2, 3), (2, 3), "int8", [[0, 1, 2], [3, 4, 5]]),
        (np.float32(0.5), (), "float32", 0.5),
    ],
)
def test_constants(value, shape, dtype, expected):
    initializer = initializers.Constant(value)
    for made in (initializer, initializers.deserialize(initializers.serialize(initializer))):
        got = made(shape, dtype)
        assert got.dtype == dtype
        np.testing.assert_array_equal(got, expected)


def test_a_constant_copies_its_array_and_gives_new_ones():
    values = np.ones((2, 2))
    initializer = initializers.Constant(values)
    values[:] = 7
    initializer((2, 2))[:] = 8
    np.testing.assert_array_equal(initializer((2, 2)), np.ones((2, 2)))


@pytest.mark.parametrize("value", [None, "1", "x", 1j, object(), [[1], [1, 2]], {"class_name": "Ones"}], ids=str)
def test_wrong_constants(value):
    with pytest.raises(ValueError, match="must be a real number or an array"):
        initializers.Constant(value)


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 2, 3)])
def test_constants_of_another_shape(shape):
    with pytest.raises(ValueError, match="Expected `shape` to be"):
        initializers.Constant(np.ones((3, 2)))(shape)


def test_an_array_in_an_initializers_place_has_exactly_the_shape():
    initializer = initializers.get(np.arange(2.0))
    np.testing.assert_array_equal(initializer((2,)), [0, 1])
    with pytest.raises(ValueError, match="Expected `shape` to be"):
        initializer((2, 2))  # as in Keras; Constant(array) broadcasts


@pytest.mark.parametrize("dtype", ["object", "V1000000000", "U9", "complex64", None, 3, "float128"])
def test_a_config_names_a_plain_dtype(dtype):
    value = {"class_name": "__numpy__", "config": {"value": [1.0], "dtype": dtype}}
    with pytest.raises(ValueError, match="must be one of float16"):
        initializers.deserialize({"class_name": "Constant", "config": {"value": value}})


# ---------------------------------------------------------------------------------------------------- STFT, windows


@pytest.mark.parametrize("side", ["real", "imag"])
@pytest.mark.parametrize("name", [None, "hann", "tukey"])
def test_stft_is_a_fourier_transform(side, name):
    frame, size = 12, 16
    kernel = initializers.STFT(side, name, scaling=None)((frame, 1, size // 2 + 1), "float64")[:, 0]
    signal = np.random.default_rng(0).standard_normal(frame)
    windowed = signal if name is None else signal * window(name, frame, False)
    expected = np.fft.rfft(windowed, size)
    np.testing.assert_allclose(signal @ kernel, expected.real if side == "real" else expected.imag, atol=1e-13)


@pytest.mark.parametrize(
    "arguments",
    [{"side": "both"}, {"window": "unknown"}, {"window": [[1.0]]}, {"window": 3}, {"scaling": "l2"}, {"periodic": 1}],
    ids=str,
)
def test_wrong_arguments_of_stft(arguments):
    with pytest.raises(ValueError, match="STFT: "):
        initializers.STFT(**arguments)
    with pytest.raises(ValueError, match=r"frame length, input channels"):
        initializers.STFT()((4, 3))
    with pytest.raises(ValueError, match=r"shape of `window` must be"):
        initializers.STFT(window=[1, 2, 3])((4, 1, 3))


def test_windows_as_scipy_has_them():
    signal = pytest.importorskip("scipy.signal")
    from tconv.initializers.windows import _ALIASES

    for name in _ALIASES:
        for length in (1, 2, 3, 4, 5, 17, 64, 255):
            for periodic in (True, False):
                ours, theirs = window(name, length, periodic), signal.get_window(name, length, periodic)
                np.testing.assert_allclose(ours, theirs, atol=1e-14, err_msg=f"{name} {length} {periodic}")


# ------------------------------------------------------------------------------------------------- beyond Keras


@pytest.mark.parametrize(
    ("name", "expected"),
    [("HeNormal", 2 / 4608), ("LecunUniform", 1 / 4608), ("GlorotNormal", 2 / 4680), ("VarianceScaling", 1 / 4608)],
)
def test_transposed_fans(name, expected):
    """A transposed convolution sums over its channels: their number is the fan-in."""
    cls = getattr(initializers, name)
    initializer = cls(seed=0, transposed_fans=True)
    assert initializer(KERNEL, "float64").var() == pytest.approx(expected, rel=0.02)
    same = cls(seed=0, input_axes=(0, 1, 3), output_axes=(0, 1, 2))
    np.testing.assert_array_equal(initializer(KERNEL), same(KERNEL))
    assert "transposed_fans" not in cls().get_config()
    assert initializer.clone().transposed_fans


def test_transposed_fans_keep_the_variance_of_an_image():
    """He et al.: behind a ReLU the second moment stays what it was. Keras' fans multiply it by 16."""
    x = np.random.default_rng(3).standard_normal((1, 12, 12, 128)).clip(0).astype(np.float32)
    for transposed, factor in ((True, 1.0), (False, 16.0)):
        initializer = initializers.HeNormal(seed=4, transposed_fans=transposed)
        y = tconv.layers.Conv2DTranspose(8, 3, padding="same", kernel_initializer=initializer)(x)[:, 1:-1, 1:-1]
        assert (y**2).mean() / 2 == pytest.approx(factor * (x**2).mean(), rel=0.15)


def enlarged(initializer, x, strides, **arguments):
    kernel = arguments.pop("kernel_size")
    layer = tconv.layers.ConvNDTranspose(x.ndim - 2, x.shape[-1], kernel, strides, "same", **arguments)
    layer.kernel_initializer = initializer
    return layer(x)


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 3])
def test_bilinear_keeps_planes(stride, rank, groups):
    """Linear interpolation reproduces every linear function, each channel its own, away from the border."""
    extent = 7 if rank < 3 else 5
    grid = np.stack(np.meshgrid(*[np.arange(extent)] * rank, indexing="ij"), -1).astype(np.float64)
    slopes = np.random.default_rng(1).standard_normal((rank, 3))
    x = (grid @ slopes + [1, 2, 3])[None]
    size = 2 * stride - stride % 2
    y = enlarged(initializers.Bilinear(), x, stride, kernel_size=size, groups=groups, dtype="float64")
    fine = (np.arange(extent * stride) + 0.5) / stride - 0.5
    expected = np.stack(np.meshgrid(*[fine] * rank, indexing="ij"), -1) @ slopes + [1, 2, 3]
    inner = (slice(stride, -stride),) * rank
    np.testing.assert_allclose(y[0][inner], expected[inner], atol=1e-12)


@pytest.mark.parametrize(("strides", "size"), [(2, 2), (2, 4), ((2, 3), (4, 3)), (3, 6)])
def test_icnr_has_no_checkerboard(strides, size):
    """All pixels made of one are the same; and the values are the drawn kernel's convolution, enlarged."""
    x = np.random.default_rng(2).standard_normal((2, 5, 6, 3))
    initializer = initializers.ICNR(initializers.RandomNormal(seed=2), strides)
    layer = tconv.layers.Conv2DTranspose(4, size, strides, kernel_initializer=initializer, dtype="float64")
    y = layer(x)
    pair = strides if isinstance(strides, tuple) else (strides, strides)
    boxes = y.reshape(2, y.shape[1] // pair[0], pair[0], y.shape[2] // pair[1], pair[1], 4)
    np.testing.assert_allclose(boxes, np.broadcast_to(boxes[:, :, :1, :, :1], boxes.shape), atol=1e-13)
    small = initializers.RandomNormal(seed=2)(
        (*(n // s for n, s in zip(layer.kernel_size, pair, strict=True)), 4, 3), "float64"
    )
    axes = [reference.resolve(n, k, 1, 1, "valid") for n, k in zip((5, 6), small.shape[:2], strict=True)]
    np.testing.assert_allclose(boxes[:, :, 0, :, 0], reference.forward(x, small, axes=axes), atol=1e-12)


@pytest.mark.parametrize(
    ("make", "shape", "text"),
    [
        (lambda: initializers.ICNR("ones", 2), (3, 4, 4), "must divide the kernel size"),
        (lambda: initializers.ICNR("ones", (2, 2)), (4, 4, 4), "must divide the kernel size"),
        (lambda: initializers.ICNR("ones", 2), (4, 4), "a kernel has the shape"),
        (lambda: initializers.ICNR(lambda shape, dtype=None: np.ones(3)), (4, 4, 4), "gave the shape"),
        (lambda: initializers.Bilinear(), (4, 2, 3), "must be a multiple of the filters"),
        (lambda: initializers.Bilinear(), (4, 4), "a kernel has the shape"),
    ],
)
def test_shapes_that_cannot_be_enlarged(make, shape, text):
    with pytest.raises(ValueError, match=text):
        make()(shape)


def test_a_nested_initializer_is_found_again():
    initializer = initializers.ICNR(initializers.HeUniform(seed=3, transposed_fans=True), (2, 3))
    again = initializers.deserialize(initializers.serialize(initializer))
    np.testing.assert_array_equal(again((4, 3, 2, 2)), initializer((4, 3, 2, 2)))

    class Own(initializers.Initializer):
        def __call__(self, shape, dtype=None):
            return np.full(shape, 9.0, dtype)

    written = initializers.serialize(initializers.ICNR(Own(), 2))
    assert initializers.deserialize(written, {"Own": Own})((2, 1, 1))[0] == 9
    with pytest.raises(ValueError, match="Own"):
        initializers.deserialize(written)
