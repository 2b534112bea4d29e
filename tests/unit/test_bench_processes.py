"""Contestants in processes of their own, and `tconv bench` as a user calls it."""

import io
import json
import sys
from contextlib import ExitStack

import numpy as np
import pytest

from tconv.__main__ import main
from tconv.bench.contestants import Contestant, RefusedError, entered
from tconv.bench.modes import Options, prepared
from tconv.bench.peers import PEERS, find, select
from tconv.bench.peers.base import Peer
from tconv.bench.peers.ours import Tconv
from tconv.bench.scaling import thread_counts
from tconv.bench.worker import Worker, difference, serve
from tconv.bench.workloads import Task, choose, read_table

TINY = Task(choose(read_table(), ["tiny2d"], "tiny")[0])


class Wrong(Tconv):
    name = "wrong"

    def result(self, task, output):
        return super().result(task, output) + 1


class Absent(Peer):
    name = "absent"

    def start(self, threads):
        raise ImportError("No module named 'absent'")

    def prepare(self, task, arrays, threads):
        raise NotImplementedError

    def result(self, task, output):
        raise NotImplementedError


class Nonsense(Tconv):
    name = "nonsense"


def answers(peer, *requests):
    """What a worker answers."""
    sent = io.StringIO("".join(json.dumps(request) + "\n" for request in requests))
    received = io.StringIO()
    with ExitStack() as stack:
        serve(Worker(peer, 1, stack), sent, received)
    return [json.loads(line) for line in received.getvalue().splitlines()]


def test_a_worker_compares_and_times(tmp_path):
    task, reference = TINY.to_json(), str(tmp_path / "reference.npy")
    saved, again, turn = answers(
        find("tconv"),
        {"do": "prepare", "task": task, "save": reference},
        {"do": "prepare", "task": task, "reference": reference},
        {"do": "turn", "count": 3},
    )
    assert saved["difference"] == again["difference"] == 0
    assert np.load(reference).shape == TINY.result_shape
    assert turn["seconds"] > 0
    (wrong,) = answers(Wrong(), {"do": "prepare", "task": task, "reference": reference})
    assert wrong["difference"] > 0.01


def test_a_worker_s_troubles_are_answers():
    assert answers(Absent(), {"do": "start"}) == [{"version": None, "reason": "No module named 'absent'"}]
    unready, broken = answers(
        Absent(), {"do": "turn", "count": 1}, {"do": "prepare", "task": TINY.to_json(), "reference": None}
    )
    assert "no task is prepared" in unready["error"]
    assert "NotImplementedError" in broken["error"]


def test_the_difference_is_relative_and_notices_everything():
    reference = np.array([0.0, -4.0])
    assert difference(reference + [0, 1], reference) == 0.25
    assert difference(np.zeros(2), np.zeros(2)) == 0
    assert difference(np.zeros(3), reference) == np.inf
    assert difference(np.array([0, np.nan]), reference) == np.inf
    assert difference(np.array([0, np.inf]), reference) == np.inf


def test_results_that_differ_are_a_failure_and_refusals_are_reasons(tmp_path):
    class Given:
        def __init__(self, peer, distance=0.0, reason=None):
            self.peer, self.name, self.distance, self.reason = peer, peer.name, distance, reason

        def prepare(self, task, *, save=None, reference=None):
            if self.reason:
                raise RefusedError(self.reason)
            return {"seconds": 1e-3, "difference": self.distance}

    base, right, refusing = Given(find("tconv")), Given(find("jax"), 1e-5), Given(find("ncnn"), reason="has no batch")
    ready, missing, failures = prepared(TINY, base, [right, refusing, Given(Wrong(), 1e-3)], tmp_path / "y.npy")
    assert set(ready) == {"tconv", "jax"}
    assert missing == {"ncnn": "has no batch", "wrong": "differs by 1.0e-03"}
    assert failures == ["tiny2d: wrong differs from tconv by 1.0e-03."]


@pytest.mark.parametrize("long_dead", [False, True])  # nothing can be written to it
def test_a_process_is_stopped_between_turns_and_revived_after_its_death(long_dead, tmp_path):
    with entered([Contestant(find("tconv"), 1)]) as (contestant,):
        assert contestant.version.startswith("0.")
        contestant.prepare(TINY, save=str(tmp_path / "reference.npy"))
        assert contestant.turn(2).seconds > 0
        if sys.platform == "linux":
            with open(f"/proc/{contestant._process.pid}/stat", encoding="ascii") as stat:
                assert stat.read().rpartition(")")[2].split()[0] in "Tt"
        contestant._process.kill()
        if long_dead:
            contestant._process.wait()
        with pytest.raises(RefusedError, match="its process ended with code -9"):
            contestant.turn(1)
        with pytest.raises(RefusedError, match="its process is gone"):
            contestant.turn(1)
        contestant.prepare(TINY)
        assert contestant.turn(1).seconds > 0


def test_a_process_that_does_not_start_is_absent_with_its_last_words():
    with entered([Contestant(Nonsense(), 1)]) as present:
        assert present == []
    contestant = Contestant(Nonsense(), 1)
    try:
        contestant.start()
    finally:
        contestant.close()
    assert contestant.version is None
    assert "no contestant 'nonsense'" in contestant.reason


def test_a_peer_that_cannot_is_not_asked():
    contestant = Contestant(find("litert"), 1)
    grouped, dilated = choose(read_table(), ["bilinear_dw", "dilated"], "forward")
    try:
        for task, reason in [
            (Task(grouped), "has no groups"),
            (Task(dilated), "has no dilation"),
            (Task(grouped, "dInput"), "computes no gradients"),
            (Task(grouped, dtype="float64"), "does not compute in float64"),
        ]:
            with pytest.raises(RefusedError, match=reason):
                contestant.prepare(task)
    finally:
        contestant.close()


def test_peers_are_selected_by_name_or_library():
    assert [peer.name for peer in select("onnxruntime")] == ["onnxruntime"]
    assert {peer.library for peer in select("torch")} == {"torch"}
    assert len(select("torch")) > 2
    assert select("none") == []
    assert select("all") == [peer for peer in PEERS if peer.name != "tconv-direct"]
    assert [peer.name for peer in select("tconv-direct,jax")] == ["jax", "tconv-direct"]
    assert {peer.name for peer in select(None)} < {peer.name for peer in PEERS}
    with pytest.raises(ValueError, match="no peer keras; there are all, none, tconv, torch"):
        select("keras,jax")


def test_threads_double_up_to_the_most():
    assert [thread_counts(most) for most in (1, 2, 6, 8)] == [[1], [1, 2], [1, 2, 4, 6], [1, 2, 4, 8]]


def test_names_of_results_tell_runs_apart():
    def stem(mode="forward", **more):
        return Options(mode, [], [], 2, **more).stem

    assert stem() == "forward-2-threads"
    assert stem("f64", dtype="float64") == "f64-2-threads"
    assert stem(dtype="float64") == "forward-float64-2-threads"
    assert stem(data_format="channels_first") == "forward-channels_first-2-threads"


@pytest.mark.parametrize(
    ("mode", "more"),
    [
        ("tiny", []),
        ("gradients", ["--data-format", "channels_first"]),
        ("f64", []),
        ("scaling", ["--threads", "2"]),
        ("simulate", ["--threads", "8"]),
        pytest.param("memory", [], marks=pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")),
    ],
)
def test_the_command_writes_its_results(capsys, tmp_path, mode, more):
    words = ["bench", mode, "tiny2d", "--peers", "none", "--seconds", "0.001", "--threads", "1", *more]
    assert main([*words, "--output", str(tmp_path)]) == 0
    assert "tiny2d" in capsys.readouterr().out
    (data,) = (json.loads(path.read_text()) for path in tmp_path.glob(f"{mode}-*.json"))
    (page,) = (path.read_text() for path in tmp_path.glob(f"{mode}-*.md"))
    assert data["versions"]["tconv"]
    assert data["processor"] in page
    assert all("tiny2d" in row["workload"] for row in data["rows"])


def test_the_command_lists_workloads_and_peers(capsys):
    assert main(["bench", "list"]) == 0
    said = capsys.readouterr().out
    assert "1x4x4x8 -> 4, kernel 2x2, strides 2x2" in said
    assert all(peer.name in said for peer in PEERS)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["nonsense"], "no workload nonsense"),
        (["--peers", "keras"], "no peer keras"),
        (["--threads", "0"], "--threads=0 must be at least 1"),
        (["--seconds", "nan"], "--seconds=nan must be positive"),
        (["--peak", "-1"], "--peak=-1.0 must be positive"),
        (["--table", "no such file"], "no such file"),
    ],
)
def test_an_error_is_one_sentence(capsys, words, reason):
    assert main(["bench", "forward", *words]) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert reason in said.err
