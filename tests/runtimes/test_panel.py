"""Several files in one process, timed turn by turn."""

from pathlib import Path

import numpy as np
import pytest

from exporter.compression.timing import written
from exporter.errors import EngineError, UsageError
from exporter.runtimes.run import open_panel
from tests.graphs import graph_from_text

ENGINES = {"onnx": "onnxruntime", "tflite": "litert", "ncnn": "ncnn"}


def files(format: str, folder: Path):
    """Two files of different widths, and a sample for each."""
    found = []
    for width in (4, 6):
        text = f"g (float[N,3,6,6] x) => (float[N,{width},6,6] y) {{ c = Conv (x, w) y = Relu (c) }}"
        weights = {"w": np.random.default_rng(0).standard_normal((width, 3, 1, 1))}
        found.append(written(graph_from_text(text, weights), format, folder / str(width)))
    return found


@pytest.mark.parametrize("format", ENGINES)
def test_every_file_is_timed_in_every_round(format: str, tmp_path: Path):
    made = files(format, tmp_path)
    with open_panel(ENGINES[format], [path for path, _ in made]) as panel:
        assert panel.facts["engine"] == ENGINES[format]
        for i, (_, feeds) in enumerate(made):
            panel.call("feed", feeds, index=i)
        facts, _ = panel.call("time", rounds=3, seed=0)
    for times in (facts["ms"], facts["cpu_ms"]):
        assert np.array(times).shape == (3, 2)
        assert (np.array(times) >= 0).all()


def test_what_cannot_be_timed_is_refused(tmp_path: Path):
    made = files("onnx", tmp_path)
    with open_panel("onnxruntime", [path for path, _ in made]) as panel, pytest.raises(EngineError, match="nothing to time"):
        panel.call("time", rounds=1, seed=0)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    with pytest.raises(EngineError, match="onnxruntime refuses broken"):
        open_panel("onnxruntime", [made[0][0], broken])
    with pytest.raises(UsageError, match="unknown runtime: onnxrutime"):
        open_panel("onnxrutime", [broken])


def test_ncnn_leaves_outputs_packed_where_asked(tmp_path: Path):
    made = files("ncnn", tmp_path)
    with open_panel("ncnn", [path for path, _ in made], options={"packed_outputs": True}) as panel:
        for i, (_, feeds) in enumerate(made):
            panel.call("feed", feeds, index=i)
        facts, _ = panel.call("time", rounds=2, seed=0)
    assert np.array(facts["cpu_ms"]).shape == (2, 2)
