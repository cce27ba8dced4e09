"""What the plugin wrote, read; a count and its layers; texts and pictures made of it."""

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from exporter.cli.profile import profile_text
from exporter.cost.instructions import CLASSES, Counts, median, read_regions, spread
from exporter.cost.load import Counted, LayerCount, Load
from exporter.errors import EngineError
from exporter.profiling import facts_of
from exporter.report.cost import cost_svg, cost_trace

LINE = {"what": "region", "layer": 0, "depth": 0, "threads": 1, "lost": 0, "total": 10, "load_store": 4, "branch": 1, "alu": 5}
END = {**LINE, "what": "process", "layer": -1}


def counts(total: int) -> Counts:
    return Counts(total, load_store=total // 2, simd_fp=total - total // 2, loads=total // 2, bytes_loaded=8 * total)


def write(path: Path, *lines: dict) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_regions_are_read_in_order(tmp_path):
    found = read_regions(write(tmp_path / "c", LINE, {**LINE, "layer": -1, "total": 20}, END))
    assert [(r.layer, r.counts.total, r.counts.alu) for r in found] == [(0, 10, 5), (-1, 20, 5)]


@pytest.mark.parametrize(
    ("lines", "words"),
    [((LINE,), "cut short"), ((), "cut short"), ((LINE, {**END, "lost": 2}), "2 marks of the emulated program do not pair")],
)
def test_what_is_not_whole_is_refused(tmp_path, lines, words):
    with pytest.raises(EngineError, match=words):
        read_regions(write(tmp_path / "c", *lines))


def test_what_is_no_json_is_refused(tmp_path):
    (tmp_path / "c").write_text('{"what": "reg')
    with pytest.raises(EngineError, match="cannot be read"):
        read_regions(tmp_path / "c")


def test_counts_add_and_subtract():
    assert counts(10) + counts(4) == counts(14)
    assert counts(10) - counts(4) == counts(6)


def test_median_and_spread():
    regions = [counts(n) for n in (103, 100, 101)]
    assert median(regions) == counts(101)
    assert spread(regions) == pytest.approx(0.03)


@pytest.fixture
def counted() -> Counted:
    layers = (
        LayerCount("conv", "CONV_2D", True, counts(600)), LayerCount("add <1>", "ADD", False, counts(300)),
        LayerCount("relu", "RELU", False, counts(0) - counts(20)),
    )  # fmt: skip
    return Counted("litert", "2.3.0", "arm64", "cortex-a53", "7.2", 1, counts(1000), (1000, 1000, 1000), 0.0, "prefixes", layers)


def test_the_whole_is_its_layers_and_what_is_beside_them(counted):
    assert counted.beside.total == 1000 - 880
    assert counted.tensor.total == 600
    assert counted.layers_over_whole == pytest.approx(0.88)
    assert sum(counted.shares().values()) == pytest.approx(1.0)


def test_json_and_back(counted):
    assert Counted.from_dict(json.loads(json.dumps(counted.as_dict()))) == counted


def test_a_load_is_known_by_its_files_inputs_and_options(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"model")
    x = np.zeros((1, 2), np.float32)
    load = Load("onnxruntime", path, {"x": x})
    assert load.fingerprint() == Load("onnxruntime", path, {"x": x.copy()}).fingerprint()
    others = [Load("onnxruntime", path, {"x": x + 1}), Load("onnxruntime", path, {"x": x.reshape(2, 1)}), Load("litert", path, {"x": x})]
    path.with_suffix(".bin").write_bytes(b"weights")
    others.append(Load("ncnn", path, {"x": x}))
    others.append(Load("ncnn", path, {"x": x}, zero_weights=True))
    assert len({load.fingerprint(), *(o.fingerprint() for o in others)}) == len(others) + 1


def test_facts_have_kinds_and_shares(counted):
    facts = facts_of("net", counted, "docker:arm64")
    assert (facts["kind"], facts["unit"], facts["on"]) == ("counted", "instructions", "docker:arm64")
    assert facts["tensor_share"] + facts["non_tensor_share"] + facts["beside_share"] == pytest.approx(1.0)
    assert [layer["share"] for layer in facts["layers"]] == [0.6, 0.3, -0.02]
    assert [(k["kind"], k["layers"], k["total"]) for k in facts["kinds"]] == [("CONV_2D", 1, 600), ("ADD", 1, 300), ("RELU", 1, -20)]
    assert json.loads(json.dumps(facts)) == facts


def test_the_table_has_the_costliest_layers(counted):
    text = profile_text(facts_of("net", counted, "docker:arm64"), top=2)
    lines = text.splitlines()
    assert lines[0].startswith("net: 1,000 instructions an inference, counted on cortex-a53 by qemu 7.2; litert 2.3.0, 1 thread")
    assert "tensor work 60.0 %, non-tensor work 28.0 %, beside the layers 12.0 %" in text
    assert "differences of files cut behind each layer, their sum is 88.0 % of the whole" in text
    assert [line.split()[0] for line in lines[5:]] == ["conv", "add", "and"]
    assert "ms" not in text.split()


def test_the_picture_is_whole(counted):
    root = ElementTree.fromstring(cost_svg(facts_of("net", counted, "docker:arm64")))
    texts = [t.text or "" for t in root.iter("{http://www.w3.org/2000/svg}text")]
    assert any("add <1> (ADD)" in t for t in texts)
    assert any("300  30.0 %" in t for t in texts)
    assert all(float(r.get("width", "0").rstrip("%")) >= 0 for r in root.iter("{http://www.w3.org/2000/svg}rect"))


def test_a_picture_of_totals_alone(counted):
    """32-bit ARM: no classes."""
    bare = Counted("ncnn", "1", "armv7", "cortex-a7", "7.2", 1, Counts(9), (9,), 0.0, "marks", (LayerCount("a", "Conv", True, Counts(9)),))
    assert "9  100.0 %" in cost_svg(facts_of("net", bare, "docker:armv7"))
    assert "load/store" not in profile_text(facts_of("net", bare, "docker:armv7"), 5)


def test_the_trace_says_that_it_has_no_time(counted):
    trace = cost_trace(facts_of("net", counted, "docker:arm64"))
    spans = [e for e in trace["traceEvents"] if e["ph"] == "X"]
    assert [(e["name"], e["cat"], e["ts"], e["dur"]) for e in spans] == [
        ("conv", "tensor work", 0, 600), ("add <1>", "non-tensor work", 600, 300), ("relu", "non-tensor work", 900, 0),
        ("beside the layers", "beside the layers", 900, 120),
    ]  # fmt: skip
    assert "no time" in trace["otherData"]["unit"]
    assert set(spans[0]["args"]["instructions"]) >= {"total", *CLASSES}
