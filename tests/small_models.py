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


def pictures(folder: Path, *, classes: int = CLASSES, each: int = 2, size: int = 12) -> Path:
    """Class folders of random PNG pictures."""
    from PIL import Image

    rng = np.random.default_rng(3)
    for c in range(classes):
        (folder / f"class{c}").mkdir(parents=True)
        for i in range(each):
            Image.fromarray(rng.integers(0, 256, (size, size, 3), np.uint8)).save(folder / f"class{c}" / f"{i}.png")
    return folder
