"""Scores by name: what they need, how they order channels made by hand, and real nets pruned by each of them."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from exporter.array import Array
from exporter.channels.classes import channels_of
from exporter.compression.scoring import SCORERS, Evidence, scorer
from exporter.cost.count import totals
from exporter.data import Dataset, InputSpec
from exporter.data.arrays import Arrays
from exporter.data.rows import MemoryRows
from exporter.errors import UsageError
from exporter.graph import Graph, shape_of
from exporter.passes.run import clean
from exporter.pruning.proof import require_exact
from exporter.pruning.prune import Settings, prune
from exporter.pruning.widths import LOWEST, Budget, Measure, plan_of
from exporter.sources.open import LoadOptions, open_source
from tests import kit_data as kit_sets
from tests.graphs import graph_from_text
from tests.nets import pictures, saved
from tests.pruning.cut import EXACT, weights

HALF = Budget(Measure.MACS, 0.5)
SEEING = ("taylor", "discriminating", "entropy", "entropy-previous", "entropy-next", "thinet", "lasso")
"""Those that look at data."""

WIDTH, COUNT = 8, 64


def net(**changed: Array) -> Graph:
    """x -> a (8) -> batch norm -> relu -> b (8) -> relu -> classes (4)."""
    values = weights(0, wa=(WIDTH, 3, 3, 3), mean=(WIDTH,), var=(WIDTH,), wb=(WIDTH, WIDTH, 1, 1), dense=(4, WIDTH))
    values |= {"scale": np.ones(WIDTH), "shift": np.full(WIDTH, 0.5), **changed}
    text = """g (float[N,3,6,6] x) => (float[N,4] y) {
        a = Conv <pads = [1, 1, 1, 1]> (x, wa) n = BatchNormalization (a, scale, shift, mean, var) ra = Relu (n)
        b = Conv (ra, wb) rb = Relu (b) p = GlobalAveragePool (rb) f = Flatten (p) l = Gemm <transB = 1> (f, dense) y = Softmax (l) }"""
    return graph_from_text(text, values)


def constant(graph: Graph, name: str) -> Array:
    found = graph.model.graph.initializers[name].const_value
    assert found is not None
    return np.array(found.numpy(), np.float64)


def evidence(graph: Graph) -> Evidence:
    x = np.random.default_rng(1).standard_normal((COUNT, 3, 6, 6)).astype(np.float32)
    rows = {"x": MemoryRows(x)}
    data = Dataset(Arrays("x", rows, [InputSpec("x", (3, 6, 6), "plain")], {}, lambda digest: None), np.arange(COUNT) % 4)
    return Evidence({"x": x}, data, graph)


def scores(name: str, graph: Graph, layer: str = "a") -> Array:
    channels = channels_of(graph)
    return scorer(name, graph, evidence(graph))(channels)[channels.made(channels.layers[layer])]


def test_the_first_is_the_default() -> None:
    assert next(iter(SCORERS)) == "l2"
    assert set(SEEING) < set(SCORERS)


@pytest.mark.parametrize("name", [n for n in SCORERS if n != "random"])
def test_a_dead_channel_is_the_lowest(name: str) -> None:
    plain = net()
    changed = {key: constant(plain, key) for key in ("wa", "scale", "shift", "mean")}
    for array in changed.values():
        array[5] = 0
    found = scores(name, net(**changed))
    assert found.argmin() == 5
    assert found[5] < 0.9 * np.delete(found, 5).min()


def test_taylor_knows_what_no_class_depends_on() -> None:
    dense, wb = constant(net(), "dense"), constant(net(), "wb")
    dense[:, 2] = 5.0  # the same for every class: softmax does not see it
    wb[2] *= 5
    graph = net(dense=dense, wb=wb)
    assert scores("taylor", graph, "b").argmin() == 2
    assert scores("l2", graph, "b").argmax() == 2


@pytest.mark.parametrize("name", ["entropy", "entropy-previous", "entropy-next"])
def test_entropy_finds_what_is_always_the_same(name: str) -> None:
    wa, shift = constant(net(), "wa"), constant(net(), "shift")
    wa[3], shift[3] = 0, 9.0
    graph = net(wa=wa, shift=shift, mean=np.zeros(WIDTH))
    assert scores(name, graph).argmin() == 3


def test_thinet_takes_those_that_cancel_each_other_out() -> None:
    plain = net()
    changed = {key: constant(plain, key) for key in ("wa", "mean", "var", "wb")}
    for key in ("wa", "mean", "var"):
        changed[key][6] = changed[key][1]  # a twin
    changed["wb"][:, 6] = -changed["wb"][:, 1] + 0.01
    changed["wb"][:, [0, 2, 3, 4, 5, 7]] *= 3
    order = np.argsort(scores("thinet", net(**changed)))
    assert set(order[:2].tolist()) == {1, 6}


def test_lasso_drops_one_of_twins() -> None:
    plain = net()
    changed = {key: constant(plain, key) for key in ("wa", "mean", "var", "wb")}
    for key in ("wa", "mean", "var"):
        changed[key][6] = changed[key][1]
    changed["wb"][:, 6] = 0.9 * changed["wb"][:, 1]  # the weaker one's part the other takes over
    assert scores("lasso", net(**changed)).argmin() == 6
    assert scores("l2", net(**changed)).argmin() != 6


@pytest.mark.parametrize("name", SCORERS)
def test_every_round_asks_about_its_own_graph(name: str) -> None:
    graph = net()
    given = evidence(graph)
    found = prune(graph, Settings(HALF, scorer(name, graph, given), channel_step=2, rounds=2), given.samples)
    once = prune(graph, Settings(HALF, channel_step=2))
    assert totals(found.graph).macs == totals(once.graph).macs <= 0.5 * totals(graph).macs
    assert {name: len(rows) for name, rows in found.kept.items()} == {name: len(rows) for name, rows in once.kept.items()}


@pytest.mark.parametrize("name", ["taylor", "discriminating"])
def test_a_teacher_answers_where_labels_are_missing(name: str) -> None:
    graph = net()
    full = evidence(graph)
    assert full.data is not None
    bare = Evidence(full.samples, teacher=graph)
    found = [scorer(name, graph, e)(channels_of(graph)) for e in (bare, Evidence(None, Dataset(full.data.samples), graph))]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-3)  # the same pictures, as samples and as data; threads add in any order
    assert np.ptp(found[0][found[0] > 0]) > 0.1


def test_seeds_draw_other_batches() -> None:
    graph = net()
    given = evidence(graph)
    one, same, other = (scorer("thinet", graph, Evidence(given.samples, seed=s))(channels_of(graph)) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("name", SCORERS)
def test_what_a_score_lacks_is_said(name: str) -> None:
    graph = net()
    if name not in SEEING:
        scorer(name, graph, Evidence())
        return
    with pytest.raises(UsageError, match=f"score {name} needs") as caught:
        scorer(name, graph, Evidence())
    assert "--train" in str(caught.value.hint)


def test_labels_or_a_teacher() -> None:
    graph = net()
    data = evidence(graph).data
    assert data is not None
    with pytest.raises(UsageError, match="labels, or a teacher"):
        scorer("taylor", graph, Evidence(evidence(graph).samples, Dataset(data.samples)))


def test_an_unknown_score() -> None:
    with pytest.raises(UsageError, match="unknown score: tailor") as caught:
        scorer("tailor", net(), Evidence())
    assert caught.value.hint == "did you mean `taylor`?"


@cache
def load(path: Path) -> Graph:
    with open_source(path, LoadOptions()) as source:
        graph = source.load()
    clean(graph)
    return graph


def check(name: str, graph: Graph, given: Evidence) -> None:
    """Half the MACs, and equal to the zeroed net."""
    plan = plan_of(graph, HALF, scorer=scorer(name, graph, given))
    pruned = plan.apply()
    assert LOWEST * HALF.share <= totals(pruned).macs / totals(graph).macs <= HALF.share
    assert given.samples is not None
    require_exact(graph, pruned, plan.removed, {key: x[:2] for key, x in given.samples.items()}, EXACT)


def noise(graph: Graph, count: int, scale: float = 1.0, middle: float = 0.0) -> dict[str, Array]:
    value = graph.model.graph.inputs[0]
    channels, height, width = shape_of(value)[1:]
    return {str(value.name): middle + scale * pictures(count, (height, width, channels), seed=7).transpose(0, 3, 1, 2)}


@pytest.mark.slow
@pytest.mark.parametrize("name", SCORERS)
def test_resnet8(name: str, kit: Path, kit_data: Path) -> None:
    graph = load(kit / "models/keras/mlperf_resnet8_cifar10/pretrainedResnet.h5")
    folder = kit_sets.unpack(kit / "datasets/cifar10/train_5000.tar.gz", kit_data / "cifar10-train") / "train"
    check(name, graph, trained(graph, folder, 200))


@pytest.mark.slow
@pytest.mark.parametrize("name", SCORERS)
def test_mobilenet(name: str, kit: Path, kit_data: Path) -> None:
    graph = load(kit / "models/keras/st_flowers_mobilenet_v2_0.35_128/mobilenet_v2_0.35_128.h5")
    folder = kit_sets.unpack(kit / "datasets/tf_flowers/train_1535_short128.tar.gz", kit_data / "flowers-train")
    check(name, graph, trained(graph, folder, 64))


def trained(graph: Graph, folder: Path, count: int) -> Evidence:
    """Labelled pictures of the kit, as many as that."""
    from exporter.building.stages import input_specs
    from exporter.data import open_data

    data = open_data(folder, input_specs(graph), {}).some(count)
    port = graph.inputs[0]
    return Evidence({port.name: port.to_graph(data.pick(count)[0][port.source_name])}, data, graph)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("net_name", "name"),
    [*(("shufflenet_v1", n) for n in SCORERS), *(("mobilenet_v3_small", n) for n in ("taylor", "entropy-next", "lasso"))],
)
def test_shuffles_and_squeezes(net_name: str, name: str, kept_nets: Path) -> None:
    graph = load(saved(net_name, kept_nets))
    check(name, graph, Evidence(noise(graph, 8), teacher=graph))


@pytest.fixture(scope="module")
def kept_nets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each net is made once."""
    return tmp_path_factory.mktemp("nets")
