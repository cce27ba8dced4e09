"""A real net in int8, on real pictures."""

from pathlib import Path

import numpy as np
from PIL import Image

from exporter.array import Array
from exporter.graph.evaluate import evaluate
from exporter.parity import sqnr_db
from exporter.passes.run import clean, fold
from exporter.sources.open import LoadOptions, open_source
from tests.formats.ncnn.integers import lines, quantized, written


def pictures(folder: Path, start: int, count: int) -> tuple[Array, Array]:
    """`count` pictures of each class, normalised as this net wants them, and their classes."""
    files = [(f, i) for i, c in enumerate(sorted(folder.iterdir())) for f in sorted(c.iterdir())[start : start + count]]
    x = np.stack([np.asarray(Image.open(f), np.float32) for f, _ in files]) / 255
    x = (x - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    return x.transpose(0, 3, 1, 2).astype(np.float32), np.array([i for _, i in files])


def test_resnet20_keeps_its_accuracy(kit: Path, cifar10: Path, tmp_path: Path) -> None:
    with open_source(kit / "models/onnx/cifar10_resnet20_56/resnet20.onnx", LoadOptions()) as source:
        graph = source.load()
    clean(graph)
    fold(graph)
    seen, (x, labels) = pictures(cifar10, 0, 5)[0], pictures(cifar10, 5, 20)
    qdq = quantized(graph, {"input": seen})
    artifact, session = written(qdq, tmp_path)
    kinds = lines(artifact)
    assert [term for _, term in kinds].count(102) == 9  # in each block, from the first convolution to the second
    assert all(term for _, term in kinds)
    (name,) = (p.name for p in graph.outputs)
    tensor = artifact.outputs[0]
    rows = session.run_many({artifact.inputs[0].name: x})[1][tensor.name]
    got = np.concatenate([tensor.to_graph(row, (1, 10)) for row in rows])
    floats, pairs = (evaluate(g, {"input": x})[name] for g in (graph, qdq))
    assert sqnr_db(pairs, got) >= 35  # 46 dB seen: numbers next to a half, amplified by 20 layers
    assert sqnr_db(floats, got) >= 24  # 30 dB seen; ranges from 50 pictures
    lost = int((floats.argmax(1) == labels).sum()) - int((got.argmax(1) == labels).sum())
    assert lost <= 3  # of 200; 0 seen
