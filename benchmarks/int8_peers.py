"""The int8 files that the usual routes make from the same source and the same calibration samples, with the routes' defaults.

TFLiteConverter     `optimizations=[DEFAULT]` and a representative data set, from the Keras model or SavedModel; it reads no ONNX
ai-edge-quantizer   recipe `static_wi8_ai8` on TFLiteConverter's float file; for an ONNX source on our float file, there is no other
onnxruntime         `quant_pre_process`, then `quantize_static`, on tf2onnx's file or the ONNX source

Inputs and outputs are float32, of ai-edge-quantizer's files int8. The float files that they start from are made here too.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from exporter.array import Array

PEERS = {"TFLiteConverter": "tflite", "ai-edge-quantizer": "tflite", "onnxruntime": "onnx"}
"""Peer to the format of its file."""

TIMEOUT_S = 1800
OPSET = 17


@dataclass(frozen=True)
class Job:
    """One source and where its files go.

    Attributes:
        source: A Keras file, a SavedModel folder or an ONNX file.
        calibration: An `.npz` with x: preprocessed samples in the source's layout.
        folder: Of the files made.
        our_tflite: Our float file, for an ONNX source.
    """

    source: Path
    calibration: Path
    folder: Path
    our_tflite: Path | None = None

    def file(self, route: str) -> Path:
        """Where a route's file lies."""
        return self.folder / FILES[route]

    @property
    def is_onnx(self) -> bool:
        """Whether the source is an ONNX file."""
        return self.source.suffix == ".onnx"

    def samples(self) -> Array:
        """Preprocessed, float32 (n, ...), shuffled: a moving average over samples sorted by class would see the last class only."""
        with np.load(self.calibration) as found:
            return np.random.default_rng(0).permutation(found["x"])


def made(job: Job, route: str) -> Path:
    """The route's file, made once, in a process of its own: converters leak and crash.

    Raises:
        RuntimeError: With the route's last words, when it makes none.
    """
    path = job.file(route)
    if path.exists():
        return path
    words = [str(job.source), str(job.calibration), str(job.folder), str(job.our_tflite or "")]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.int8_peers", route, *words],
        timeout=TIMEOUT_S, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if not path.exists():
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise RuntimeError(f"{route} made no file (exit code {done.returncode}): {' | '.join(lines[-2:])[-300:]}")
    return path


def _keras(source: Path) -> Any:
    """The model by the Keras that wrote it."""
    from exporter.sources.keras.loading import load_stored
    from exporter.sources.keras.stored import read_stored

    return load_stored(read_stored(source))


def _converter(job: Job) -> Any:
    """A Keras 2 model goes by way of a SavedModel: TensorFlow hands only Keras 3 to the converter directly."""
    import tensorflow as tf

    if job.source.is_dir():
        return tf.lite.TFLiteConverter.from_saved_model(str(job.source))
    model = _keras(job.source)
    if type(model).__module__.startswith("tf_keras"):
        folder = str(job.folder / "saved_model")
        model.save(folder, save_format="tf")
        return tf.lite.TFLiteConverter.from_saved_model(folder)
    return tf.lite.TFLiteConverter.from_keras_model(model)


def _float_tflite(job: Job, path: Path) -> None:
    path.write_bytes(_converter(job).convert())


def _converter_int8(job: Job, path: Path) -> None:
    import tensorflow as tf

    def representative() -> Iterator[list[Array]]:
        for x in job.samples():
            yield [x[None]]

    converter = _converter(job)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    path.write_bytes(converter.convert())


def _ai_edge(job: Job, path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_quantizer import quantizer, recipe

    start = job.our_tflite if job.is_onnx else made(job, "float tflite")
    if start is None:
        raise RuntimeError("no float TFLite file to start from")
    tool = quantizer.Quantizer(str(start), recipe.static_wi8_ai8())
    runner = Interpreter(str(start))
    key = next(iter(runner.get_signature_list()))
    detail = next(iter(runner.get_signature_runner(key).get_input_details().items()))
    shape = tuple(int(d) for d in detail[1]["shape"])
    feeds = [{detail[0]: _as_input(x[None], shape)} for x in job.samples()]  # it goes through them twice
    tool.quantize(tool.calibrate({key: feeds})).export_model(str(path))


def _as_input(x: Array, shape: tuple[int, ...]) -> Array:
    """A sample in the layout that the file has: as it is, else channels moved last."""
    return x if x.shape == shape else np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def _float_onnx(job: Job, path: Path) -> None:
    import shutil

    import tensorflow as tf
    import tf2onnx

    if job.is_onnx:
        shutil.copy(job.source, path)
        return
    tf.config.run_functions_eagerly(True)  # else a grouped convolution comes out as an invalid call
    call = _signature(job.source) if job.source.is_dir() else _keras_call(_keras(job.source))
    spec = [tf.TensorSpec((1, *job.samples().shape[1:]), tf.float32, name="input")]
    tf2onnx.convert.from_function(tf.function(call, input_signature=spec), spec, opset=OPSET, output_path=str(path))


def _keras_call(model: Any) -> Callable[[Any], Any]:
    return lambda x: model(x, training=False)


def _signature(folder: Path) -> Callable[[Any], Any]:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))
    serve = loaded.signatures["serving_default"]
    name = next(iter(serve.structured_input_signature[1]))

    def call(x: Any) -> Any:
        assert loaded is not None  # keeps its variables alive
        return next(iter(serve(**{name: x}).values()))

    return call


def _onnxruntime(job: Job, path: Path) -> None:
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    ready = path.with_suffix(".ready.onnx")
    quant_pre_process(str(made(job, "float onnx")), str(ready))
    graph = onnx.load(ready, load_external_data=False).graph
    weights = {w.name for w in graph.initializer}
    name = next(i.name for i in graph.input if i.name not in weights)

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        rows = iter(job.samples())

        def get_next(self) -> dict[str, Array] | None:
            x = next(self.rows, None)
            return None if x is None else {name: x[None]}

    quantize_static(str(ready), str(path), Reader())
    ready.unlink()


FILES = {
    "float tflite": "float.tflite",
    "float onnx": "float.onnx",
    "TFLiteConverter": "converter-int8.tflite",
    "ai-edge-quantizer": "ai-edge-int8.tflite",
    "onnxruntime": "onnxruntime-int8.onnx",
}
_MAKERS = {
    "float tflite": _float_tflite,
    "float onnx": _float_onnx,
    "TFLiteConverter": _converter_int8,
    "ai-edge-quantizer": _ai_edge,
    "onnxruntime": _onnxruntime,
}


def main(route: str, source: str, calibration: str, folder: str, our_tflite: str) -> None:
    """Make one file; it is complete or absent."""
    job = Job(Path(source), Path(calibration), Path(folder), Path(our_tflite) if our_tflite else None)
    aside = job.file(route).with_name(f"part-{job.file(route).name}")
    aside.unlink(missing_ok=True)
    _MAKERS[route](job, aside)
    aside.rename(job.file(route))


if __name__ == "__main__":
    main(*sys.argv[1:])
