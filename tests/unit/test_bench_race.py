"""Turns, ratios and what sums them up: the benchmark's own arithmetic."""

import json
import math

import numpy as np
import pytest

from tconv.bench import race as racing
from tconv.bench.contestants import RefusedError, Turn
from tconv.bench.figures import Figure, Row, disturbed, figure, geometric_mean, plain, summary
from tconv.bench.race import Timing, alone, race, turns_for
from tconv.bench.report import Report, aligned, table

MACHINE = {"date": "today", "processor": "an abacus", "system": "wood", "threads": 2, "versions": {"tconv": "1"}}


class Clock:
    """The number of turns that have been; a machine that is slow in a stretch of them."""

    def __init__(self, slow=range(0)):
        self.turns, self.slow = 0, slow

    def tick(self):
        self.turns += 1
        return 5.0 if self.turns in self.slow else 1.0


class Fake:
    def __init__(self, name, seconds, clock, breaks_at=math.inf):
        self.name, self.seconds, self.clock, self.breaks_at = name, seconds, clock, breaks_at
        self.counts = []

    def turn(self, count):
        self.counts.append(count)
        if len(self.counts) > self.breaks_at:
            raise RefusedError("broke")
        return Turn(self.seconds * self.clock.tick(), 1.5)


def test_a_ratio_is_of_neighbours():
    clock = Clock(slow=range(9, 20))
    base, other = Fake("base", 0.01, clock), Fake("other", 0.02, clock)
    others, bases = race([(base, other)], {"base": 0.01, "other": 0.02}, seconds=0.1)
    assert set(np.round(others["other"].ratios, 9)) == {2.0, 0.4} or set(np.round(others["other"].ratios, 9)) == {2.0}
    assert figure(others["other"]).ratio == pytest.approx(2)
    assert len(bases["base"].seconds) == racing.REPEATS


def test_turns_are_spread_and_blocks_are_about_as_long():
    clock = Clock()
    order = []

    class Noted(Fake):
        def turn(self, count):
            order.append(self.name)
            return super().turn(count)

    base, first, second = (Noted(name, 0.001, clock) for name in ("base", "first", "second"))
    race([(base, first), (base, second)], {"base": 0.001, "first": 0.002, "second": 1.0}, seconds=0.1)
    assert order[:8] == ["base", "first", "base", "second"] * 2
    assert order.count("first") == racing.REPEATS
    assert order.count("second") == racing.FEW
    assert {*base.counts} == {math.ceil(racing.BLOCK / 0.001)}
    assert {*first.counts} == {math.ceil(racing.BLOCK / 0.002)}
    assert {*second.counts} == {1}


@pytest.mark.parametrize(
    ("call", "base", "seconds", "turns"),
    [
        (0.001, 0.001, 0.1, racing.REPEATS),
        (0.001, 0.001, 1.0, 40),  # blocks of 25 ms
        (0.1, 0.1, 2.0, 20),
        (0.1, 0.04, 9.0, racing.FEW),
        (9.0, 0.01, 9.0, 1),
    ],
)
def test_who_is_near_gets_more_turns(call, base, seconds, turns):
    assert turns_for(call, base, seconds) == turns


def test_who_breaks_off_keeps_what_it_has_and_stops_nobody():
    clock = Clock()
    base, fragile, firm = Fake("base", 1e-3, clock), Fake("fragile", 1e-3, clock, 4), Fake("firm", 1e-3, clock)
    others, _ = race([(base, fragile), (base, firm)], dict.fromkeys(("base", "fragile", "firm"), 1e-3), seconds=0.01)
    assert (len(others["fragile"].seconds), others["fragile"].reason) == (4, "broke")
    assert (len(others["firm"].seconds), others["firm"].reason) == (racing.REPEATS, "")
    with pytest.raises(RefusedError):
        race([(Fake("base", 1e-3, clock, 2), firm)], {"base": 1e-3, "firm": 1e-3}, seconds=0.01)


def test_one_can_run_alone():
    timing = alone(Fake("base", 0.5, Clock()), 0.5, seconds=0.1)
    assert timing.seconds == [0.5] * racing.REPEATS
    assert figure(timing) == Figure(0.5, None, None, 1.5, racing.REPEATS)


def test_a_figure_is_of_medians():
    timing = Timing([1, 2, 9], [1, 1, 4], [3, 1, 2])
    assert figure(timing, 0.5) == Figure(2, 2, (1.5, 2.5), 1, 3, 0.5)


def test_geometric_mean():
    assert geometric_mean([1, 4]) == pytest.approx(2)
    assert geometric_mean([0.5, 2, 1]) == pytest.approx(1)
    assert math.isnan(geometric_mean([]))


def fig(seconds, ratio=None, cores=1.0):
    return Figure(seconds, ratio, None, cores, 10)


def rows():
    theirs = {"torch": fig(2e-3, 2.0), "torch-pooled": fig(1e-3, 1.0), "tconv-float32": fig(1e-4, 0.1)}
    first = Row("a", "output", 10**6, fig(1e-3), theirs, probes=(100, 98), pooled=frozenset({"torch-pooled"}))
    second = Row("b", "output", 10**6, fig(2e-3), {"torch": fig(1e-3, 0.5)}, {"jax": "has no groups"}, (99, 60))
    third = Row("dInput a", "dInput", 10**6, fig(1e-3), {"torch": fig(3e-3, 3.0, cores=2.9)}, probes=(97,))
    return [first, second, third]


def test_the_best_peer_is_the_hardest_to_beat_and_no_tconv():
    first, second, _ = rows()
    assert (first.best(), first.ratio()) == ("torch", 2.0)
    assert (first.best(pooled=True), first.ratio(pooled=True)) == ("torch-pooled", 1.0)
    assert (second.best(pooled=True), second.ratio(pooled=True)) == ("torch", 0.5)
    assert Row("c", "output", 1).best() is None
    assert first.gflops == pytest.approx(1.0)


def test_the_summary():
    said = summary(rows())
    assert said["kinds"]["output"] == {
        "ratio": pytest.approx(1.0),
        "ratio_pooled": pytest.approx(math.sqrt(0.5)),
        "worst": {"workload": "b", "ratio": 0.5},
        "at_least_one": 1,
        "compared": 2,
    }
    assert said["kinds"]["dInput"]["ratio"] == pytest.approx(3)
    assert said["peers"]["torch"] == pytest.approx(3 ** (1 / 3))
    assert summary([Row("c", "output", 1)]) == {}


def test_a_row_beside_a_low_probe_is_marked():
    assert [disturbed(row, rows()) for row in rows()] == [False, True, False]


def test_the_report_says_what_is_known_and_a_dash_for_the_rest():
    report = Report("A race", MACHINE, rows=rows(), absent={"ncnn": "No module named 'ncnn'"})
    columns = report.columns()
    cells = [dict(zip(columns, report.cells(row))) for row in report.rows]
    assert report.cells(report.rows[0])[-4:] == ["2.000", "2.00", "torch-pooled", "1.00"]
    assert cells[1]["workload"] == "b*"
    assert cells[0]["% of peak"] == "1"
    assert report.cells(Row("c", "output", 1)) == ["c", *"--------"]
    page = report.markdown()
    assert "| b | 0.50 (1.000) | - | - | - |" in page
    for words in ("an abacus", "2 threads", "tconv 1", "Absent: ncnn", "torch (2.9 cores)", "worst b at 0.50"):
        assert words in page
    data = json.loads(json.dumps(report.data()))
    assert data["rows"][1]["missing"] == {"jax": "has no groups"}
    assert data["rows"][0]["others"]["torch"]["ms"] == 2.0
    assert data["peak_gflops"] == 100


def test_a_failure_is_said_and_a_report_can_be_empty():
    failed = Row("c", "output", 1, failures=["c: tconv differs."])
    report = Report("A race", MACHINE, rows=[failed])
    assert report.failures == ["c: tconv differs."]
    assert "FAILED: c: tconv differs." in report.markdown()
    json.loads(json.dumps(report.data()))


def test_tables_line_up():
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | ---: |\n| 1 | 2 |"
    columns = ["workload", "ratio"]
    assert len(aligned(["x", "1.0"], columns)) == len(aligned(columns, columns))


def test_json_gets_numbers_that_it_can_say():
    assert plain({"a": (1.23456789, math.nan, 3)}) == {"a": [1.2346, None, 3]}


def test_the_picture(tmp_path):
    pytest.importorskip("matplotlib")
    from tconv.bench.picture import draw

    draw(Report("A race", MACHINE, rows=rows()), tmp_path / "race.png")
    assert (tmp_path / "race.png").read_bytes().startswith(b"\x89PNG")
