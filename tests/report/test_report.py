from pathlib import Path
from typing import Any

import pytest

from exporter.preprocessing import Preprocessing
from exporter.report import documents, render
from tests.manifests import manifest_for, number, plain_artifact

KNOWN = Preprocessing()


def made(folder: Path, prep: Preprocessing = KNOWN, **changes: Any) -> dict[str, Any]:
    facts = manifest_for(plain_artifact(folder), "chw", prep, "ncnn-arm64", **changes)
    files = [{"path": name, "sha256": "0" * 64, "bytes": 2048} for name in facts["artifact"]["files"]]
    return {"schema": 1, "identity": {}, "files": files, **facts}


def test_the_facts_are_there(tmp_path: Path) -> None:
    text = render(made(tmp_path))
    for fact in ("# net for ncnn-arm64", "rel 2.0e-06", "120.5 dB", "1,234,567", "4.00 KiB", "keras 3.15.1", "100.0%", "write | 1.25 s",
                 "3.00 MiB", "scores, before its final activation", "Limits held: max_rel 0.0001.", "not run on ARM"):  # fmt: skip
        assert fact in text, fact
    assert "input range unknown" not in text
    assert "None" not in text


def test_what_is_assumed_is_told(tmp_path: Path) -> None:
    text = render(made(tmp_path, Preprocessing(assumed=True)))
    assert "preprocessing of input `images` is assumed" in text
    assert "input range unknown" in text


def test_kinds_of_latency_never_share_a_column(tmp_path: Path) -> None:
    numbers = [
        number("latency", 5.5, "ms", statistic="median", engine="ncnn", n=20),
        number("latency", 7.25, "ms", statistic="median", engine="ncnn", kind="measured", on="adb:123"),
        number("latency", 9, "ms", statistic="p90", engine="ncnn", kind="predicted", on=None, n=None),
    ]
    lines = render(made(tmp_path, numbers=numbers)).splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| latency")]
    head = next(line for line in lines if "native on this host" in line)
    assert [cell.strip() for cell in head.split("|")[5:-1]] == ["measured on a device", "native on this host", "predicted"]
    assert [row[4:] for row in rows] == [["", "5.5 ms", ""], ["7.25 ms", "", ""], ["", "", "9 ms"]]
    assert not any("not run on ARM" in line for line in lines)


def test_steps_show_before_and_after(tmp_path: Path) -> None:
    cost = {"params": 1000, "macs": 20000, "bytes": 4000}
    step = {"pass": "FoldBatchNorm", "settings": {"eps": 1}, "before": cost, "after": {**cost, "params": 900}, "seconds": 0.5}
    text = render(made(tmp_path, steps=[step]))
    assert "| FoldBatchNorm | 1,000 → 900 | 20,000 → 20,000 | 4,000 → 4,000 | 0.50 | eps = 1 |" in text


def test_equal_outputs_and_no_fidelity(tmp_path: Path) -> None:
    same = {"max_abs": 0, "rel": 0, "sqnr_db": 999.0, "cosine": 1, "top1_agreement": None, "n": 8}
    text = render(made(tmp_path, parity={"scores": same}, fidelity=None))
    assert "∞ dB" in text
    assert "**Fidelity**: not taken." in text


def test_documents(tmp_path: Path) -> None:
    assert sorted(documents(made(tmp_path))) == ["USE.md", "report.md"]


@pytest.mark.parametrize("name", ["a|b", "line\nbreak"])
def test_odd_names_keep_the_table(tmp_path: Path, name: str) -> None:
    facts = made(tmp_path)
    facts["outputs"][0]["source_name"] = name
    rows = [line for line in render(facts).splitlines() if line.startswith("| outputs")]
    assert len(rows) == 1
    assert rows[0].replace("\\|", "").count("|") == 8


def test_what_was_tried_and_what_was_not(tmp_path: Path) -> None:
    losses = {"before": {"sqnr_db": 30.0, "kl": 1e-3}, "after": {"sqnr_db": 31.25, "kl": 5e-4}}
    tried = {"name": "narrow", "kept": True, "layers": ["scores"], **losses}
    facts = {"values": [], "layers": 3, "kept_float": {}, "repairs": [tried], "spared": ["adaround"]}
    text = render(made(tmp_path, quantization=facts))
    assert "| scores as far as a softmax tells them apart | kept | 30.00 | 31.25 | 1.00e-03 | 5.00e-04 | 1 |" in text
    assert "Not tried, as it takes long for this model: adaptive rounding; `--repair thorough` does." in text
    assert "Not tried" not in render(made(tmp_path, quantization={**facts, "spared": []}))
