"""The benchmark's peers compute what tconv computes, or say why they cannot."""

import pytest

from tconv.bench.contestants import Contestant, entered
from tconv.bench.modes import TOLERANCES
from tconv.bench.peers import PEERS, find
from tconv.bench.workloads import GRAD_INPUT, GRAD_KERNEL, OUTPUT, Task, Workload


def small(name, spatial, in_channels, filters, kernel, stride, padding=0, output_padding=0, dilation=1, groups=1):
    rank = len(spatial)
    values = (kernel, stride, padding, output_padding, dilation)
    return Workload(name, rank, 2, spatial, in_channels, filters, *((value,) * rank for value in values), groups)


WORKLOADS = [
    small("line", (9,), 5, 3, 4, 2, padding=1),
    small("plane", (5, 6), 7, 4, 3, 2, padding=1, output_padding=1),
    small("volume", (3, 4, 5), 3, 5, 2, 2),
    small("volume_cropped", (3, 4, 5), 3, 5, 3, 2, padding=1, output_padding=1),
    small("depthwise", (5, 6), 8, 8, 4, 2, padding=1, groups=8),
    small("grouped", (5, 6), 8, 12, 3, 2, groups=4),
    small("dilated", (5, 6), 4, 6, 3, 1, dilation=2),
    small("strided_dilated", (5, 6), 4, 6, 3, 2, dilation=2),
]
TASKS = [
    *(Task(workload, wanted) for wanted in (OUTPUT, GRAD_INPUT, GRAD_KERNEL) for workload in WORKLOADS),
    *(Task(workload, OUTPUT, dtype) for dtype in ("float64", "float16") for workload in WORKLOADS[:3]),
]


@pytest.mark.slow
@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_results_agree(peer, tmp_path):
    reference = str(tmp_path / "reference.npy")
    with entered([Contestant(find("tconv"), 1), Contestant(peer, 1)]) as (ours, *theirs):
        if not theirs:
            pytest.skip(f"{peer.name} is not installed")
        compared = 0
        for task in TASKS:
            if peer.refusal(task) is None:
                ours.prepare(task, save=reference)
                said = theirs[0].prepare(task, reference=reference)
                assert said["difference"] <= TOLERANCES[task.dtype], task
                compared += 1
        assert compared >= 4
