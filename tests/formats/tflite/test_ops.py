"""Every lowering rule, against onnxruntime."""

from pathlib import Path

import numpy as np
import pytest

from exporter.formats import tflite
from exporter.runtimes.litert import Session
from tests.formats.tflite.cases import CASES
from tests.formats.tflite.running import worst_rel, written
from tests.graphs import graph_from_text


@pytest.mark.parametrize("name", CASES)
def test_op_agrees_with_onnxruntime(name: str, tmp_path: Path) -> None:
    graph = graph_from_text(*CASES[name])
    artifact, session = written(graph, tmp_path)
    assert worst_rel(graph, artifact, session) <= 2e-5  # float32 rounding in sums of up to 150 products
    plain = Session(str(artifact.path), 1, {"xnnpack": False})
    assert worst_rel(graph, artifact, plain) <= 2e-5  # the same by LiteRT's plain kernels


@pytest.mark.parametrize("delegate", [True, False])
def test_what_is_no_number_is_found(tmp_path: Path, delegate: bool) -> None:
    text = "g (float[N,6,3,5] x) => (float[N,6,3,5] y) { l = Log (x) c = IsNaN (l) y = Where (c, z, l) }"
    graph = graph_from_text(text, {"z": np.float32(-9)})
    artifact, _ = written(graph, tmp_path)
    assert worst_rel(graph, artifact, Session(str(artifact.path), 1, {"xnnpack": delegate})) <= 2e-5


def test_check_is_quiet_on_known_ops() -> None:
    assert [p for name in CASES for p in tflite.check(graph_from_text(*CASES[name])) if p.fatal] == []
