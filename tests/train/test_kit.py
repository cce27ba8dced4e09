"""Real trained models of every source: the bridge equals the Graph before and after a step, and so does its Keras file."""

import warnings
from pathlib import Path

import keras
import numpy as np
import pytest

from exporter.array import Array
from exporter.graph import Graph, shape_of
from exporter.graph.files import load_graph
from exporter.passes.run import clean
from exporter.sources.keras import session as keras_file
from exporter.sources.open import LoadOptions, open_source
from exporter.sources.saved_model import session as saved_model
from exporter.train.bridge import Bridge
from exporter.train.parity import SAMPLES, require_parity
from exporter.train.separate import separate
from exporter.train.to_keras.export import save
from tests.train.test_bridge import one_step

MODELS = {
    "keras/mlperf_resnet8_cifar10/pretrainedResnet.h5": 255.0,
    "keras/st_flowers_mobilenet_v2_0.35_128/mobilenet_v2_0.35_128.h5": 1.0,
    "keras/mlperf_vww96/vww_96.h5": 1.0,
    "keras/cifar10_cnn_sudo/cifar10_model.keras": 1.0,
    "keras/mlperf_ad01_autoencoder/ad01.h5": 1.0,
    "onnx/cifar10_resnet20_56/resnet20.onnx": 1.0,
    "onnx/cifar10_resnet20_56/resnet56_bn.onnx": 1.0,
    "onnx/fastestdet_coco/FastestDet.onnx": 1.0,
    "onnx/ultraface_320/version-slim-320_simplified.onnx": 1.0,
    "onnx/mnist_cnn_nharish/onnx_mnist.onnx": 1.0,
    "tf_savedmodel/mlperf_kws_dscnn/kws_ref_model": 1.0,
}
"""Below kit/models, to the largest number of its inputs."""


def loaded(path: Path, folder: Path) -> Graph:
    """By this process's TensorFlow, which is running already."""
    if path.suffix == ".onnx":
        with open_source(path, LoadOptions()) as source:
            graph = source.load()
    else:
        session = saved_model.Session(str(path)) if path.is_dir() else keras_file.Session(str(path))
        session.load(str(folder))
        graph = load_graph(folder)
    clean(graph)
    return separate(graph)


def inputs_of(graph: Graph, top: float) -> dict[str, Array]:
    rng = np.random.default_rng(0)
    shapes = {str(v.name): shape_of(v, SAMPLES) for v in graph.model.graph.inputs}
    return {p.source_name: p.to_source((top * rng.random(shapes[p.name])).astype(np.float32)) for p in graph.inputs}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_a_real_model_is_trained_and_written(name: str, kit: Path, tmp_path: Path) -> None:
    graph = loaded(kit / "models" / name, tmp_path)
    inputs = inputs_of(graph, MODELS[name])
    bridge = Bridge(graph)
    require_parity(bridge, graph, inputs)
    gradients = one_step(bridge, inputs)
    assert [n for n, g in gradients.items() if g is None] == []
    bridge.restore(Bridge(graph).state())  # a step on noise may break a real model
    require_parity(bridge, bridge.to_graph(), inputs)
    save(graph, tmp_path / "model.keras", inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        model = keras.models.load_model(tmp_path / "model.keras")
    assert model.count_params() >= sum(v.numpy().size for v in bridge.trainable.values())
