"""The batch brought to the front, operator by operator: a graph merges it away, and must do for three samples what it does for one."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from exporter.graph.evaluate import evaluate
from exporter.sources.onnx import load
from exporter.sources.open import LoadOptions
from tests.sources.torch_graphs import W, model

TO = {"merged": "m = Reshape(x, merged)", "turned": "m = Transpose<perm=[1,0,2]>(x)", "dropped": "m = Squeeze(x, zero)"}
"""Ways to take a (1, 4, 6) value's batch off axis 0: (2, 2, 6), (4, 1, 6) and (4, 6)."""

BODIES = {
    "softmax": "y0 = Softmax<axis=0>(m)",
    "softmax_last": "y0 = Softmax<axis=-1>(m)",
    "layer_norm": "y0 = LayerNormalization<axis=-1>(m, six, six)",
    "reduce_kept": "y0 = ReduceMean<keepdims=1>(m, zero)",
    "reduce": "y0 = ReduceMax<keepdims=0>(m, zero)",
    "reduce_all": "y0 = ReduceSum<keepdims=1>(m)",
    "arg_max": "a = ArgMax<axis=0>(m) y0 = Cast<to=1>(a)",
    "concat": "r = Relu(m) y0 = Concat<axis=0>(m, r)",
    "slice": "y0 = Slice(m, zero, one, zero)",
    "gather": "y0 = Gather<axis=0>(m, last)",
    "gather_rows": "y0 = Gather<axis=0>(m, rows)",
    "split": "y0, b = Split<axis=-1,num_outputs=2>(m)",
    "pad": "y0 = Pad(m, three, , last_axis)",
    "unsqueeze": "y0 = Unsqueeze(m, one)",
    "matmul": "y0 = MatMul(m, wide)",
    "matmul_left": "t = MatMul(left, m6) y0 = Relu(t)",
    "add_row": "y0 = Add(m, six)",
    "where": "c = Greater(m, six) y0 = Where(c, m, six)",
    "flatten": "y0 = Flatten<axis=1>(m)",
}
NUMBERS = {
    "merged": np.array([2, 2, 6]), "zero": np.array([0]), "one": np.array([1]), "last": np.array(-1), "rows": np.array([1, 0]),
    "three": np.array([1, 2]), "last_axis": np.array([-1]), "six": W(6), "wide": W(6, 5), "left": W(3, 4), "s46": np.array([4, 6]),
}  # fmt: skip


@pytest.mark.parametrize("way", TO)
@pytest.mark.parametrize("body", BODIES)
def test_operator(way: str, body: str, tmp_path: Path) -> None:
    text = f"{TO[way]} {'m6 = Reshape(m, s46)' if 'm6' in BODIES[body] else ''} {BODIES[body]} y = Reshape(y0, flat)"
    used = {n: a for n, a in NUMBERS.items() if n in text.replace(",", " ").replace("(", " ").replace(")", " ").split()}
    proto = model(f"g (float[1,4,6] x) => (float[a,b] y) {{ {text} }}", {**used, "flat": np.array([1, -1])}, opset=18)
    onnx.save(proto, tmp_path / "m.onnx")
    graph = load(tmp_path / "m.onnx", LoadOptions(), "m")
    x = np.random.default_rng(0).standard_normal((3, 4, 6)).astype(np.float32)
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    want = np.concatenate([session.run(None, {"x": one[None]})[0] for one in x])
    got = evaluate(graph, {"x": x})["y"]
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)  # float32 sums in another order
