"""Channels of like sizes: the same net in float, through whatever carries channels on; fewer steps lost to one scale for all."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.array import Array
from exporter.graph import Graph
from exporter.graph.evaluate import evaluate
from exporter.passes.run import clean, fold
from exporter.quantization.equalise import channel_sizes, equalised
from exporter.quantization.measure import tails
from exporter.quantization.scalable import scalable
from exporter.sources.keras import lower_model
from tests.channel_graphs import KINDS, random_net
from tests.graphs import graph_from_text, random_inputs
from tests.nets import build
from tests.quantization.nets import conv_net, pictures

SAME = 1e-5
"""Weights were rounded to float32 once more."""


def weights(**shapes: tuple[int, ...]) -> dict[str, Array]:
    """Random ones, of channels whose sizes differ by up to a hundred."""
    rng = np.random.default_rng(0)
    sizes = {name: np.exp(rng.normal(0, 1, shape[0])).reshape(-1, *[1] * (len(shape) - 1)) for name, shape in shapes.items()}
    return {name: rng.standard_normal(shape) * sizes[name] for name, shape in shapes.items()}


def require_same(graph: Graph, other: Graph, samples: dict[str, Array]) -> None:
    """What goes into a final Softmax, which would hide differences, or else the outputs."""
    names = [end.value for end in tails(graph)]
    want, got = (evaluate(g, samples, names) for g in (graph, other))
    for name in names:
        assert np.abs(want[name] - got[name]).max() < SAME * np.abs(want[name]).max()


def divisors(text: str, inits: dict[str, Array]) -> dict[str, Array]:
    """Equalise; of each value that layers read evened, what its channels were divided by, after all is proved."""
    graph = graph_from_text(f"g (float[N,3,8,8] x) => (float[N,4] y) {{ {text} }}", inits)
    samples = random_inputs(graph, samples=8)
    found = equalised(graph, samples)
    require_same(graph, found.graph, random_inputs(graph, seed=1, samples=4))
    before, after = (channel_sizes(g, list(found.values), samples) for g in (graph, found.graph))
    return {value: before[value] / after[value] for value in found.values}


def unevenness(graph: Graph, value: str, samples: dict[str, Array]) -> float:
    """Largest channel of a value over its smallest that is ever other than 0."""
    sizes = channel_sizes(graph, [value], samples)[value]
    return float(sizes.max() / sizes[sizes > 0].min())


@pytest.mark.parametrize("activation", ["Relu", "LeakyRelu"])
def test_it_is_exact_in_float(activation: str) -> None:
    graph, x = conv_net(activation=activation, spread=1.5), pictures()
    found = equalised(graph, x)
    assert found.values == ("a1", "a2", "c3", "f")
    assert found.exact
    require_same(graph, found.graph, x)


def test_channels_before_a_depthwise_layer_become_as_large_as_can_be() -> None:
    graph, x = conv_net(spread=1.5), pictures()
    before, after = (unevenness(g, "a1", x) for g in (graph, equalised(graph, x).graph))
    assert before > 20
    assert after < 1.01 * max(1.0, before / 32)


def test_below_a_clip_only_channels_within_reach_are_scaled() -> None:
    """Numbers seen, and a tenth more, come out alike: no channel is pushed into its Clip, none that is clipped is freed."""
    graph, x = conv_net(activation="Clip", spread=1.5), pictures()
    found = equalised(graph, x)
    assert found.values == ("a1", "a2", "c3", "f")
    assert not found.exact
    for samples in (x, {"x": x["x"] * np.float32(1.02)}):
        require_same(graph, found.graph, samples)


def test_through_pooling_and_flattening_to_a_dense_layer() -> None:
    text = """a = Conv (x, wa, ba) r = LeakyRelu (a) p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (r)
      b = Conv (p, wb, bb) s = LeakyRelu (b) q = AveragePool <kernel_shape = [2, 2]> (s) f = Flatten (q)
      d = Gemm (f, wd, bd) t = LeakyRelu (d) y = Gemm <transB = 1> (t, wy)"""
    shapes = {"wa": (6, 3, 1, 1), "ba": (6,), "wb": (5, 6, 1, 1), "bb": (5,), "wd": (45, 7), "bd": (7,), "wy": (4, 7)}
    found = divisors(text, weights(**shapes))
    assert list(found) == ["p", "f", "t"]
    assert np.ptp(found["p"]) > 0.1
    np.testing.assert_allclose(found["f"].reshape(5, 9), found["f"].reshape(5, 9)[:, :1].repeat(9, 1), rtol=SAME)


def test_a_residual_stream_has_one_scale_a_channel() -> None:
    text = """a = Conv (x, wa, ba) b = Conv (a, wb) r = Relu (b) c = Conv (r, wc) s = Add (a, c)
      d = Conv <group = 6> (s, wd) p = GlobalAveragePool (d) f = Flatten (p) y = Gemm (f, wy)"""
    shapes = {"wa": (6, 3, 1, 1), "ba": (6,), "wb": (8, 6, 1, 1), "wc": (6, 8, 1, 1), "wd": (6, 1, 3, 3), "wy": (6, 4)}
    found = divisors(text, weights(**shapes))
    assert list(found) == ["a", "r", "s", "f"]
    np.testing.assert_allclose(found["a"], found["s"], rtol=SAME)
    assert np.ptp(found["a"]) > 0.1
    assert np.abs(found["f"] - found["s"]).max() > 0.1  # what a depthwise layer makes has scales of its own


def test_through_a_concatenation_to_all_that_read_it() -> None:
    text = """a = Conv (x, wa) b = Conv (x, wb) c = Concat <axis = 1> (a, b) d = Conv (c, wd)
      e = Conv <group = 2> (c, we) m = Max (d, e) p = GlobalMaxPool (m) f = Flatten (p) y = Gemm (f, wy)"""
    shapes = {"wa": (4, 3, 1, 1), "wb": (2, 3, 1, 1), "wd": (6, 6, 1, 1), "we": (6, 3, 1, 1), "wy": (6, 4)}
    found = divisors(text, weights(**shapes))
    assert list(found) == ["c", "f"]
    assert min(np.ptp(found["c"][:4]), np.ptp(found["f"])) > 0.1


def test_of_transposed_convolutions_products_and_a_single_channel() -> None:
    text = """a = Conv (x, wa) b = ConvTranspose <group = 2, strides = [2, 2]> (a, wb, bb) r = PRelu (b, slope) c = Conv (r, wc)
      f = Flatten (c) d = MatMul (f, wd) y = MatMul (d, wy)"""
    shapes = {"wa": (6, 3, 1, 1), "wb": (6, 4, 2, 2), "bb": (8,), "wc": (1, 8, 3, 3), "wd": (196, 5), "wy": (5, 4)}
    found = divisors(text, {**weights(**shapes), "slope": np.full((8, 1, 1), 0.25)})
    assert list(found) == ["a", "r", "f", "d"]
    assert min(np.ptp(found[value]) for value in ("a", "r", "d")) > 0.1
    np.testing.assert_allclose(found["f"], 1, rtol=SAME)


@pytest.mark.parametrize(("between", "why"), [
    ("s = Sigmoid (a)", "not homogeneous"), ("s = Add (a, one)", "a constant would have to be scaled, too"),
    ("s = Clip (a, one, two)", "a Clip that does not begin at 0"), ("s = Clip (a, zero, nothing)", "nothing comes through"),
    ("g = Sigmoid (a) s = Mul (a, g)", "a product of two channels"),
    ("s = Pad (a, ends, two)", "what it pads with is a constant"), ("s = Add (a, x)", "an input has its scale"),
])  # fmt: skip
def test_left_alone(between: str, why: str) -> None:
    assert not between_layers(between), why


def test_the_same_with_what_is_homogeneous_is_not() -> None:
    for between in ("s = Relu (a)", "s = Clip (a, zero, two)", "s = Pad (a, ends)", "g = Relu (a) s = Add (a, g)"):
        assert between_layers(between) == ("s",)


def between_layers(text: str) -> tuple[str, ...]:
    """Values of which channels may be scaled, where a convolution makes `a` and another reads `s`."""
    numbers = {name: np.float32(x) for name, x in {"zero": 0, "nothing": 0, "one": 1, "two": 2}.items()}
    inits = {**numbers, "ends": np.array([0, 0, 1, 1, 0, 0, 1, 1])}
    used = {name: x for name, x in inits.items() if name in text} | weights(wa=(3, 3, 1, 1), wb=(4, 3, 1, 1))
    graph = graph_from_text(f"g (float[N,3,8,8] x) => (float[N,4,h,w] y) {{ a = Conv (x, wa) {text} y = Conv (s, wb) }}", used)
    return scalable(graph).values


def test_what_layers_share_is_left_alone() -> None:
    graph = graph_from_text(
        "g (float[N,3,8,8] x) => (float[N,3,8,8] y) { a = Conv (x, w) b = Conv (a, w) y = Conv (b, v) }",
        weights(w=(3, 3, 1, 1), v=(3, 3, 1, 1)),
    )
    assert not scalable(graph).values


@pytest.mark.parametrize(("name", "read"), [("mobilenet_v3_small", 24), ("shufflenet_v2", 56)])
def test_well_known_nets_stay_the_same(name: str, read: int) -> None:
    graph = lower_model(build(name), name=name)
    clean(graph)
    fold(graph)
    found = scalable(graph)
    assert len(found.readers) == read
    samples = random_inputs(graph, samples=2)
    require_same(graph, equalised(graph, samples).graph, samples)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    blocks=st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from((4, 6, 8, 12))), min_size=2, max_size=9),
    seed=st.integers(0, 1000),
)
def test_any_graph_stays_the_same(blocks: list[tuple[str, int]], seed: int) -> None:
    writer = random_net(blocks, seed)
    graph = graph_from_text(writer.text(), writer.inits)
    samples = random_inputs(graph, samples=4)
    require_same(graph, equalised(graph, samples).graph, random_inputs(graph, seed=1, samples=2))
