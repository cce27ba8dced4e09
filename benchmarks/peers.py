"""The files that the usual routes make from the same Keras model: what ours are compared with.

tflite: TFLiteConverter            onnx: tf2onnx, and tf2onnx + onnxslim            ncnn: pnnx on the tf2onnx file
"""

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.sources import keras_file, work_folder

ROUTES = {"tflite": ("TFLiteConverter",), "onnx": ("tf2onnx", "tf2onnx+onnxslim"), "ncnn": ("pnnx",)}
"""Format to the routes that lead to it."""

TIMEOUT_S = 900
LARGE = 100_000_000
"""Parameters above which a model is large for tf2onnx."""


def peer_file(name: str, route: str) -> Path:
    """The route's file for a net, made once, in a process of its own: converters leak and crash."""
    path = work_folder() / _FILES[route].format(name=name)
    if not path.exists():
        keras_file(name)
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "benchmarks.peers", name, route],
            timeout=TIMEOUT_S, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if not path.exists():
            raise RuntimeError(f"{route} made no file (exit code {done.returncode}): {_last(done.stderr or done.stdout)}")
    return path


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-2:])[-300:]


def _load(name: str) -> Any:
    import keras

    return keras.saving.load_model(keras_file(name), compile=False)


def _tflite(name: str, path: Path) -> None:
    import tensorflow as tf

    path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(_load(name)).convert())


def _to_onnx(name: str, path: Path, *, nchw: bool) -> None:
    """By tf2onnx; its way for large models where the other one takes more than 20 GB."""
    import numpy as np
    import onnx
    import tensorflow as tf
    import tf2onnx

    tf.config.run_functions_eagerly(True)  # else a grouped convolution comes out as an invalid call
    model = _load(name)
    spec = [tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name="input")]
    as_nchw = {"inputs_as_nchw": ["input"]} if nchw else {}
    function = tf.function(lambda x: model(x, training=False), input_signature=spec)
    if model.count_params() < LARGE:
        tf2onnx.convert.from_function(function, spec, opset=17, output_path=str(path), **as_nchw)
        return
    np.product = np.prod  # type: ignore[attr-defined]  # gone in numpy 2; tf2onnx 1.17 still calls it for large models
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        packed = Path(folder, "model.zip")
        tf2onnx.convert.from_function(function, spec, opset=17, output_path=str(packed), large_model=True, **as_nchw)
        shutil.unpack_archive(packed, folder)
        onnx.save(onnx.load(Path(folder, "__MODEL_PROTO.onnx")), path)


def _tf2onnx(name: str, path: Path) -> None:
    _to_onnx(name, path, nchw=False)


def _onnxslim(name: str, path: Path) -> None:
    import onnx
    import onnxslim

    onnx.save(onnxslim.slim(onnx.load(peer_file(name, "tf2onnx"))), path)


def _pnnx(name: str, path: Path) -> None:
    """Input channels first, as pnnx wants it; slimmed, which is the best that its users can feed it."""
    import onnx
    import onnxslim

    folder = path.parent / f"{name}-pnnx"
    folder.mkdir(exist_ok=True)
    raw = folder / "model.onnx"
    _to_onnx(name, raw, nchw=True)
    model = onnxslim.slim(onnx.load(raw))
    onnx.save(model, raw)
    dims = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    shape = f"inputshape=[{','.join(map(str, dims))}]f32"
    subprocess.run([_pnnx_program(), "model.onnx", shape, "fp16=0"], cwd=folder, timeout=TIMEOUT_S, check=True)
    shutil.move(folder / "model.ncnn.bin", path.with_suffix(".bin"))
    shutil.move(folder / "model.ncnn.param", path)
    shutil.rmtree(folder)


def _pnnx_program() -> Path:
    """The program inside pnnx's package; its launcher would import torch."""
    package = importlib.util.find_spec("pnnx")
    if package is None or package.origin is None:
        raise RuntimeError("pnnx is not installed; pip install --no-deps pnnx")
    return Path(package.origin).with_name("pnnx")


_FILES = {
    "TFLiteConverter": "{name}-converter.tflite",
    "tf2onnx": "{name}-tf2onnx.onnx",
    "tf2onnx+onnxslim": "{name}-onnxslim.onnx",
    "pnnx": "{name}-pnnx.param",
}
_MAKERS = {"TFLiteConverter": _tflite, "tf2onnx": _tf2onnx, "tf2onnx+onnxslim": _onnxslim, "pnnx": _pnnx}


def main(name: str, route: str) -> None:
    """Make one file."""
    _MAKERS[route](name, work_folder() / _FILES[route].format(name=name))


if __name__ == "__main__":
    main(*sys.argv[1:])
