"""SavedModels by tf_keras, by Keras 3's export and by tf.Module: the Graph against the serving signature."""

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from exporter.array import Array
from exporter.errors import SourceError, UsageError
from exporter.graph import Graph, shape_of
from exporter.graph.evaluate import evaluate
from exporter.graph.files import load_graph
from exporter.passes.run import clean
from exporter.sources.options import LoadOptions
from exporter.sources.saved_model import Session, frozen
from exporter.sources.saved_model.check import check
from exporter.sources.saved_model.stored import needs_repair, read

pytestmark = pytest.mark.filterwarnings("ignore")
"""TensorFlow, Keras and tf2onnx warn about themselves."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def opened(folder: Path, tmp_path: Path, options: LoadOptions | None = None) -> tuple[Session, Graph]:
    """Session and Graph, compared on three samples of each input; tolerance: float32 sums in another order."""
    session = Session(str(folder), (options or LoadOptions()).to_json())
    target = tmp_path / "graph"
    target.mkdir()
    session.load(str(target))
    graph = load_graph(target)
    values = {v.name: v for v in graph.model.graph.inputs}
    rng = np.random.default_rng(3)
    ours: dict[str, Array] = {}
    for port in graph.inputs:
        x = rng.random((3, *shape_of(values[port.name])[1:]), np.float32)
        ours[port.name] = np.floor(x * 255) if "int" in port.dtype else x
    _, want = session.reference({p.source_name: p.to_source(ours[p.name]) for p in graph.inputs})
    got = evaluate(graph, ours)
    for port in graph.outputs:
        y = port.to_source(got[port.name])
        assert y.shape == want[port.source_name].shape
        assert np.abs(y - want[port.source_name]).max() <= 1e-4 * np.abs(want[port.source_name]).max()
    return session, graph


def test_tf_keras_through_its_layers(tmp_path: Path) -> None:
    import tf_keras
    from tf_keras import layers

    net = tf_keras.Sequential([
        layers.Conv2D(6, 3, padding="same", input_shape=(10, 10, 3)), layers.BatchNormalization(), layers.ReLU(6.0),
        layers.DepthwiseConv2D(3, strides=2, padding="same"), layers.Flatten(), layers.Dense(4, activation="softmax"),
    ])  # fmt: skip
    net.save(tmp_path / "m", save_format="tf")
    session, graph = opened(tmp_path / "m", tmp_path)
    assert session.facts == {"way": "layers"}
    assert graph.inputs[0].perm == (0, 3, 1, 2)
    assert "BatchNormalization" in {n.op_type for n in graph.nodes}
    assert [p.source_name for p in graph.outputs] == list(session.serving.outputs)


def test_keras_3_export_with_grouped_conv(tmp_path: Path) -> None:
    import keras
    from keras import layers

    x = inputs = keras.Input((8, 8, 4))
    x = layers.Conv2D(8, 3, padding="same", groups=2, activation="silu")(x)
    inner = x = layers.UpSampling2D(2, interpolation="bilinear")(x)
    outputs = [layers.Dense(3, activation="softmax")(layers.Flatten()(x)), inner]
    keras.Model(inputs, outputs).export(str(tmp_path / "m"), verbose=False)
    session, graph = opened(tmp_path / "m", tmp_path)
    assert session.facts["way"] == "signature"
    assert graph.inputs[0].perm == (0, 3, 1, 2)
    assert "Conv" in {n.op_type for n in graph.nodes}
    assert [p.source_name for p in graph.outputs] == ["output_0", "output_1"]


def module(tf: Any, function: Any, shape: tuple[int | None, ...], dtype: Any) -> Any:
    """A tf.Module whose one function has a signature."""
    made = tf.Module()
    made.w = tf.Variable(np.random.default_rng(0).standard_normal((3, 3, 3, 4)).astype("f4") * 0.2)
    made.call = tf.function(lambda x: function(made, x), input_signature=[tf.TensorSpec(shape, dtype, "x")])
    return made


def test_module_with_bytes_in(tmp_path: Path) -> None:
    import tensorflow as tf

    def call(made: Any, x: Any) -> dict[str, Any]:
        y = tf.nn.relu(tf.nn.conv2d(tf.cast(x, tf.float32) / 127.5 - 1, made.w, 2, "SAME"))
        return {"map": y, "flat": tf.reshape(y, [tf.shape(y)[0], -1])}

    made = module(tf, call, (None, 8, 8, 3), tf.uint8)
    tf.saved_model.save(made, str(tmp_path / "m"), signatures=made.call)
    _, graph = opened(tmp_path / "m", tmp_path, LoadOptions(outputs=("flat",)))
    assert (graph.inputs[0].source_name, graph.inputs[0].dtype) == ("x", "uint8")
    assert [p.source_name for p in graph.outputs] == ["flat"]
    assert not {"Shape", "Cast"} & {n.op_type for n in graph.nodes} - {"Cast"}


def test_refusals(tmp_path: Path) -> None:
    import tensorflow as tf

    made = module(tf, lambda m, x: tf.nn.conv2d(x, m.w, 1, "SAME"), (None, None, None, 3), tf.float32)
    tf.saved_model.save(made, str(tmp_path / "open"), signatures=made.call)
    with pytest.raises(SourceError, match="open shape") as caught:
        Session(str(tmp_path / "open")).load(str(tmp_path))
    assert "--input-shape x=1,224,224,3" in (caught.value.hint or "")
    opened(tmp_path / "open", tmp_path, LoadOptions(input_shapes={None: (1, 6, 7, 3)}))
    tf.saved_model.save(made, str(tmp_path / "two"), signatures={"a": made.call, "b": made.call})
    with pytest.raises(SourceError, match=r"several signatures \(a, b\)") as several:
        Session(str(tmp_path / "two"))
    assert several.value.hint == "say which: --signature a"
    with pytest.raises(UsageError, match="unknown output") as inner:
        Session(str(tmp_path / "open"), LoadOptions(outputs=("zz",)).to_json())
    assert "known: output_0; inside its graph it cannot be cut" in (inner.value.hint or "")
    assert "tf2onnx.convert --saved-model open" in (inner.value.hint or "")
    (tmp_path / "open/variables/variables.index").unlink()
    with pytest.raises(SourceError, match="lacks its weights"):
        Session(str(tmp_path / "open"))
    (tmp_path / "open/saved_model.pb").write_bytes(b"\x12\xff\xff")
    with pytest.raises(SourceError, match="damaged"):
        Session(str(tmp_path / "open"))


def test_exact_gelu(tmp_path: Path) -> None:
    import tensorflow as tf

    made = module(tf, lambda m, x: tf.nn.gelu(tf.nn.conv2d(x, m.w, 1, "SAME")), (None, 8, 8, 3), tf.float32)
    tf.saved_model.save(made, str(tmp_path / "m"), signatures=made.call)
    _, graph = opened(tmp_path / "m", tmp_path)
    clean(graph)
    assert "Gelu" in {n.op_type for n in graph.nodes}
    assert not {"Erf", "Erfc", "Neg"} & {n.op_type for n in graph.nodes}


def test_big_weights_go_around_the_translation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    def call(made: Any, x: Any) -> Any:
        y = tf.nn.relu(tf.nn.conv2d(x, made.w, 2, "SAME"))
        return tf.linalg.matmul(tf.reshape(y, [-1, 64]), made.v)

    made = module(tf, call, (None, 8, 8, 3), tf.float32)
    made.v = tf.Variable(np.random.default_rng(2).standard_normal((64, 5)).astype("f4"))
    tf.saved_model.save(made, str(tmp_path / "m"), signatures=made.call)
    monkeypatch.setattr(frozen, "BIG", 400)  # bytes: both weights are big
    _, graph = opened(tmp_path / "m", tmp_path)
    assert [p.source_name for p in graph.inputs] == ["x"]


def test_only_signature_under_another_name(tmp_path: Path) -> None:
    import tensorflow as tf

    made = module(tf, lambda m, x: tf.nn.relu(x) * 2, (None, 5), tf.float32)
    tf.saved_model.save(made, str(tmp_path / "m"), signatures={"predict": made.call})
    _, graph = opened(tmp_path / "m", tmp_path)
    assert [p.source_name for p in graph.inputs] == ["x"]


def test_signature_by_name(tmp_path: Path) -> None:
    """Each of several, whether or not one is the default; and a name that is none."""
    import tensorflow as tf

    made = module(tf, lambda m, x: tf.nn.relu(x) * 2, (None, 5), tf.float32)
    made.raw = tf.function(lambda x: {"raw": x * 3}, input_signature=[tf.TensorSpec((None, 4), tf.float32, "x")])
    tf.saved_model.save(made, str(tmp_path / "m"), signatures={"serving_default": made.call, "raw": made.raw})
    session, graph = opened(tmp_path / "m", tmp_path, LoadOptions(signature="raw"))
    assert [p.source_name for p in graph.outputs] == ["raw"]
    assert session.reference({"x": np.ones((1, 4), np.float32)})[1]["raw"].tolist() == [[3.0] * 4]
    with pytest.raises(UsageError, match="unknown signature: rw") as caught:
        Session(str(tmp_path / "m"), LoadOptions(signature="rw").to_json())
    assert caught.value.hint == "did you mean `raw`?"
    assert Session(str(tmp_path / "m")).serving.known == ("output_0",)


CHAOS = 1e6
"""Turns a rounding step of an input near 255 into many turns of a sine."""


def chaotic(tf: Any, factor: float) -> Any:
    """A signature that is calm for inputs up to 1, and amplifies rounding beyond that: no two implementations agree there."""

    def call(made: Any, x: Any) -> Any:
        mixed = tf.linalg.matmul(x, made.mix)
        return mixed * factor + tf.sin(CHAOS * tf.nn.relu(mixed - 40.0))

    made = module(tf, call, (None, 64), tf.float32)
    made.mix = tf.Variable(np.random.default_rng(1).random((64, 8)).astype("f4"))
    return made


def test_rounding_that_a_model_amplifies_is_no_difference(tmp_path: Path) -> None:
    import tensorflow as tf

    made = chaotic(tf, 1e-3)
    tf.saved_model.save(made, str(tmp_path / "m"), signatures=made.call)
    session, graph = opened(tmp_path / "m", tmp_path)
    assert session.facts["way"] == "signature"
    mix = next(v for v in graph.model.graph.initializers.values() if v.const_value is not None and v.const_value.size == 512)
    mix.const_value = ir.Tensor(mix.const_value.numpy() * np.float32(1.01), name=mix.name)
    with pytest.raises(SourceError, match="differs from the serving signature"):
        check(graph, session.serving, "m")


def test_code_is_not_run(tmp_path: Path) -> None:
    import tensorflow as tf

    made = module(tf, lambda m, x: tf.py_function(lambda v: v, [x], tf.float32), (None, 3), tf.float32)
    tf.saved_model.save(made, str(tmp_path / "m"), signatures=made.call)
    with pytest.raises(SourceError, match="EagerPyFunc"):
        Session(str(tmp_path / "m"))


def test_lambda_goes_through_the_signature(tmp_path: Path) -> None:
    import tf_keras

    x = tf_keras.Input((6,))
    y = tf_keras.layers.Lambda(lambda v: v * 2)(tf_keras.layers.Dense(3)(x))
    tf_keras.Model(x, y).save(tmp_path / "m", save_format="tf")
    session, _ = opened(tmp_path / "m", tmp_path)
    assert session.facts["way"] == "signature"
    assert "Lambda" in session.facts["not_layers"]
    assert any('"Lambda"' in json.dumps(m) for m in read(tmp_path / "m").metadata())


def test_kit_model(kit: Path, tmp_path: Path) -> None:
    folder = kit / "models/tf_savedmodel/mlperf_kws_dscnn/kws_ref_model"
    session, graph = opened(folder, tmp_path)
    assert session.facts == {"way": "layers"}
    assert needs_repair(session.stored)
    assert graph.inputs[0].perm == (0, 3, 1, 2)
