"""Double backward: the three functions are each other's derivatives, as PyTorch's autograd finds them in float64."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tconv

pytestmark = pytest.mark.filterwarnings("ignore")
torch = pytest.importorskip("torch")
functional = torch.nn.functional
FUNCTIONS = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}


@st.composite
def cases(draw):
    rank = draw(st.sampled_from((1, 2, 2, 3)))

    def each(strategy):
        return tuple(draw(strategy) for _ in range(rank))

    kernel, strides, dilation = each(st.integers(1, 4)), each(st.integers(1, 3)), each(st.integers(1, 2))
    groups = draw(st.sampled_from((1, 1, 2, 3)))
    return {
        "groups": groups,
        "x": (draw(st.integers(1, 2)), draw(st.integers(1, 4)) * groups, *each(st.integers(2, 5))),
        "filters": draw(st.integers(1, 3)),
        "kernel": kernel,
        "strides": strides,
        "dilation": dilation,
        "padding": tuple(draw(st.integers(0, (k - 1) * d // 2)) for k, d in zip(kernel, dilation, strict=True)),
        "output_padding": tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(strides, dilation, strict=True)),
        "seed": draw(st.integers(0, 2**16)),
    }


class Setting:
    """A case with its numbers, ours and PyTorch's: x, weight, and cotangents of the result, of x and of the weight."""

    def __init__(self, case):
        rank, groups = len(case["kernel"]), case["groups"]
        random = np.random.default_rng(case["seed"])
        self.x = random.standard_normal(case["x"])
        self.weight = random.standard_normal((case["x"][1], case["filters"], *case["kernel"]))
        self.arguments = {
            "strides": case["strides"],
            "dilation_rate": case["dilation"],
            "groups": groups,
            "data_format": "channels_first",
            **tconv.geometry.from_pytorch(rank, case["padding"], case["output_padding"]),
        }
        self.theirs = {name: case[name] for name in ("padding", "output_padding", "groups", "dilation")}
        self.theirs["stride"] = case["strides"]
        self.function = FUNCTIONS[rank]
        self.dy = random.standard_normal(self.forward(self.x, kernel_of(self.weight)).shape)
        self.v = random.standard_normal(self.x.shape)
        self.u = random.standard_normal(self.weight.shape)

    def forward(self, x, kernel):
        return tconv.conv_transpose(x, kernel, **self.arguments)

    def grad_input(self, dy, kernel):
        return tconv.conv_transpose_grad_input(dy, kernel, self.x.shape, **self.arguments)

    def grad_kernel(self, x, dy):
        return tconv.conv_transpose_grad_kernel(x, dy, kernel_of(self.weight).shape, **self.arguments)

    def grad_grad(self, v, u):
        return tconv.conv_transpose_grad_grad(self.x, kernel_of(self.weight), self.dy, v, u, **self.arguments)

    def tensors(self, *arrays):
        return [torch.tensor(array, requires_grad=True) for array in arrays]


def kernel_of(weight):
    return np.moveaxis(weight, (0, 1), (-1, -2))


def agree(ours, theirs):
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-9, atol=1e-10 * float(theirs.abs().max() + 1))


@given(cases())
def test_the_functions_are_each_others_derivatives(case):
    """<v, grad_input(dy, k)> = <conv_transpose(v, k), dy> = <k, grad_kernel(v, dy)>, linear in dy and in k."""
    s = Setting(case)
    x, weight, dy = s.tensors(s.x, s.weight, s.dy)
    dx, dweight = torch.autograd.grad(s.function(x, weight, **s.theirs), (x, weight), dy, create_graph=True)
    kernel, v, u = kernel_of(s.weight), s.v, kernel_of(s.u)

    by_weight, by_dy = torch.autograd.grad(dx, (weight, dy), torch.tensor(v), retain_graph=True)
    agree(s.forward(v, kernel), by_dy)
    agree(np.moveaxis(s.grad_kernel(v, s.dy), (-1, -2), (0, 1)), by_weight)

    by_x, by_dy = torch.autograd.grad(dweight, (x, dy), torch.tensor(s.u))
    agree(s.forward(s.x, u), by_dy)
    agree(s.grad_input(s.dy, u), by_x)


@given(cases(), st.booleans(), st.sampled_from(["both", "dx", "dkernel"]))
def test_double_backward(case, channels_last, given_ones):
    """All gradients of <v, dx> + <u, dkernel>, and of either alone."""
    s = Setting(case)
    x, weight, dy = s.tensors(s.x, s.weight, s.dy)
    firsts = torch.autograd.grad(s.function(x, weight, **s.theirs), (x, weight), dy, create_graph=True)
    some = {"both": slice(None), "dx": slice(1), "dkernel": slice(1, None)}[given_ones]
    cotangents = [torch.tensor(array) for array in (s.v, s.u)][some]
    theirs = torch.autograd.grad(firsts[some], (x, weight, dy), cotangents, allow_unused=True)

    v, u = (None if given_ones == "dkernel" else s.v), (None if given_ones == "dx" else kernel_of(s.u))
    if channels_last:
        s.arguments["data_format"] = "channels_last"
        s.x, s.dy, v = (None if array is None else np.moveaxis(array, 1, -1) for array in (s.x, s.dy, v))
    by_x, by_kernel, by_dy = s.grad_grad(v, u)
    if channels_last:
        by_x, by_dy = (None if array is None else np.moveaxis(array, -1, 1) for array in (by_x, by_dy))
    by_weight = None if by_kernel is None else np.moveaxis(by_kernel, (-1, -2), (0, 1))
    for ours, other in zip((by_x, by_weight, by_dy), theirs, strict=True):
        assert (ours is None) == (other is None)
        if ours is not None:
            agree(ours, other)


@given(cases(), st.sampled_from([0.0, 1.0]))
def test_gradient_penalty(case, target):
    """A critic's penalty, the mean over examples of (|d critic / dx| - target)^2 with critic = sum of tanh(conv(x))."""
    s = Setting(case)
    kernel = kernel_of(s.weight)
    x, weight, scale = s.tensors(s.x, s.weight, s.dy)

    critic = (torch.tanh(s.function(x, weight, **s.theirs)) * scale).sum()
    (gradient,) = torch.autograd.grad(critic, x, create_graph=True)
    size = gradient.flatten(1).pow(2).sum(1).add(1e-3).sqrt()
    penalty = (size - target).pow(2).mean()
    theirs = torch.autograd.grad(penalty, (x, weight, scale))

    # Forward: y, dy = scale (1 - tanh(y)^2), dx, the penalty.
    tanh = np.tanh(s.forward(s.x, kernel))
    slope = 1 - tanh**2
    dy = s.dy * slope
    dx = s.grad_input(dy, kernel)
    axes = tuple(range(1, dx.ndim))
    sizes = np.sqrt((dx**2).sum(axes, keepdims=True) + 1e-3)
    assert np.mean((sizes - target) ** 2) == pytest.approx(float(penalty.detach()), rel=1e-9, abs=1e-12)
    # Backward: through dx, then through dy and y.
    v = 2 * (sizes - target) / len(dx) * dx / sizes
    _, by_kernel, by_dy = tconv.conv_transpose_grad_grad(s.x, kernel, dy, v, **s.arguments)
    by_y = by_dy * s.dy * -2 * tanh * slope
    agree(s.grad_input(by_y, kernel), theirs[0])
    agree(np.moveaxis(by_kernel + s.grad_kernel(s.x, by_y), (-1, -2), (0, 1)), theirs[1])
    agree(by_dy * slope, theirs[2])
