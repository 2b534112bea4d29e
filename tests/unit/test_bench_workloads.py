"""The benchmark's table says what tconv computes, and in TensorFlow's words the same."""

import itertools
import json
import math

import numpy as np
import pytest

import tconv
from problems import NAMED
from tconv.bench.peers.base import filters_first, in_first
from tconv.bench.peers.same_or_valid import arguments, spell, unspell
from tconv.bench.peers.xla import kernel_of
from tconv.bench.workloads import GRAD_KERNEL, Arrays, Task, Workload, choose, read_table

TABLE = read_table()
MODES = {"forward", "gradients", "f64", "tiny", "memory", "scaling", "extra"}
BACKWARD = {"dcgan2", "unet_up4", "hifigan2", "unet3d", "vnet"}


def geometry(workload):
    return {
        "strides": workload.strides,
        "padding": workload.padding,
        "output_padding": workload.output_padding,
        "dilation_rate": workload.dilation_rate,
        "groups": workload.groups,
    }


def small(rank, kernel, stride, padding, output_padding, *, spatial=5, groups=1, dilation=1):
    def each(value):
        return (value,) * rank

    extents = tuple(spatial + axis for axis in range(rank))
    return Workload(
        *("small", rank, 2, extents, 4, 6),
        *map(each, (kernel, stride, padding, output_padding, dilation)),
        groups,
    )


def test_the_table_has_the_workloads_of_every_mode():
    names = [workload.name for workload in TABLE]
    assert len(set(names)) == len(names)
    assert not set(names) & MODES
    assert {mode for workload in TABLE for mode in workload.modes} == MODES
    assert len(choose(TABLE, [], "forward")) == 25
    backward = {workload.name for workload in choose(TABLE, [], "gradients")}
    assert backward >= BACKWARD
    assert len(backward) >= 15
    tiny = choose(TABLE, ["tiny2d"], "forward")[0]
    assert (tiny.input_shape, tiny.filters, tiny.kernel_size, tiny.strides) == ((1, 4, 4, 8), 4, (2, 2), (2, 2))


@pytest.mark.parametrize("workload", TABLE, ids=lambda workload: workload.name)
def test_shapes_are_those_of_the_library(workload):
    shape = tconv.conv_transpose_output_shape(
        workload.input_shape, workload.kernel_size, workload.filters, **geometry(workload)
    )
    assert workload.output_shape == shape


@pytest.mark.parametrize("workload", choose(TABLE, [], "forward"), ids=lambda workload: workload.name)
def test_the_problems_of_the_tests_are_of_the_workloads_kinds(workload):
    problem = NAMED[workload.name]
    assert problem.kernel_size == workload.kernel_size
    assert tuple(problem.per_axis(problem.strides)) == workload.strides
    assert tuple(problem.per_axis(problem.dilation_rate)) == workload.dilation_rate
    assert (problem.groups > 1) == (workload.groups > 1)


def test_flops_count_every_tap_of_every_pixel():
    workload = small(2, 3, 2, 1, 0, groups=2)
    assert workload.flops == 2 * 2 * (5 * 6) * (3 * 3) * 4 * 6 // 2


def test_a_task_survives_json():
    task = Task(TABLE[0], GRAD_KERNEL, "float64", "channels_first")
    assert Task.from_json(json.loads(json.dumps(task.to_json()))) == task
    assert task.label == f"dKernel {TABLE[0].name}"


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_arrays_are_the_same_every_time_and_never_zeros(dtype):
    task = Task(small(2, 3, 2, 1, 0), GRAD_KERNEL, dtype)
    first, second = task.arrays(), task.arrays()
    for a, b in zip(first, second):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == dtype
        assert np.mean(a == 0) < 0.01
    assert first.dy.shape == task.workload.output_shape
    result = tconv.conv_transpose(*first[:3], **geometry(task.workload))
    assert 0.3 < np.std(result.astype(np.float64)) < 5


def test_names_and_modes_choose():
    assert [workload.name for workload in choose(TABLE, ["vae", "docs2d"], "tiny")] == ["docs2d", "vae"]
    assert choose(TABLE, ["extra"], "forward") == choose(TABLE, [], "extra")
    with pytest.raises(ValueError, match="no workload nonsense; there are docs2d"):
        choose(TABLE, ["vae", "nonsense"], "forward")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"strides": [2]}, "strides must have 2 entries"),
        ({"groups": 3}, "groups=3 must divide"),
        ({"padding": [9, 9]}, "leaves no pixel"),
        ({"nonsense": 1}, "has the entries"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path, change, reason):
    row = Task(small(2, 3, 2, 1, 0)).to_json()["workload"]
    path = tmp_path / "table.json"
    path.write_text(json.dumps([row]))
    assert read_table(path) == [small(2, 3, 2, 1, 0)]
    path.write_text(json.dumps([{**row, **change}]))
    with pytest.raises(ValueError, match=reason):
        read_table(path)


SPELLED = [
    workload
    for rank, kernel, stride, padding in itertools.product((1, 2, 3), range(1, 6), range(1, 4), range(3))
    for output_padding in range(stride)
    for workload in [small(rank, kernel, stride, padding, output_padding)]
    if min(workload.output_shape) > 0 and spell(workload)
]


def test_tensorflow_s_words_mean_the_same_geometry():
    mirrored = 0
    for workload in SPELLED:
        spelling, task = spell(workload), Task(workload)
        arrays = task.arrays()
        x, kernel, bias, _ = arguments(task, arrays, spelling)
        unit = (1,) if workload.rank == 1 else ()
        said = tconv.conv_transpose(
            x,
            kernel,
            bias,
            strides=unit + workload.strides,
            padding=spelling.padding,
            output_shape=unit + workload.output_shape[1:-1],
        )
        meant = tconv.conv_transpose(*arrays[:3], **geometry(workload))
        np.testing.assert_allclose(unspell(task, said, spelling), meant, atol=1e-4, err_msg=str(workload))
        mirrored += bool(spelling.mirrored)
    assert len(SPELLED) > 50
    assert mirrored > 5


def test_every_workload_of_the_table_but_some_can_be_spelled():
    assert [workload.name for workload in TABLE if spell(workload) is None] == []


@pytest.mark.parametrize("groups", [1, 2])
def test_the_peers_layouts_of_the_kernel(groups):
    workload = small(2, 3, 2, 0, 0, groups=groups)
    kernel = Task(workload).arrays().kernel
    channels, per_group = workload.in_channels, workload.filters // groups
    theirs, flipped = in_first(kernel), filters_first(kernel, groups)
    assert theirs.shape == (channels, per_group, 3, 3)
    for tap, filter, channel in itertools.product(np.ndindex(3, 3), range(workload.filters), range(channels)):
        group, inner = divmod(channel, channels // groups)
        if filter // per_group == group:
            value = kernel[(*tap, filter % per_group, channel)]
            assert theirs[(channel, filter % per_group, *tap)] == value
            assert flipped[(filter, inner, *tap)] == value
    jax_kernel = np.flip(np.moveaxis(flipped, (0, 1), (-1, -2)), (0, 1))
    np.testing.assert_array_equal(kernel_of(Task(workload, GRAD_KERNEL), jax_kernel), kernel)


def test_arrays_name_their_parts():
    assert Arrays._fields == ("x", "kernel", "bias", "dy")
    assert math.prod(Task(small(1, 3, 2, 0, 0)).arrays().dy.shape) == 0  # no gradient, no dy
