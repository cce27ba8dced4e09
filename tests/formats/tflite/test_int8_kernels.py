"""Every int8 operator of every case, as the engine runs it, against integer arithmetic in numpy."""

from pathlib import Path

import numpy as np
import pytest

from exporter.runtimes.litert import Session
from tests.formats.tflite.cases import CASES
from tests.formats.tflite.emulate import EMULATE, expected, operators
from tests.formats.tflite.running import quantized, written
from tests.graphs import graph_from_text, random_inputs

STEPS = 1
"""Engines multiply by ratios of scales in fixed point and round halves away from 0, to even or up: of one number two neighbours."""

covered: set[str] = set()


@pytest.mark.parametrize("name", CASES)
def test_operators_agree_with_integer_arithmetic(name: str, tmp_path: Path) -> None:
    graph = quantized(graph_from_text(*CASES[name]))
    artifact, _ = written(graph, tmp_path, "mixed", io="int8")
    inputs = random_inputs(graph)
    for op in operators(artifact.path, {t.name: t.from_graph(inputs[t.graph_name]) for t in artifact.inputs}):
        if op.kind in EMULATE and all(t.numbers.dtype == np.int8 for t in op.outputs):
            covered.add(op.kind)
            for t, want in zip(op.outputs, expected(op), strict=True):
                assert t.numbers.shape == want.shape
                assert np.abs(t.numbers.astype(int) - want).max(initial=0) <= STEPS, op.kind


def test_every_emulated_operator_was_met() -> None:
    if covered:  # the cases ran in this process
        assert covered == set(EMULATE)


@pytest.mark.parametrize("name", [n for n in CASES if not n.startswith("resize")])
def test_xnnpack_agrees_with_the_plain_kernels(name: str, tmp_path: Path) -> None:
    """A step of rounding a layer, grown by the layers behind it: one of the 30 steps and more that the outputs use."""
    graph = quantized(graph_from_text(*CASES[name]))
    artifact, fast = written(graph, tmp_path, "mixed")
    plain = Session(str(artifact.path), 1, {"xnnpack": False})
    inputs = random_inputs(graph)
    feeds = {t.name: t.from_graph(inputs[t.graph_name]) for t in artifact.inputs}
    a, b = fast.run(feeds)[1], plain.run(feeds)[1]
    for key, got in a.items():
        assert np.linalg.norm(got - b[key]) <= 0.03 * np.linalg.norm(b[key]) + 1e-6, key
