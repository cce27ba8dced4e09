"""The page's section on the train step; the steps themselves must do the same."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import bridge
from benchmarks.tables import SECTIONS


def test_section() -> None:
    row = {"keras_ms": 100.0, "bridge_ms": 95.0, "ratio": 0.95, "batch": 32, "input": [32, 32, 3]}
    page = SECTIONS["bridge"]({"net": row, "other": {"error": "no such net"}})
    assert "| net | 32 x 32 x 3 | 32 | 100.0 | 95.0 | 0.95 |" in page
    assert "no such net" in page


def test_both_steps_train_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "RATE", 1e-2)
    rng = np.random.default_rng(0)
    x, y = tf.constant(rng.standard_normal((8, 32, 32, 3)).astype(np.float32)), tf.constant(rng.integers(0, 10, 8))
    net = bridge.keras_net("resnet8")
    ours, theirs = bridge.bridge_step(net, x, y), bridge.keras_step(net, x, y)
    losses, means = zip(*[(ours(), theirs()) for _ in range(4)], strict=True)
    assert losses[-1] < losses[0]
    for i, mean in enumerate(means):  # Keras tells the mean over the steps so far
        assert np.mean(losses[: i + 1]) == pytest.approx(mean, rel=2e-3)  # the same steps; rounding grows from one to the next
