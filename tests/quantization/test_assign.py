"""Rules of scales and zero points, on random ranges and weights."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.formats.points import Group, Points, Requantize, Scheme, Weights
from exporter.graph.qdq import LIMITS, Edge, insert
from exporter.quantization.assign import LARGEST_BIAS, SMALLEST, activation, assign, raised, weight_scale
from exporter.quantization.unshare import unshare
from tests.graphs import graph_from_text

SCHEMES = [Scheme("int8"), Scheme("uint8"), Scheme("int8", symmetric=True), Scheme("uint8", symmetric=True)]
NUMBERS = st.floats(-1e6, 1e6, width=32)
EPS = float(np.finfo(np.float32).eps)


@settings(deadline=None)
@given(a=NUMBERS, b=NUMBERS, share=st.floats(0, 1), scheme=st.sampled_from(SCHEMES))
def test_a_number_in_range_is_kept_to_one_step(a: float, b: float, share: float, scheme: Scheme) -> None:
    low, high = min(a, b), max(a, b)
    how = activation((low, high), scheme)
    assert how.dequantize(how.quantize(np.zeros(1, np.float32))).item() == 0  # zero is exact
    assert np.isfinite(how.scale)
    assert how.scale >= SMALLEST * (1 - EPS)
    x = np.float64(low + share * (high - low))
    error = abs(float(how.dequantize(how.quantize(np.array([x])))[0]) - x)
    # Half a step from rounding, and for asymmetric numbers up to half a step more at the ends, as the zero point was rounded too.
    step = float(how.scale)
    assert error <= step * (0.5 if scheme.symmetric else 1.0) + abs(x) * 4 * EPS


@settings(deadline=None)
@given(a=NUMBERS, b=NUMBERS, scheme=st.sampled_from(SCHEMES))
def test_no_number_of_the_type_is_wasted(a: float, b: float, scheme: Scheme) -> None:
    """The ends of the range get the ends of the type, to one; of one side only for a symmetric one."""
    low, high = min(a, b, 0.0), max(a, b, 0.0)
    how = activation((low, high), scheme)
    first, last = how.limits
    if high - low < 300 * SMALLEST:
        return
    q = how.quantize(np.array([low, high], np.float64)).astype(int)
    if scheme.symmetric:
        assert abs(int(np.abs(q - int(how.zero_point)).max()) - 127) == 0
        assert int(how.zero_point) == (LIMITS[scheme.dtype][0] + LIMITS[scheme.dtype][1] + 1) // 2
    else:
        # a scale that grew to reach one end leaves up to 1/128 of 255 numbers, and half of one, at the other
        assert abs(q[0] - first) <= 2
        assert abs(q[1] - last) <= 2


def test_pixels_about_zero_lie_on_no_rounding_tie() -> None:
    """(x - 127.5) / 127.5 in steps of 2/255 would be half a step off everywhere; rounding alone is 0.29 steps on average."""
    pixels = (np.arange(256) - 127.5) / 127.5
    how = activation((-1.0, 1.0), Scheme("int8", symmetric=False))
    steps = (how.dequantize(how.quantize(pixels)) - pixels) / float(how.scale)
    assert float(np.sqrt(np.mean(steps**2))) < 0.35


def test_a_value_that_is_always_zero_has_a_scale() -> None:
    for scheme in SCHEMES:
        how = activation((0.0, 0.0), scheme)
        assert float(how.scale) == 1.0
        assert how.dequantize(how.quantize(np.zeros(3))).tolist() == [0, 0, 0]


WEIGHTS = st.integers(0, 2**32 - 1).map(np.random.default_rng)


@settings(deadline=None)
@given(rng=WEIGHTS, axis=st.sampled_from([0, 1, None]), share=st.sampled_from([1, 2, 4]))
def test_weights_fill_their_range(rng: np.random.Generator, axis: int | None, share: int) -> None:
    w = (rng.standard_normal((8, 8, 3)) * np.exp(rng.normal(0, 2, (8, 8, 1)))).astype(np.float32)
    scale = weight_scale(w, axis, share)
    if axis is None:
        assert abs(np.abs(w / scale).max() - 127) < 1e-3  # float32 division
        return
    largest = np.abs(w).max(axis=tuple(i for i in range(3) if i != axis)).reshape(-1, share).max(1)
    assert scale.shape == (8,)
    assert np.allclose(scale, np.repeat(largest, share) / 127, rtol=4 * EPS)


def test_dead_and_faint_channels_take_the_scale_of_the_others() -> None:
    w = np.ones((4, 3), np.float32) * np.array([0, 1e-12, 1, 2], np.float32)[:, None]
    assert np.allclose(weight_scale(w, 0) * 127, [1.5, 1.5, 1, 2])
    assert weight_scale(np.zeros((2, 3), np.float32), 0).tolist() == [1, 1]
    assert weight_scale(np.zeros((2, 3), np.float32), None).item() == 1


@settings(deadline=None)
@given(rng=WEIGHTS, size=st.floats(1e-9, 1e9), share=st.sampled_from([1, 2]))
def test_biases_never_overflow(rng: np.random.Generator, size: float, share: int) -> None:
    scale = np.abs(rng.standard_normal(6)).astype(np.float32) * np.float32(1e-4) + np.float32(1e-9)
    scale = np.repeat(scale.reshape(-1, share).max(1), share)
    bias = rng.standard_normal(6) * size
    found = raised(scale, bias, 1e-3, share)
    assert (np.abs(bias) / (1e-3 * found.astype(np.float64)) <= LARGEST_BIAS * (1 + 1e-6)).all()  # scales are float32
    assert (found >= scale).all()
    untouched = np.abs(bias) / (1e-3 * scale.astype(np.float64)) < LARGEST_BIAS * 0.99
    rows = untouched.reshape(-1, share).all(1).repeat(share)
    assert np.array_equal(found[rows], scale[rows])


TWO = """g (float[N,2,4,4] x) => (float[N,2,4,4] y) {
  a = Conv (x, w, b)  c = Conv (a, w, b)  d = Concat <axis = 1> (a, c)  y = Conv (d, v) }"""


def two(**inits: np.ndarray):
    rng = np.random.default_rng(0)
    arrays = {"w": rng.standard_normal((2, 2, 1, 1)), "b": np.array([0.5, 1.0]), "v": rng.standard_normal((2, 4, 1, 1)), **inits}
    return graph_from_text(TWO, arrays)


def points_of_two(**changes) -> Points:
    weights = (Weights("a", "x", "w", 0, "b"), Weights("c", "a", "w", 0, "b"), Weights("y", "d", "v", 0))
    groups = (Group(("x",)), Group(("a", "c", "d")), Group(("y",), fixed=(1 / 256, -128)))
    return Points(**{"scheme": Scheme(), "layers": ("a", "c", "y"), "groups": groups, "weights": weights, **changes})


RANGES = {"x": (-1.0, 1.0), "a": (-2.0, 1.0), "c": (0.0, 3.0), "d": (-2.0, 3.0), "y": (-9.0, 9.0)}


def test_layers_that_share_a_bias_get_one_each_and_share_weights() -> None:
    graph = two()
    points = unshare(graph, points_of_two())
    assert [w.weight for w in points.weights] == ["w", "w", "v"]
    assert [w.bias for w in points.weights] == ["b", "b_2", None]
    how = assign(graph, points, RANGES)
    for bias, value in (("b", "x"), ("b_2", "a")):
        assert np.allclose(how.constants[bias].scale, how.values[value].scale * how.constants["w"].scale, rtol=EPS)
        assert how.constants[bias].dtype == "int32"
    insert(graph, how)  # every name is there


def test_weights_stored_in_two_ways_get_a_copy() -> None:
    graph = two()
    weights = (Weights("a", "x", "w", 0), Weights("c", "a", "w", None), Weights("y", "d", "v", 0))
    points = unshare(graph, points_of_two(weights=weights))
    assert [w.weight for w in points.weights] == ["w", "w_2", "v"]
    assert assign(graph, points, RANGES).constants["w_2"].scale.shape == ()


def test_a_group_spans_all_its_values_and_fixed_scales_are_held() -> None:
    graph = two()
    how = assign(graph, unshare(graph, points_of_two()), RANGES)
    assert how.values["a"] is how.values["c"]
    assert abs(float(how.values["a"].scale) - 5 / 255) < 1e-8
    assert (float(how.values["y"].scale), int(how.values["y"].zero_point)) == (1 / 256, -128)


def test_on_the_way_to_one_layer_only() -> None:
    graph = two()
    groups = (Group(("x",), frozenset({"a"})), Group(("a",)), Group(("c",)), Group(("d",)), Group(("y",)))
    points = unshare(graph, points_of_two(groups=groups, requantize=(Requantize("a", "d", "c"),)))
    how = assign(graph, points, RANGES)
    assert set(how.values) == {"a", "c", "d", "y"}
    assert how.edges[Edge("a", frozenset({"d"}))] == how.values["c"]
    edge = how.edges[Edge("x", frozenset({"a"}))]
    assert np.allclose(how.constants["b"].scale, edge.scale * how.constants["w"].scale, rtol=EPS)


def test_float_biases_raise_nothing_and_int32_biases_raise_scales() -> None:
    huge = np.array([3e9, 0.1])
    for stored, grows in ((True, True), (False, False)):
        graph = two(b=huge)
        weights = (Weights("a", "x", "w", 0, "b", bias_int32=stored), Weights("y", "d", "v", 0))
        how = assign(graph, unshare(graph, points_of_two(layers=("a", "y"), weights=weights)), RANGES)
        first = weight_scale(np.asarray(graph.model.graph.initializers["w"].const_value.numpy()), 0)
        assert (how.constants["w"].scale[0] > 1.01 * first[0]) == grows
        assert ("b" in how.constants) == stored


@pytest.mark.parametrize(("ranges", "match"), [({}, "no range of the value x"), ({**RANGES, "x": (0.0, float("inf"))}, "finite")])
def test_missing_and_infinite_ranges_are_named(ranges: dict, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        assign(two(), points_of_two(), ranges)


def test_an_input_that_is_not_rounded_is_named() -> None:
    groups = (Group(("a", "c", "d")), Group(("y",)))
    with pytest.raises(ValueError, match="its input x is not quantized"):
        assign(two(), points_of_two(groups=groups), RANGES)
