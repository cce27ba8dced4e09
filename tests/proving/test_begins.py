"""Where a file begins to be wrong, and where it begins to differ from this computer's values."""

import numpy as np
import pytest

from exporter.array import Array
from exporter.graph import Graph
from exporter.parity import Limits
from exporter.proving.begins import FLOAT16_MAX, Inside, named
from tests.graphs import graph_from_text

TEXT = "g (float[N,4] x) => (float[N,4] d) { [one] a = Relu (x) [two] b = Neg (a) [three] c = Abs (x) [four] d = Add (b, c) }"


@pytest.fixture
def graph() -> Graph:
    return graph_from_text(TEXT)


@pytest.fixture
def right() -> dict[str, Array]:
    return {name: np.arange(1, 5, dtype=np.float32).reshape(1, 4) for name in "abcd"}


def test_equal_values_begin_nowhere(graph: Graph, right: dict[str, Array]) -> None:
    there = Inside(graph, right, dict(right))
    assert there.differing(Inside(graph, right, dict(right))) == []
    assert there.wrong(Limits(1e-6)) == []


def test_only_the_first_on_each_way_is_named(graph: Graph, right: dict[str, Array]) -> None:
    got = {**right, "b": right["b"] + np.float32(0.5), "c": right["c"] * np.float32(1 + 1e-6), "d": right["d"] * 2}
    here = Inside(graph, right, right)
    found = Inside(graph, right, got, {"b": 0.25}).differing(here)
    assert [(b.layer, b.how) for b in found] == [
        ("two", "4 of 4 numbers differ, by up to 2 steps"),
        ("three", f"{np.count_nonzero(got['c'] != right['c'])} of 4 numbers differ, by up to rel 9.5e-07"),
    ]
    assert [b.layer for b in Inside(graph, right, got).wrong(Limits(1e-4))] == ["two"], "the third layer is within the limit"
    assert named([b.as_dict() for b in found]).startswith("two (Neg): 4 of 4 numbers differ, by up to 2 steps; three (Abs)")


def test_what_a_file_does_not_hold_is_as_good_as_what_it_reads(graph: Graph, right: dict[str, Array]) -> None:
    got = {"a": right["a"] + 1, "d": right["d"] + 1}
    assert [b.layer for b in Inside(graph, right, got).differing(Inside(graph, right, right))] == ["one"]


def test_an_overflow_says_so(graph: Graph, right: dict[str, Array]) -> None:
    big = {**right, "c": right["c"] * 1e5}
    got = {**big, "c": np.where(big["c"] > FLOAT16_MAX, np.inf, big["c"])}
    (found,) = Inside(graph, big, got).wrong(Limits(1e-2))
    assert found.how == "4 of 4 numbers are infinite: 4e+05 is more than half precision holds, 65504"
