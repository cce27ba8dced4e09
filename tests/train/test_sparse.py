"""Batch norms' scales shrink while a net is trained, and only where it is asked for."""

import numpy as np
import pytest
import tensorflow as tf

from exporter.array import Array
from exporter.errors import UsageError
from exporter.graph import Graph
from exporter.train.fit import fit
from exporter.train.settings import TrainSettings
from exporter.train.sparse import scales_of, shrink
from tests.graphs import graph_from_text
from tests.pruning.cut import weights
from tests.train.training_data import pictures, residual_net


def scales(graph: Graph) -> Array:
    found = [v.const_value for name, v in graph.model.graph.initializers.items() if name.startswith("scale_")]
    return np.concatenate([x.numpy() for x in found if x is not None])


def last(sparsity: float, optimiser: str = "adamw") -> tuple[Array, float]:
    """Scales and held-out loss after training."""
    settings = TrainSettings(
        epochs=4, batch=32, rate=5e-3 if optimiser == "adamw" else 0.05, optimiser=optimiser, sparsity=sparsity, held_out=0.2
    )
    found = fit(residual_net(), pictures(), settings)
    assert all(np.isfinite([e.held_loss for e in found.history]))
    return np.abs(scales(found.graph)), found.best.held_loss


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_scales_shrink_and_the_loss_stays_finite(optimiser: str) -> None:
    (plain, _), (sparse, loss) = last(0.0, optimiser), last(0.5 if optimiser == "sgd" else 5.0, optimiser)
    assert sparse.mean() < 0.8 * plain.mean()
    assert loss < np.log(10)  # better than a guess


def test_no_sparsity_is_the_training_of_before() -> None:
    runs = [fit(residual_net(), pictures(), TrainSettings(epochs=2, batch=32, **how)) for how in ({}, {"sparsity": 0.0})]
    a, b = (r.history[-1].held_loss for r in runs)
    assert abs(a - b) <= 1e-3 * abs(a)  # threads add in any order


def test_the_last_weights_are_kept_though_dense_ones_were_better() -> None:
    found = fit(residual_net(), pictures(), TrainSettings(epochs=2, batch=32, rate=1e-3, sparsity=200.0))  # all scales end at 0: it guesses
    assert found.best == found.history[-1]
    assert found.best.held_loss >= found.history[0].held_loss - 0.5
    assert np.abs(scales(found.graph)).max() == 0


def test_the_step_stops_at_nothing() -> None:
    scale = tf.Variable([0.5, -0.5, 0.01, 0.0])
    shrink([scale], 0.1)
    np.testing.assert_allclose(scale.numpy(), [0.4, -0.4, 0.0, 0.0], rtol=1e-6)


def test_a_norm_of_the_pictures_is_left_alone() -> None:
    graph = graph_from_text(
        """g (float[N,3,4,4] x) => (float[N,5,4,4] y) {
            a = BatchNormalization (x, s0, b0, m0, var0) b = Conv (a, w) r = Relu (b) y = BatchNormalization (r, s1, b1, m1, var1) }""",
        weights(s0=(3,), b0=(3,), m0=(3,), var0=(3,), w=(5, 3, 1, 1), s1=(5,), b1=(5,), m1=(5,), var1=(5,)),
    )
    assert scales_of(graph, {"s0": 0, "s1": 1, "w": 2}) == [1]
    with pytest.raises(UsageError, match="no batch norm"):
        scales_of(graph, {"w": 2})


def test_sparsity_below_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="sparsity -1"):
        TrainSettings(sparsity=-1)
