"""How a plan says that its work is cut, and what the simulation makes of it."""

import math

import numpy as np
import pytest

import tconv
from tconv.bench.simulate import dealt

KINDS = {
    "many rows": ((2, 40, 33, 8), (3, 3, 16, 8), {"strides": 2}),
    "few rows, many columns": ((1, 3, 3, 64), (4, 4, 96, 64), {"strides": 2, "padding": "same"}),
    "one filter": ((1, 30, 30, 24), (2, 2, 1, 24), {"strides": 2}),
    "depthwise": ((1, 24, 24, 48), (4, 4, 1, 48), {"strides": 2, "groups": 48}),
    "groups": ((2, 14, 14, 32), (3, 3, 8, 32), {"groups": 4}),
    "few channels": ((1, 40, 40, 3), (3, 3, 5, 3), {}),
    "planes": ((2, 16, 40, 40), (3, 3, 24, 16), {"strides": 2, "data_format": "channels_first"}),
    "planes, depthwise": (
        (1, 48, 24, 24),
        (4, 4, 1, 48),
        {"strides": 2, "groups": 48, "data_format": "channels_first"},
    ),
    "dilation": ((1, 20, 20, 16), (3, 3, 16, 16), {"dilation_rate": 2}),
    "rank 1": ((3, 500, 32), (16, 24, 32), {"strides": 8}),
    "rank 3": ((1, 6, 7, 8, 16), (4, 4, 4, 24, 16), {"strides": 2}),
}


def plan_of(kind, algorithm):
    shape, kernel, geometry = KINDS[kind]
    return tconv.Plan(np.ones(kernel, np.float32), algorithm=algorithm, **geometry), shape


@pytest.mark.parametrize("algorithm", ["direct", "fast"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_cut_loses_no_work(kind, algorithm):
    """Whatever the number of threads, units cost the same together."""
    plan, shape = plan_of(kind, algorithm)
    schedules = [plan.schedule(shape, threads) for threads in (1, 2, 7, 64)]
    totals = [sum(sum(stage.costs) for stage in schedule.stages) for schedule in schedules]
    assert totals[0] > 0
    assert totals == pytest.approx([totals[0]] * 4, rel=1e-9)
    for threads, schedule in zip((1, 2, 7, 64), schedules, strict=True):
        assert 1 <= schedule.threads <= threads
        assert all(len(stage.costs) == len(stage.bytes) > 0 for stage in schedule.stages)
        assert min(min(stage.bytes) for stage in schedule.stages) > 0


def test_direct_costs_are_at_least_the_products():
    x, kernel, _ = KINDS["groups"]
    plan, _ = plan_of("groups", "direct")
    products = math.prod(x) * math.prod(kernel[:-1])
    assert sum(plan.schedule(x, 1).stages[0].costs) >= products


def test_weights_are_told_apart():
    kernel = np.ones((4, 4, 128, 128), np.float32)
    direct, fast = (tconv.Plan(kernel, strides=2, algorithm=algorithm) for algorithm in ("direct", "fast"))
    shape = (4, 16, 16, 128)
    assert direct.schedule(shape).packed_bytes == direct.packed_bytes >= kernel.nbytes
    assert direct.schedule(shape).transformed_bytes == 0
    assert fast.schedule(shape).packed_bytes == direct.packed_bytes
    assert kernel.nbytes < fast.schedule(shape).transformed_bytes <= 4 * kernel.nbytes


def test_a_unit_that_computes_nothing_reads_nothing():
    """Phases whose rows are others' have tiles without rows."""
    plan = tconv.Plan(np.ones((4, 4, 256, 256), np.float32), strides=2, padding="same", algorithm="direct")
    (stage,) = plan.schedule((1, 4, 4, 256), 64).stages
    assert 0 in stage.costs
    assert all((cost == 0) == (read == 0) for cost, read in zip(stage.costs, stage.bytes))


def test_nothing_to_compute_has_no_units():
    plan, _ = plan_of("many rows", "auto")
    assert plan.schedule((0, 5, 5, 8), 4).stages == ()


def test_who_is_done_with_its_part_takes_the_last_units_of_others():
    load = dealt([([3, 1, 1, 1], [8, 1, 1, 1]), ([2], [4])], 2)
    assert load.busiest == 3 + 2
    assert load.mean == 8 / 2
    assert load.bytes == 8 + 4
    assert load.imbalance == 5 / 4
    assert dealt([([1] * 4, [1, 10, 100, 1000])], 2).bytes == 1100
    assert dealt([([1, 1, 5, 1], [1, 10, 100, 1000])], 2).bytes == 1011
    assert dealt([([1] * 64, [1] * 64)], 64).imbalance == 1
    assert dealt([], 4).imbalance == 1


def test_as_many_threads_as_there_may_be_give_the_same_bits():
    """Those beyond 64, which only larger processors allow, share parts of the units."""
    random = np.random.default_rng(0)
    x = random.standard_normal((4, 96, 96, 16), dtype=np.float32)
    plan = tconv.Plan(random.standard_normal((4, 4, 32, 16), dtype=np.float32), strides=2, algorithm="direct")
    assert all(len(stage.costs) >= 70 for stage in plan.schedule(x.shape, 70).stages)
    assert np.array_equal(plan(x, num_threads=1), plan(x, num_threads=70))


def test_a_finer_cut_gives_the_same_bits():
    """Boxes that all threads share are cut into more units for more threads."""
    random = np.random.default_rng(0)
    x = random.standard_normal((2, 12, 12, 160), dtype=np.float32)
    plan = tconv.Plan(random.standard_normal((4, 4, 96, 160), dtype=np.float32), strides=2, algorithm="fast")
    units = {n: sum(len(stage.costs) for stage in plan.schedule(x.shape, n).stages) for n in (1, 48)}
    assert units[48] >= 2 * units[1]
    single, *others = (plan(x, num_threads=threads) for threads in (1, 3, 48))
    assert all(np.array_equal(single, other) for other in others)
