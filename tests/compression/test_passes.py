"""Compression passes: what they refuse, what they leave, and how a run that was cut off goes on."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from exporter.compression.distill import Distill
from exporter.compression.given import Given, Made
from exporter.compression.kept import Kept
from exporter.compression.prune_channels import PruneChannels
from exporter.compression.run import compress
from exporter.compression.table import START, table
from exporter.cost.count import totals
from exporter.errors import UsageError
from exporter.graph import Graph, const
from exporter.graph.evaluate import evaluate
from tests.graphs import graph_from_text, random_inputs

RNG = np.random.default_rng(0)
TEXT = """g (float[N,3,8,8] x) => (float[N,5] y) {
    a = Conv <pads = [1, 1, 1, 1]> (x, w)  r = Relu (a)  b = Conv <pads = [1, 1, 1, 1]> (r, v)  s = Relu (b)
    p = GlobalAveragePool (s)  f = Flatten (p)  y = Gemm <transB = 1> (f, u) }"""
WEIGHTS = {"w": RNG.normal(size=(32, 3, 3, 3)), "v": RNG.normal(size=(32, 32, 3, 3)), "u": RNG.normal(size=(5, 32))}


@pytest.fixture
def graph() -> Graph:
    return graph_from_text(TEXT, WEIGHTS)


def given(graph: Graph, **more: object) -> Given:
    return Given(graph, **{"samples": random_inputs(graph, samples=40), **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "no budget"),
        ({"macs": 0.5, "params": 0.5}, "macs and params together"),
        ({"macs": 0}, "above 0"),
        ({"macs": 1.5}, "up to 1"),
        ({"macs": 0.5, "score": "l3"}, "unknown score: l3"),
        ({"macs": 0.5, "scope": "lokal"}, "unknown scope: lokal"),
        ({"macs": 0.5, "rounds": 0}, "rounds"),
    ],
)
def test_pruning_refuses_nonsense(settings: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        PruneChannels(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"loss": "disst"}, "unknown loss"),
        ({"optimiser": "adam"}, "unknown optimiser"),
        ({"choose": "best"}, "unknown choice"),
        ({"minutes": 0}, "minutes"),
        ({"held_out": 1}, "held"),
    ],
)
def test_training_refuses_nonsense(settings: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Distill(**settings)  # type: ignore[arg-type]


def test_what_is_missing_is_said_before_anything_is_done(graph: Graph) -> None:
    with pytest.raises(UsageError, match="no pictures"):
        compress(graph, [PruneChannels(macs=0.5)], Given(graph))
    with pytest.raises(UsageError, match="training needs data"):
        compress(graph, [PruneChannels(macs=0.5), Distill()], given(graph))


@pytest.mark.parametrize("share", [0.75, 0.5, 0.3])
def test_budgets_hold(graph: Graph, share: float) -> None:
    small, steps = compress(graph, [PruneChannels(macs=share)], given(graph))
    assert share - 0.18 < totals(small).macs / totals(graph).macs <= share
    assert steps[0].as_dict()["after"]["macs"] == totals(small).macs
    widths = steps[0].made.facts["widths"]
    assert widths
    assert all(after < before == 32 and after % 8 == 0 for before, after in widths.values())


def test_budgets_count_from_the_model_as_it_came(graph: Graph) -> None:
    twice, steps = compress(graph, [PruneChannels(params=0.7), PruneChannels(params=0.4)], given(graph))
    assert totals(twice).params <= 0.4 * totals(graph).params < totals(steps[0].made.graph).params
    same, _ = compress(graph, [PruneChannels(params=0.4), PruneChannels(params=0.9)], given(graph))
    once, _ = compress(graph, [PruneChannels(params=0.4)], given(graph))
    assert totals(same).params == totals(once).params


def test_channel_step_is_the_surroundings_or_the_pass_s_own(graph: Graph) -> None:
    asked = given(graph, channel_step=16)
    for one, step in ((PruneChannels(macs=0.6), 16), (PruneChannels(macs=0.6, channel_step=4), 4)):
        widths = compress(graph, [one], asked)[1][0].made.facts["widths"]
        assert all(after % step == 0 for _, after in widths.values())
    assert any(after % 16 for _, after in widths.values())


def test_repair_brings_the_rest_near_to_what_it_was(graph: Graph) -> None:
    x = random_inputs(graph, seed=9, samples=20)
    want = evaluate(graph, x)["y"]
    errors = []
    for repair in (False, True):
        small, _ = compress(graph, [PruneChannels(macs=0.5, repair=repair)], given(graph))
        errors.append(float(np.square(evaluate(small, x)["y"] - want).mean()))
    assert errors[1] < 0.5 * errors[0]


def test_the_graph_as_it_came_stays(graph: Graph) -> None:
    before = evaluate(graph, x := random_inputs(graph, samples=4))["y"]
    compress(graph, [PruneChannels(macs=0.5)], given(graph))
    assert np.array_equal(evaluate(graph, x)["y"], before)


class Counting:
    """A pass that tells how often it ran, and fails when told to."""

    def __init__(self) -> None:
        self.runs = 0
        self.fails = False


def test_a_run_that_was_cut_off_goes_on_after_the_last_whole_pass(graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told, real = Counting(), PruneChannels.__call__

    def counted(one: PruneChannels, now: Graph, asked: Given) -> Made:
        told.runs += 1
        if one.macs == 0.4 and told.fails:
            raise KeyboardInterrupt
        return real(one, now, asked)

    monkeypatch.setattr(PruneChannels, "__call__", counted)
    passes, asked = [PruneChannels(macs=0.7), PruneChannels(macs=0.4)], given(graph, keep=tmp_path)
    told.fails = True
    with pytest.raises(KeyboardInterrupt):
        compress(graph, passes, asked)
    told.fails = False
    small, steps = compress(graph, passes, asked)
    assert told.runs == 3
    again, same = compress(graph, passes, asked)
    assert told.runs == 3
    assert [s.as_dict() for s in same] == [s.as_dict() for s in steps]
    x = random_inputs(graph, samples=4)
    assert np.array_equal(evaluate(again, x)["y"], evaluate(small, x)["y"])


def test_half_a_pass_is_none(graph: Graph, tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    assert kept.load(0) is None
    kept.save(0, Made(graph, {"a": 1}), 2.0)
    found = kept.load(0)
    assert found is not None
    assert (found[0].facts, found[1]) == ({"a": 1}, 2.0)
    assert np.array_equal(const(found[0].graph.nodes[0].inputs[1]), WEIGHTS["w"].astype(np.float32))
    shutil.rmtree(tmp_path / "pass-0")
    assert kept.load(0) is None


def test_the_table_has_the_start_and_each_step(graph: Graph) -> None:
    asked = given(graph)
    _, steps = compress(graph, [PruneChannels(macs=0.5)], asked)
    rows = table(asked, steps, None)
    assert [row["step"] for row in rows] == [START, "PruneChannels"]
    assert rows[0]["ratio"] == dict.fromkeys(("params", "macs", "memory_access", "bytes"), 1.0)
    assert rows[1]["macs"] == totals(steps[0].made.graph).macs
    assert rows[1]["ratio"]["macs"] <= 0.5
    assert set(rows[1]["latency"]) == {"ncnn", "litert", "onnxruntime"}
    for found in rows[1]["latency"].values():
        assert min(found["ms"], found["start_ms"], found["p10_ms"]) > 0
        assert found["low"] <= found["ratio"] <= found["high"]
        assert found["kind"] == "native"


def test_an_engine_that_cannot_have_the_model_says_why() -> None:
    graph = graph_from_text(TEXT.replace("s = Relu (b)", "t = Tanh (b) s = Atan (t)"), WEIGHTS)
    asked = given(graph)
    _, steps = compress(graph, [PruneChannels(macs=0.5)], asked)
    found = table(asked, steps, None)[1]["latency"]
    assert "Atan" in found["litert"]["refused"]
    assert found["ncnn"]["ms"] > 0
