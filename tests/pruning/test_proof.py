"""The proof finds faults: it must not believe what it is told."""

import numpy as np
import onnx_ir as ir
import pytest

from exporter.errors import ParityError
from exporter.graph import const
from exporter.pruning.proof import dead_inputs, require_exact
from tests.graphs import random_inputs
from tests.pruning.cut import EXACT, Pruned, prune, weights

RESIDUAL = """g (float[N,3,8,8] x) => (float[N,5,8,8] y) {
    a = Conv (x, wa)
    b = Conv (a, wb)
    s = Add (a, b)
    y = Conv (s, wy)
}"""


@pytest.fixture
def found() -> Pruned:
    return prune(RESIDUAL, weights(wa=(8, 3, 1, 1), wb=(8, 8, 1, 1), wy=(5, 8, 1, 1)))


def test_other_channels_than_those_removed(found: Pruned):
    other = {name: found.plan.kept[name] for name in ("a", "b")}
    with pytest.raises(ParityError, match="pruning changed the outputs"):
        require_exact(found.whole, found.graph, other, random_inputs(found.whole, samples=2), EXACT)


def test_ties_that_are_broken(found: Pruned):
    with pytest.raises(ParityError, match="a and b meet, but lost different channels"):
        require_exact(found.whole, found.graph, {"a": found.plan.removed["a"]}, random_inputs(found.whole, samples=2), EXACT)


def test_a_weight_that_is_wrong(found: Pruned):
    value = found.graph.model.graph.initializers["wy"]
    array = const(value)
    assert array is not None
    value.const_value = ir.tensor(array * np.float32(1.001), name="wy")
    with pytest.raises(ParityError, match="pruning changed the outputs"):
        require_exact(found.whole, found.graph, found.plan.removed, random_inputs(found.whole, samples=2), EXACT)


def test_marks_travel_with_the_data():
    found = prune(
        """g (float[N,3,4,4] x) => (float[N,2,4,4] y) {
            a = Conv (x, wa) s = mexport.ChannelShuffle <group = 2> (a) p = Pad (s, pads) m = MaxPool <kernel_shape = [3, 3]> (p)
            y = Conv (m, wy)
        }""",
        {**weights(wa=(8, 3, 1, 1), wy=(2, 8, 1, 1)), "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1])},
    )
    gone = found.plan.removed["a"]
    expected = np.isin(np.arange(8).reshape(2, 4).T.reshape(-1), gone)
    np.testing.assert_array_equal(dead_inputs(found.whole, found.plan.removed)["y"], expected)
