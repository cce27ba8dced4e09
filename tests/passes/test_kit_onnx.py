"""Real ONNX files, by PyTorch and by Keras, through the exact phases."""

from pathlib import Path

import pytest

from exporter.passes import Phase
from exporter.passes.run import checked
from exporter.sources.open import LoadOptions, open_source
from tests.graphs import random_inputs
from tests.passes.pass_check import ops


@pytest.mark.parametrize(
    ("file", "layout", "gone", "left"),
    [
        ("fastestdet_coco/FastestDet.onnx", "nchw", {"Transpose", "Reshape", "Gather", "Pad"}, {"ChannelShuffle": 13, "Slice": 26}),
        ("mnist_cnn_nharish/onnx_mnist.onnx", "nhwc", {"Transpose", "MatMul", "Flatten", "Add"}, {"Gemm": 1, "Reshape": 1}),
        ("cifar10_resnet20_56/resnet56_bn.onnx", "nchw", {"BatchNormalization"}, {"GlobalAveragePool": 1, "Gemm": 1}),
    ],
)
def test_real_files(kit: Path, file: str, layout: str, gone: set[str], left: dict[str, int]):
    with open_source(kit / "models/onnx" / file, LoadOptions()) as source:
        graph = source.load()
    # equal within the tolerance of `checked`, which raises otherwise
    clean = checked(graph, Phase.CLEAN, random_inputs(graph, samples=2))
    folded = checked(clean, Phase.FOLD, random_inputs(clean, samples=2))
    found = ops(folded)
    assert not gone & set(found)
    assert {k: found[k] for k in left} == left
    assert folded.inputs[0].layout == layout
    assert folded.model.graph.inputs[0].name == graph.model.graph.inputs[0].name
