"""Small ONNX files for tests of the whole flow."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CLASSES = 5


def classifier(path: Path, *, seed: int = 0, size: int = 12, extra_op: str | None = None, width: int = 8) -> Path:
    """Write conv, batch norm, relu, pool, dense, softmax on (N, 3, size, size); `extra_op` stands twice before the pool."""
    rng = np.random.default_rng(seed)

    def weight(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array((rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32), name)

    def channels(name: str, low: float) -> onnx.TensorProto:
        return numpy_helper.from_array(rng.uniform(low, low + 1, width).astype(np.float32), name)

    tensors = [weight("w", width, 3, 3, 3), channels("scale", 0.5), channels("shift", -0.5), channels("mean", -0.5), channels("var", 0.5),
               weight("dense", CLASSES, width), weight("bias", CLASSES)]  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["c"], name="first", pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c", "scale", "shift", "mean", "var"], ["b"], name="norm"),
        helper.make_node("Relu", ["b"], ["r"], name="act"),
    ]
    last = "r"
    for i in range(2 if extra_op else 0):
        nodes.append(helper.make_node(extra_op or "", [last], [f"x{i}"], name=f"odd{i}"))
        last = f"x{i}"
    nodes += [
        helper.make_node("GlobalAveragePool", [last], ["p"], name="pool"),
        helper.make_node("Flatten", ["p"], ["f"], name="flat"),
        helper.make_node("Gemm", ["f", "dense", "bias"], ["logits"], name="dense", transB=1),
        helper.make_node("Softmax", ["logits"], ["scores"], name="soft", axis=1),
    ]
    graph = helper.make_graph(
        nodes, "small", [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, size, size])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", CLASSES])], tensors,
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def wide(path: Path) -> Path:
    """Write a net of three convolutions on (1, 3, 32, 32) whose middle one leaves half precision's range: 1.3e5 on pixels in -1..1."""
    rng = np.random.default_rng(0)
    weights = {
        "w1": rng.standard_normal((8, 3, 3, 3)) * 0.3, "w2": np.abs(rng.standard_normal((8, 8, 3, 3))) * 3000,
        "w3": rng.standard_normal((8, 8, 3, 3)) * 1e-5, "w4": rng.standard_normal((8, 10)),
    }  # fmt: skip
    nodes, last = [], "x"
    for i in (1, 2, 3):
        nodes.append(helper.make_node("Conv", [last, f"w{i}"], [f"c{i}"], name=f"conv{i}", pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"c{i}"], [f"r{i}"], name=f"relu{i}"))
        last = f"r{i}"
    nodes += [
        helper.make_node("GlobalAveragePool", [last], ["g"], name="pool"),
        helper.make_node("Flatten", ["g"], ["f"], name="flat"),
        helper.make_node("MatMul", ["f", "w4"], ["y"], name="dense"),
    ]
    graph = helper.make_graph(
        nodes, "wide", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 32, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 10])],
        [numpy_helper.from_array(w.astype(np.float32), name) for name, w in weights.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def pictures(folder: Path, *, classes: int = CLASSES, each: int = 2, size: int = 12) -> Path:
    """Class folders of random PNG pictures."""
    from PIL import Image

    rng = np.random.default_rng(3)
    for c in range(classes):
        (folder / f"class{c}").mkdir(parents=True)
        for i in range(each):
            Image.fromarray(rng.integers(0, 256, (size, size, 3), np.uint8)).save(folder / f"class{c}" / f"{i}.png")
    return folder
