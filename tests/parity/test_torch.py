"""PyTorch: functional conv_transpose1d/2d/3d and autograd's gradients, in float64."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
import tconv

pytestmark = pytest.mark.filterwarnings("ignore")
torch = pytest.importorskip("torch")
functional = torch.nn.functional
FUNCTIONS = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}


@st.composite
def cases(draw, ranks=(1, 2, 3)):
    rank = draw(st.sampled_from(ranks))

    def each(strategy):
        return tuple(draw(strategy) for _ in range(rank))

    strides, dilation = each(st.integers(1, 4)), each(st.integers(1, 3))
    return {
        "spatial": each(st.integers(1, 6)),
        "kernel": each(st.integers(1, 4)),
        "strides": strides,
        "dilation": dilation,
        "padding": each(st.integers(0, 2)),
        "output_padding": tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(strides, dilation, strict=True)),
        "groups": draw(st.sampled_from([1, 1, 2, 3])),
        "channels": (draw(st.integers(1, 4)), draw(st.integers(1, 4))),
        "batch": draw(st.sampled_from([None, 1, 2])),
        "bias": draw(st.booleans()),
        "seed": draw(st.integers(0, 2**16)),
    }


@given(cases())
def test_values_and_gradients(case):
    rank, groups = len(case["spatial"]), case["groups"]
    random = np.random.default_rng(case["seed"])
    in_channels, out = case["channels"][0] * groups, case["channels"][1]
    shape = (in_channels, *case["spatial"])
    x = random.standard_normal(shape if case["batch"] is None else (case["batch"], *shape))
    weight = random.standard_normal((in_channels, out, *case["kernel"]))
    bias = random.standard_normal(out * groups) if case["bias"] else None
    arguments = {
        "strides": case["strides"],
        "dilation_rate": case["dilation"],
        "groups": groups,
        "data_format": "channels_first",
        **tconv.geometry.from_pytorch(rank, case["padding"], case["output_padding"]),
    }
    kernel = np.moveaxis(weight, (0, 1), (-1, -2))
    tx, tw = torch.tensor(x, requires_grad=True), torch.tensor(weight, requires_grad=True)
    extents = zip(
        case["spatial"], case["kernel"], *(case[n] for n in ("strides", "dilation", "padding", "output_padding"))
    )
    if any((i - 1) * s - 2 * p + d * (k - 1) + op + 1 < 1 for i, k, s, d, p, op in extents):
        with pytest.raises(tconv.ShapeError):
            tconv.conv_transpose(x, kernel, bias, **arguments)
        return
    theirs = FUNCTIONS[rank](
        tx,
        tw,
        None if bias is None else torch.tensor(bias),
        stride=case["strides"],
        padding=case["padding"],
        output_padding=case["output_padding"],
        groups=groups,
        dilation=case["dilation"],
    )
    ours = tconv.conv_transpose(x, kernel, bias, **arguments)
    assert ours.shape == tuple(theirs.shape)
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-10, atol=1e-11)
    dy = random.standard_normal(ours.shape)
    theirs.backward(torch.tensor(dy))
    dx = tconv.conv_transpose_grad_input(dy, kernel, x.shape, **arguments)
    dkernel = tconv.conv_transpose_grad_kernel(x, dy, kernel.shape, **arguments)
    np.testing.assert_allclose(dx, tx.grad.numpy(), rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(dkernel, np.moveaxis(tw.grad.numpy(), (0, 1), (-1, -2)), rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("wanted", [7, 8])
def test_output_size(wanted):
    """PyTorch's output_size, asked for when a module is called."""
    module = torch.nn.ConvTranspose1d(3, 2, 3, stride=2, padding=1)
    x = torch.randn(2, 3, 4)
    with torch.no_grad():
        theirs = module(x, output_size=[wanted]).numpy()
    kernel = np.moveaxis(module.weight.detach().numpy(), (0, 1), (-1, -2))
    arguments = tconv.geometry.from_pytorch(1, 1, output_size=[wanted])
    ours = tconv.conv_transpose(
        x.numpy(), kernel, module.bias.detach().numpy(), strides=2, data_format="channels_first", **arguments
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="valid sizes range from"):
        module(x, output_size=[9])
    arguments = tconv.geometry.from_pytorch(1, 1, output_size=[9])
    with pytest.raises(tconv.ShapeError, match=r"7\.\.8"):
        tconv.conv_transpose(x.numpy(), kernel, strides=2, data_format="channels_first", **arguments)


def test_output_padding_limits_are_pytorchs():
    x, w = torch.ones(1, 1, 4), torch.ones(1, 1, 3)
    for stride, dilation in [(1, 1), (2, 1), (1, 3), (3, 2)]:
        for op in range(5):
            arguments = {"output_padding": op, "strides": stride, "dilation_rate": dilation, "padding": 0}
            try:
                theirs = functional.conv_transpose1d(x, w, stride=stride, dilation=dilation, output_padding=op)
            except RuntimeError:
                with pytest.raises(tconv.ShapeError, match="output_padding"):
                    tconv.conv_transpose(np.ones((1, 4, 1)), np.ones((3, 1, 1)), **arguments)
                continue
            ours = tconv.conv_transpose(np.ones((1, 4, 1)), np.ones((3, 1, 1)), **arguments)
            np.testing.assert_array_equal(ours.ravel(), theirs.numpy().ravel())


@pytest.mark.parametrize(
    "make", [lambda t: t, lambda t: t.flip(1).flip(1), lambda t: t.transpose(1, 2).contiguous().transpose(1, 2)]
)
def test_tensors_are_arrays(make):
    x = make(torch.randn(2, 5, 3))
    y = tconv.conv_transpose(x, torch.ones(3, 4, 3))
    assert type(y) is np.ndarray
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, tconv.conv_transpose(x.numpy(), np.ones((3, 4, 3), np.float32)))


class DLPack:
    """Nothing but what DLPack asks for."""

    def __init__(self, tensor):
        self.__dlpack__ = tensor.__dlpack__
        self.__dlpack_device__ = tensor.__dlpack_device__


@pytest.mark.parametrize("wrap", [lambda t: t, DLPack])
@pytest.mark.parametrize(
    "make",
    [lambda t: t, lambda t: t.transpose(1, 2).contiguous().transpose(1, 2), lambda t: t[:, 1::2], lambda t: t[:0]],
)
def test_tensors_of_bfloat16_are_arrays(make, wrap):
    """NumPy knows no bfloat16, so neither torch's __array__ nor numpy.from_dlpack gives one."""
    x, w = make(torch.randn(2, 5, 3)).bfloat16(), torch.randn(3, 4, 3).bfloat16()
    bfloat16 = tconv.Variable([0.0], dtype="bfloat16").dtype
    y = tconv.conv_transpose(wrap(x), wrap(w), strides=2)
    assert y.dtype == bfloat16
    expected = tconv.conv_transpose(x.float().numpy().astype(bfloat16), w.float().numpy().astype(bfloat16), strides=2)
    np.testing.assert_array_equal(y, expected)


def test_a_tensor_of_bfloat16_lives_as_long_as_its_array():
    tensor = torch.arange(1000.0).bfloat16()
    words = tconv.Variable(tensor).value
    view = tconv._convert.to_array("test", "x", tensor)
    assert np.shares_memory(view.view(np.uint16), tensor.view(torch.int16).numpy())
    assert not view.flags.writeable
    del tensor
    np.testing.assert_array_equal(view, words)


@pytest.mark.parametrize("dtype", [torch.float8_e5m2, torch.complex64])
def test_tensors_of_other_types_are_refused(dtype):
    with pytest.raises(TypeError, match=r"^conv_transpose: x"):
        tconv.conv_transpose(torch.ones(2, 5, 3).to(dtype), np.ones((3, 4, 3), np.float32))


def test_a_tensor_that_requires_grad_is_refused_with_a_reason():
    with pytest.raises((TypeError, ValueError), match=r"^conv_transpose: x"):
        tconv.conv_transpose(torch.ones(2, 5, 3, requires_grad=True), np.ones((3, 4, 3), np.float32))


@pytest.mark.parametrize(
    "name", ["relu", "relu6", "leaky_relu", "elu", "selu", "sigmoid", "tanh", "silu", "softplus", "mish", "gelu"]
)
def test_activations_in_float64(name):
    z = np.linspace(-9, 9, 41)
    extra = {"leaky_relu": {"negative_slope": 0.2}}.get(name, {})
    theirs = (getattr(functional, name, None) or getattr(torch, name))(torch.tensor(z), **extra).numpy()
    np.testing.assert_allclose(tconv.activations.get(name)(z), theirs, rtol=1e-12, atol=1e-13)


def test_the_oracle_itself_agrees_with_pytorch():
    x, w = torch.randn(2, 4, 5, dtype=torch.float64), torch.randn(4, 3, 3, dtype=torch.float64)
    theirs = functional.conv_transpose1d(x, w, stride=2, padding=1, output_padding=1, groups=2).numpy()
    axes = [reference.resolve(5, 3, 2, 1, (1, 1), 1)]
    kernel = np.moveaxis(w.numpy(), (0, 1), (-1, -2))
    ours = reference.forward(x.numpy(), kernel, axes=axes, groups=2, channels_first=True)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
