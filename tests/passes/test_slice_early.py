"""One index of an axis that a Reshape made, taken before it."""

import numpy as np
import pytest

from exporter.graph import shape_of
from tests.passes.pass_check import apply, changes, ops

TEXT = "g (float[N,4,6,24] x) => (float[N,4,2,6,4] y) {{ r = Reshape (x, s) {turn} {taken} y = Reshape (z, o) }}"
TURN = "t = Transpose <perm = [0, 3, 1, 4, 2, 5]> (r)"
INITS = {
    "s": np.array([0, 4, 6, 3, 2, 4]),
    "o": np.array([0, 4, 2, 6, 4]),
    "one": np.array([1]),
    "two": np.array([2]),
    "ones": np.ones(3, "i8"),
}


@pytest.mark.parametrize(
    "taken", ["z = Slice (t, one, two, one)", "z = Slice (t, one, two, one, one)", "a, z, b = Split <axis = 1> (t, ones)"]
)
def test_queries_of_windows(taken):
    text = TEXT.format(turn=TURN, taken=taken)
    graph = apply("slice_early normalise_reshape remove_dead", text, {k: v for k, v in INITS.items() if k in text}, tolerance=0)
    assert ops(graph) == {"Slice": 1, "Reshape": 2, "Transpose": 1}
    assert max(len(shape_of(v)) for n in graph.nodes for v in n.outputs) == 5  # four axes beside the batch


def test_without_a_transpose():
    text = "g (float[N,6,12] x) => (float[N,6,1,4] y) { r = Reshape (x, s) y = Slice (r, one, two, two) }"
    inits = {"s": np.array([0, 6, 3, 4]), "one": np.array([1]), "two": np.array([2])}
    graph = apply("slice_early normalise_reshape remove_dead", text, inits, tolerance=0)
    assert [n.op_type for n in graph.nodes] == ["Slice", "Reshape"]


@pytest.mark.parametrize(
    "taken",
    ["y = Slice (r, zero, two, two)", "y = Slice (r, zero, one, three)"],
    ids=["two indices", "scattered"],
)
def test_left_alone(taken):
    text = f"g (float[N,6,12] x) => (float[N,a,b,c] y) {{ r = Reshape (x, s) {taken} }}"
    inits = {"s": np.array([0, 6, 3, 4]), "zero": np.array([0]), "one": np.array([1]), "two": np.array([2]), "three": np.array([3])}
    assert changes("slice_early", text, {k: v for k, v in inits.items() if k in text}) == 0
