"""Train step of the bridge against that of the Keras model it was read from: same loss, optimiser, batch, and threads.

    python -m benchmarks.bridge [mobilenet_v2 resnet8] [--again]

Steps are interleaved, so that a busy moment meets both; each net is measured in a process of its own. Both steps are tf.functions
without XLA; Keras's is the one that `fit` calls, reading the same batch from an iterator.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.markdown import table
from benchmarks.results import Results, Row, Rows, again, wanted

SHAPES = {"mobilenet_v2": (96, 96, 3), "resnet8": (32, 32, 3)}
BATCH = 32
STEPS = 60
WARMUP = 5
RATE = 1e-3

HEADS = ["net", "input", "batch", "Keras ms", "bridge ms", "bridge / Keras"]

INTRO = f"""## Train step of the bridge

One step of training (cross-entropy, SGD with momentum, batch {BATCH}) of a net's Graph with live batch norm, in milliseconds, against the
step of the Keras model it was read from; medians of {STEPS} interleaved steps.

"""


def keras_net(name: str) -> Any:
    """The net in Keras, logits out."""
    import keras

    keras.utils.set_random_seed(0)
    if name == "resnet8":
        return resnet8()
    return keras.applications.MobileNetV2(SHAPES[name], weights=None, classes=10, classifier_activation=None)


def resnet8() -> Any:
    """The CIFAR-10 net of MLPerf Tiny: https://github.com/mlcommons/tiny, image classification."""
    import keras
    from keras import layers

    def norm(x: Any, filters: int, size: int, strides: int) -> Any:
        return layers.BatchNormalization()(layers.Conv2D(filters, size, strides, "same")(x))

    image = layers.Input(SHAPES["resnet8"])
    x = layers.ReLU()(norm(image, 16, 3, 1))
    for filters, strides in ((16, 1), (32, 2), (64, 2)):
        y = norm(layers.ReLU()(norm(x, filters, 3, strides)), filters, 3, 1)
        short = x if strides == 1 else layers.Conv2D(filters, 1, strides, "same")(x)
        x = layers.ReLU()(layers.Add()([y, short]))
    return keras.Model(image, layers.Dense(10)(layers.Flatten()(layers.AveragePooling2D(8)(x))))


def keras_step(net: Any, x: Any, y: Any) -> Callable[[], Any]:
    """What `fit` runs for one batch."""
    import keras
    import tensorflow as tf

    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(keras.optimizers.SGD(RATE, momentum=0.9, nesterov=True), loss, jit_compile=False)
    net.make_train_function()
    batches = iter(tf.data.Dataset.from_tensors((x, y)).repeat())
    return lambda: float(net.train_function(batches)["loss"])


def bridge_step(net: Any, x: Any, y: Any) -> Callable[[], Any]:
    """The same on the Graph."""
    import tensorflow as tf

    from exporter.passes.run import clean
    from exporter.sources.keras.lower import lower_signature
    from exporter.sources.keras.signature import signature_of
    from exporter.train.bridge import Bridge
    from exporter.train.optimise import make

    graph = lower_signature(signature_of(net), name="net", input_shapes={})
    clean(graph)
    bridge = Bridge(graph)
    optimiser, name = make("sgd", bridge.trainable, {}), graph.inputs[0].source_name

    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = next(iter(bridge({name: x}, training=True).values()))
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
        optimiser.apply(tape.gradient(loss, list(bridge.trainable.values())), RATE)
        return loss

    compiled = tf.function(step, autograph=False)
    return lambda: float(compiled(x, y))


def timed(name: str) -> Row:
    """In this process: both steps, one after the other."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    x = tf.constant(rng.standard_normal((BATCH, *SHAPES[name])).astype(np.float32))
    y = tf.constant(rng.integers(0, 10, BATCH))
    net = keras_net(name)
    ours, theirs = bridge_step(net, x, y), keras_step(net, x, y)
    first = {"bridge": ours(), "keras": theirs()}
    times: dict[str, list[float]] = {"bridge": [], "keras": []}
    for i in range(STEPS + WARMUP):
        for kind, step in (("bridge", ours), ("keras", theirs)) if i % 2 else (("keras", theirs), ("bridge", ours)):
            start = time.perf_counter()
            step()
            times[kind].append((time.perf_counter() - start) * 1e3)
    keras_ms, bridge_ms = (float(np.median(times[kind][WARMUP:])) for kind in ("keras", "bridge"))
    return {"keras_ms": keras_ms, "bridge_ms": bridge_ms, "ratio": bridge_ms / keras_ms, "first_loss": first, "batch": BATCH,
            "input": list(SHAPES[name]), "all_ms": times}  # fmt: skip


def measure(name: str) -> Rows:
    """In a process of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.bridge", "--child", name]
    return {name: dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))}


def section(rows: Rows) -> str:
    """For docs/benchmarks.md."""
    return INTRO + table(HEADS, [_line(key, row) for key, row in rows.items()])


def _line(key: str, row: Row) -> list[str]:
    if "error" in row:
        return [key, row["error"][:120], *[""] * (len(HEADS) - 2)]
    size = " x ".join(map(str, row["input"]))
    return [key, size, str(row["batch"]), f"{row['keras_ms']:.1f}", f"{row['bridge_ms']:.1f}", f"{row['ratio']:.2f}"]


def main() -> None:
    """Both nets, or those named."""
    results = Results("bridge", again=again())
    for name in wanted(list(SHAPES)):
        results.fill_all([name], partial(measure, name))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(timed(sys.argv[2])))
    else:
        main()
