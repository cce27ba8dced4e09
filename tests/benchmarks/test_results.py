import json
from pathlib import Path

import pytest

from benchmarks import results, tables
from benchmarks.results import Results


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    monkeypatch.setattr(tables, "FOLDER", tmp_path)
    monkeypatch.setattr(tables, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(tables, "README", tmp_path / "README.md")
    return tmp_path


def test_a_row_is_measured_once(folder: Path) -> None:
    assert Results("speed").fill("a", lambda: {"ms": 1}) == {"ms": 1}
    assert Results("speed").fill("a", lambda: {"ms": 2}) == {"ms": 1}
    assert Results("speed", again=True).fill("a", lambda: {"ms": 3}) == {"ms": 3}


def test_a_failure_is_a_row_and_is_tried_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> dict[str, int]:
        raise RuntimeError("no file")

    assert Results("speed").fill("a", fail) == {"error": "RuntimeError: no file"}
    assert json.loads((folder / "speed.json").read_text())["rows"]["a"]["error"] == "RuntimeError: no file"
    assert Results("speed").fill("a", lambda: {"ms": 2}) == {"ms": 2}


def test_the_page_tells_failures_and_peers_that_are_wrong(folder: Path) -> None:
    good = {"ours_ms": 1.0, "theirs_ms": 2.0, "ratio": 0.5, "low": 0.4, "high": 0.6, "our_ops": 3, "their_ops": 5, "not_slower": True}
    rows = Results("latency")
    rows.fill("net onnx tf2onnx", lambda: good)
    rows.fill("net ncnn pnnx", lambda: {"our_ops": 3, "peer": "wrong outputs: rel 1.0e+00"})
    tables.main()
    page = (folder / "page.md").read_text()
    assert "| net onnx tf2onnx | 1.00 | 2.00 | 0.50 | 0.40–0.60 | 3 / 5 | yes |" in page
    assert "| net ncnn pnnx |  | wrong outputs: rel 1.0e+00 |" in page
    assert "1 of 1 comparisons are not slower." in page


def test_the_readmes_table_is_replaced_and_the_rest_stays(folder: Path) -> None:
    (folder / "README.md").write_text(f"before\n{tables.BEGIN}\nold\n{tables.END}\nafter\n")
    rows = Results("golden")
    for file_format in ("onnx", "tflite"):
        rows.fill(f"keras/net/a.h5 {file_format}", lambda: {"fidelity_rel": 1e-6, "n": 10, "right": 9, "own_framework_right": 9})
    rows.fill("keras/net/a.h5 ncnn", lambda: {"error": "cannot"})
    tables.main()
    text = (folder / "README.md").read_text()
    assert "| `net/a.h5` | 10 | 9 | 9 | 9 | – |" in text
    assert "old" not in text
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
