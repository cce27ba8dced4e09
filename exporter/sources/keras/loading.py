"""Opens a screened file with the framework that wrote it."""

import contextlib
import importlib
import os
import sys
import warnings
import zipfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import ModuleType
from typing import Any

from exporter.disk import Scratch
from exporter.errors import SourceError, UsageError
from exporter.sources.keras.screen import screen
from exporter.sources.keras.signature import layers_of
from exporter.sources.keras.stored import Stored

ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1", "TF_ENABLE_ONEDNN_OPTS": "0"}
"""Set before TensorFlow is imported: quiet, its own backend, the same arithmetic everywhere."""

WEIGHTS = "model.weights.h5"
BIG_BYTES = 200_000_000
MAPPED_BYTES = 1 << 20
ZEROS: dict[str, Any] = {"module": "keras.initializers", "class_name": "Zeros", "config": {}, "registered_name": None}


def framework(name: str) -> ModuleType:
    """The module `keras` or `tf_keras`, imported with our environment."""
    for key, value in ENVIRONMENT.items():
        os.environ[key] = value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = importlib.import_module(name)
        importlib.import_module("tensorflow").get_logger().setLevel("ERROR")
    return module


def load_stored(stored: Stored, *, trust: bool = False, custom_objects: str | None = None) -> Any:
    """The model object, every layer computing in float32.

    Raises:
        SourceError: If the file is refused by name, or its framework cannot read it.
        UsageError: If custom objects are given without trust.
    """
    with _unpacked(stored) as weights:
        keras = framework(stored.framework)
        own = _custom(custom_objects, trust)
        if not trust:
            screen(stored.config, stored.path.name, keras, known=frozenset(_common(keras)))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = _open(keras, stored, {**_common(keras), **own}, trust, weights)
        except Exception as problem:  # whatever the framework trips over is the file's fault, and told in our words
            raise _unreadable(stored, keras, problem) from problem
    compute_in_float32(model)
    return model


@contextlib.contextmanager
def _unpacked(stored: Stored) -> Iterator["Future[str] | None"]:
    """The weights of a big archive, unpacked while the framework starts; None for any other file."""
    if stored.framework != "keras" or stored.format != "keras" or stored.path.stat().st_size <= BIG_BYTES:
        yield None
        return
    with (
        zipfile.ZipFile(stored.path) as archive,
        Scratch() as folder,
        ThreadPoolExecutor(1) as pool,
    ):
        yield pool.submit(archive.extract, WEIGHTS, folder)


def _open(keras: Any, stored: Stored, custom_objects: dict[str, Any], trust: bool, weights: "Future[str] | None") -> Any:
    """Of a big file in two steps: Keras would draw random numbers for the weights, and hold the whole archive in memory beside them."""
    if weights is None:
        with _suffixed(stored) as path:
            return keras.models.load_model(path, custom_objects=custom_objects, compile=False, safe_mode=not trust)
    config = _unfilled({k: v for k, v in stored.config.items() if k != "compile_config"})
    model = keras.saving.deserialize_keras_object(config, custom_objects=custom_objects, safe_mode=not trust)
    with _mapped_datasets():
        model.load_weights(weights.result())
    return model


@contextlib.contextmanager
def _mapped_datasets() -> Iterator[None]:
    """Big datasets of an HDF5 file become arrays mapped to the file: TensorFlow copies them anyway, so h5py need not."""
    import h5py
    import numpy as np

    read = h5py.Dataset.__array__

    def array(dataset: Any, dtype: Any = None, **how: Any) -> Any:
        start = dataset.id.get_offset() if dtype is None and dataset.nbytes > MAPPED_BYTES else None
        if start is None:  # in chunks, or compressed
            return read(dataset, dtype, **how)
        return np.memmap(dataset.file.filename, dataset.dtype, "r", start, dataset.shape)

    h5py.Dataset.__array__ = array
    try:
        yield
    finally:
        h5py.Dataset.__array__ = read


def _unfilled(config: Any) -> Any:
    """A config, or a part of one, by which every weight begins as zeros."""
    if isinstance(config, list):
        return [_unfilled(part) for part in config]
    if not isinstance(config, dict):
        return config
    return {k: ZEROS if k.endswith("_initializer") and isinstance(v, dict) else _unfilled(v) for k, v in config.items()}


@contextlib.contextmanager
def _suffixed(stored: Stored) -> Iterator[str]:
    """The path under a suffix by which both frameworks choose their reader."""
    wanted = (".keras",) if stored.format == "keras" else (".h5", ".hdf5")
    if stored.path.suffix in wanted:
        yield str(stored.path)
        return
    with Scratch() as folder:
        link = os.path.join(folder, f"model{wanted[0]}")
        os.symlink(stored.path.resolve(), link)
        yield link


def _unreadable(stored: Stored, keras: Any, problem: Exception) -> SourceError:
    lines = [line.strip() for line in str(problem).strip().splitlines() if line.strip()]
    told = (lines[0] if lines else type(problem).__name__)[:300]
    mine = any(word in str(problem) for word in ("custom_object", "Unknown", "register"))
    hint = (
        "give the module that defines it: --custom-objects MODULE together with --trust"
        if mine
        else "open it in its own Keras version and save it again"
    )
    written = f", written by Keras {stored.version}," if stored.version else ""
    return SourceError(f"{stored.path.name}{written} cannot be read by {keras.__name__} {keras.__version__}: {told}", hint=hint)


def _custom(module: str | None, trust: bool) -> dict[str, Any]:
    """The public names of the user's module; its `custom_objects` dict, if it has one, comes on top."""
    if module is None:
        return {}
    if not trust:
        raise UsageError(f"--custom-objects {module} runs that module's code", hint="add --trust")
    if "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = importlib.import_module(module.removesuffix(".py"))
    except ImportError as problem:
        raise UsageError(
            f"--custom-objects {module} cannot be imported: {problem}", hint="name it as Python does, e.g. package.module"
        ) from problem
    names = {k: v for k, v in vars(found).items() if callable(v) and not k.startswith("_")}
    return {**names, **getattr(found, "custom_objects", {}), **getattr(found, "CUSTOM_OBJECTS", {})}


def _common(keras: Any) -> dict[str, Any]:
    """Functions and a layer that old files name without defining them, the way their makers meant them."""
    import tensorflow as tf

    class FixedDropout(keras.layers.Dropout):  # type: ignore[misc]
        """Dropout of the older EfficientNet packages; the same at inference."""

    silu = tf.nn.silu
    return {"relu6": tf.nn.relu6, "swish": silu, "swish_activation": silu, "FixedDropout": FixedDropout}


def compute_in_float32(model: Any) -> None:
    """Mixed-precision layers compute in float32 from here on: their weights are float32 anyway, phones choose their own."""
    for layer in layers_of(model):
        if getattr(layer, "compute_dtype", "float32") in ("float16", "bfloat16"):
            if hasattr(layer, "_set_dtype_policy"):
                layer._set_dtype_policy("float32")
            else:
                layer.dtype_policy = "float32"
