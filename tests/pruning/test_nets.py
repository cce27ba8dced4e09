"""Whole nets, pruned to half their MACs: equal to the zeroed ones, none skipped; and a trained one that keeps its accuracy."""

from pathlib import Path

import pytest

from exporter.array import Array
from exporter.building.stages import input_specs
from exporter.cost.count import totals
from exporter.data import Dataset, open_data
from exporter.graph import Graph, shape_of
from exporter.graph.evaluate import Evaluator
from exporter.passes.run import clean
from exporter.pruning.norms import reestimated
from exporter.pruning.proof import require_exact
from exporter.pruning.repair import repair
from exporter.pruning.widths import LOWEST, Budget, Measure, Scope, plan_of
from exporter.sources.keras import lower_model
from exporter.sources.open import LoadOptions, open_source
from tests import kit_data as kit_sets
from tests.nets import NAMES, build, pictures

HALF = Budget(Measure.MACS, 0.5)
EXACT = 1e-5
"""float32 sums in another order; 1e-6 was seen at most."""


def load(path: Path) -> Graph:
    with open_source(path, LoadOptions()) as source:
        graph = source.load()
    clean(graph)
    return graph


def noise(graph: Graph) -> dict[str, Array]:
    value = graph.model.graph.inputs[0]
    channels, height, width = shape_of(value)[1:]
    return {str(value.name): pictures(2, (height, width, channels), seed=7).transpose(0, 3, 1, 2)}


def lowered(name: str) -> Graph:
    """One of the well-known nets, without the way through a file and another process."""
    graph = lower_model(build(name), name=name)
    clean(graph)
    return graph


def check(graph: Graph) -> None:
    plan = plan_of(graph, HALF)
    pruned = plan.apply()
    share = totals(pruned).macs / totals(graph).macs
    assert LOWEST * HALF.share <= share <= HALF.share
    require_exact(graph, pruned, plan.removed, noise(graph), EXACT)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_classifier(name: str):
    check(lowered(name))


@pytest.mark.parametrize("file", ["ultraface_320/version-slim-320.onnx", "fastestdet_coco/FastestDet.onnx"])
def test_detector(kit: Path, file: str):
    check(load(kit / "models/onnx" / file))


@pytest.mark.parametrize("file", ["resnet20.onnx", "resnet56_bn.onnx"])
def test_resnet_of_pytorch(kit: Path, file: str):
    check(load(kit / "models/onnx/cifar10_resnet20_56" / file))


@pytest.mark.slow
def test_resnet8_keeps_most_after_repair(kit: Path, kit_data: Path, cifar10: Path):
    """86.9 % before; without repair it guesses. Samples are training pictures, accuracy is on the test pictures."""
    graph = load(kit / "models/keras/mlperf_resnet8_cifar10/pretrainedResnet.h5")
    pictures_of = kit_sets.unpack(kit / "datasets/cifar10/train_5000.tar.gz", kit_data / "cifar10-train") / "train"
    samples = to_graph(graph, open_data(pictures_of, input_specs(graph), {}).pick(500)[0])
    plan = plan_of(graph, HALF, scope=Scope.LOCAL)
    pruned = plan.apply()
    test = open_data(cifar10, input_specs(graph), {})
    plain, normed, repaired = (accuracy(g, test) for g in (pruned, reestimated(pruned, samples), repair(graph, pruned, plan.kept, samples)))
    assert plain < normed < repaired
    assert plain < 30
    assert repaired >= 60  # 63.5 was seen


def to_graph(graph: Graph, inputs: dict[str, Array]) -> dict[str, Array]:
    return {p.name: p.to_graph(inputs[p.source_name]) for p in graph.inputs}


def accuracy(graph: Graph, data: Dataset) -> float:
    """Top-1 in percent."""
    evaluator, right = Evaluator(graph), 0
    for inputs, labels in data.batches(500):
        assert labels is not None
        right += int((evaluator.run(to_graph(graph, inputs))[graph.outputs[0].name].argmax(1) == labels).sum())
    return 100 * right / len(data)
