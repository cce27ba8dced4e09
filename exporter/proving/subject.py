"""Anything that an engine can run: a bundle's file, or a bare one from elsewhere, fed in the source's layout."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.bundle import Bundle, find_bundles
from exporter.child import Child, Launcher
from exporter.cost.load import Load
from exporter.data import InputSpec
from exporter.errors import DataError, UsageError
from exporter.formats import Tensor
from exporter.runtimes.ncnn_param import read_param
from exporter.runtimes.run import open_engine
from exporter.runtimes.settings import runtime_options

BARE = {".tflite": "litert", ".onnx": "onnxruntime", ".param": "ncnn"}
"""Suffix of a bare file to the engine that runs it."""

CHANNELS = (1, 3, 4)
HALF_TAG = (0x01306B47).to_bytes(4, "little")
"""What ncnn's weights in half precision begin with."""


@dataclass(frozen=True, slots=True)
class End:
    """One input or output of a file, and how it stands to the source's.

    Attributes:
        tensor: In the file; its `graph_name` is the source's name, its `perm` counts the source's axes.
        shape: In the source's layout, 1 on the batch axis; empty for an output whose engine does not tell it.
        layout: The source's: "nhwc", "nchw", ... or "plain".
        dtype: Of the source.
    """

    tensor: Tensor
    shape: tuple[int, ...]
    layout: str
    dtype: str = "float32"

    def to_file(self, x: Array) -> Array:
        """Samples in the source's layout, (n, ...), as the file takes them, behind an axis that counts samples."""
        return np.stack([self.tensor.from_graph(row[None]) for row in x])

    def to_source(self, rows: Array) -> Array:
        """The inverse, dequantized."""
        if not self.shape or rows[0].size != prod(self.shape):  # not told, or told before the engine knew
            return self.tensor.real(np.concatenate(list(rows)) if 0 in self.tensor.perm else rows)
        return np.concatenate([self.tensor.to_graph(row, self.shape) for row in rows])


@dataclass(frozen=True, slots=True)
class Subject:
    """A file and its engine.

    Attributes:
        name: For tables.
        path: The file that the engine is pointed to.
        runtime: The engine.
        threads: Its threads.
        options: Its options.
        inputs: In order.
        outputs: In order.
        manifest: Of the bundle; None for a bare file.
    """

    name: str
    path: Path
    runtime: str
    threads: int
    options: dict[str, Any]
    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    manifest: dict[str, Any] | None = None

    def open(self, launcher: Launcher | None = None) -> Child:
        """Start the engine, on this computer or elsewhere."""
        return open_engine(self.runtime, self.path, threads=self.threads, options=self.options, launcher=launcher)

    def specs(self) -> tuple[InputSpec, ...]:
        """What the inputs take, in the source's terms."""
        return tuple(InputSpec(e.tensor.graph_name, e.shape[1:], e.layout, e.dtype) for e in self.inputs)

    def run(self, engine: Child, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by source name and layout, from inputs alike."""
        feeds = {e.tensor.name: e.to_file(arrays[e.tensor.graph_name]) for e in self.inputs}
        _, got = engine.call("run_many", feeds, tensors=[e.tensor.name for e in self.outputs])
        return {e.tensor.graph_name: e.to_source(got[e.tensor.name]) for e in self.outputs}

    def sample(self, seed: int) -> dict[str, Array]:
        """One input in the file's own layout: the first of the bundle's reference, or noise."""
        if self.manifest is None:
            return self.noise(seed)
        inputs = Bundle(self.path.parent, self.manifest).reference().inputs
        return {e.tensor.name: e.to_file(inputs[e.tensor.graph_name][:1])[0] for e in self.inputs}

    def load(self, seed: int) -> Load:
        """One inference of it, to be counted."""
        return Load(self.runtime, self.path, self.sample(seed), self.options)

    def noise(self, seed: int) -> dict[str, Array]:
        """One sample of noise in the file's own layout, to time it with."""
        rng = np.random.default_rng(seed)
        return {e.tensor.name: _noise(rng, e.tensor) for e in self.inputs}


def subjects(path: Path, *, threads: int | None = None, shapes: Mapping[str | None, tuple[int, ...]] | None = None) -> list[Subject]:
    """What a path holds: a bare file, a bundle, or a folder of bundles.

    Args:
        path: Where.
        threads: Of the engine; None for the bundle's own, or 1.
        shapes: Input shapes of a bare file that does not tell them, batch included.
    """
    if path.is_file():
        return [bare(path, threads or 1, shapes or {})]
    return [bundled(b, threads) for b in find_bundles(path)]


def bundled(bundle: Bundle, threads: int | None = None) -> Subject:
    """A bundle's file."""
    facts = bundle.manifest
    options = {k: v for k, v in facts["runtime_options"].items() if k != "threads"}
    target = facts["target"]
    return Subject(
        bundle.path.name, bundle.path / facts["artifact"]["files"][0], target["runtime"], threads or facts["runtime_options"]["threads"],
        options, _ends(facts["inputs"]), _ends(facts["outputs"]), facts,
    )  # fmt: skip


def bare(path: Path, threads: int, shapes: Mapping[str | None, tuple[int, ...]]) -> Subject:
    """A file from elsewhere: what it takes is asked of its engine.

    Raises:
        UsageError: If no engine runs such files, or it does not tell its shapes.
    """
    if path.suffix not in BARE:
        raise UsageError(f"{path.name} is no .tflite, .onnx or .param file", hint="give a bundle, or one of those")
    runtime = BARE[path.suffix]
    batch = runtime != "ncnn"
    options = {**runtime_options(runtime, _stored_precision(path)), **_shape_options(path, shapes, batch)}
    with open_engine(runtime, path, threads=threads, options=options) as engine:
        facts = engine.facts
    inputs = tuple(_bare_end(t, shapes, batch) for t in facts["inputs"])
    if silent := [e.tensor.name for e in inputs if not e.shape]:
        raise UsageError(f"{path.name} does not tell the shape of {', '.join(silent)}", hint=f"--input-shape {silent[0]}=1,3,224,224")
    outputs = tuple(_bare_end(t, {}, batch) for t in facts["outputs"])
    return Subject(path.name, path, runtime, threads, options, inputs, outputs)


def _stored_precision(path: Path) -> str:
    """ "fp16" for an ncnn file whose first weights are stored in half precision, else "fp32": what runs is what is stored."""
    weights = path.with_suffix(".bin")
    if path.suffix != ".param" or not weights.is_file():
        return "fp32"
    with weights.open("rb") as stream:
        return "fp16" if stream.read(4) == HALF_TAG else "fp32"


def _shape_options(path: Path, shapes: Mapping[str | None, tuple[int, ...]], batch: bool) -> dict[str, Any]:
    """Given shapes as the engines of ncnn and onnx take them: by name, without a batch axis for ncnn."""
    if not shapes:
        return {}
    only = _only_input(path) if None in shapes else None
    named = {str(name or only): list(shape if batch else shape[1:]) for name, shape in shapes.items()}
    return {"input_shapes": named}


def _only_input(path: Path) -> str:
    """Name of a file's only input."""
    if path.suffix == ".param":
        names = [blob for layer in read_param(path) if layer.kind == "Input" for blob in layer.outputs]
    else:
        names = [str(v.name) for v in ir.load(path).graph.inputs]
    if len(names) != 1:
        raise UsageError(f"{path.name} has {len(names)} inputs: {', '.join(names)}", hint=f"--input-shape {names[0]}=1,3,224,224")
    return names[0]


def _bare_end(facts: Mapping[str, Any], shapes: Mapping[str | None, tuple[int, ...]], batch: bool) -> End:
    """A tensor as its engine describes it; ncnn's have no batch axis. An open axis leaves the shape empty."""
    name, kind = facts["name"], np.dtype(facts.get("dtype", "float32"))
    stated = facts.get("shape") or ()
    told = tuple(stated) if all(isinstance(d, int) and d > 0 for d in stated) else ()
    shape = shapes.get(name) or shapes.get(None) or (told if batch or not told else (1, *told))
    perm = tuple(range(0 if batch else 1, max(len(shape), 1)))
    quantized = np.issubdtype(kind, np.integer) and bool(facts.get("scale"))
    scale, zero_point = (float(facts["scale"]), int(facts["zero_point"])) if quantized else (None, 0)
    tensor = Tensor(name, name, tuple(shape[0 if batch else 1 :]), perm, kind.name, scale, zero_point)
    return End(tensor, tuple(shape), _layout(shape, batch), "float32" if quantized else kind.name)


def _layout(shape: Sequence[int], batch: bool) -> str:
    """A guess from the axes' lengths: ncnn is always channels first."""
    if len(shape) != 4:
        return "plain"
    return "nchw" if not batch or (shape[1] in CHANNELS and shape[-1] not in CHANNELS) else "nhwc"


def _ends(ports: Sequence[Mapping[str, Any]]) -> tuple[End, ...]:
    return tuple(
        End(
            Tensor(p["name"], p["source_name"], tuple(p["shape"]), tuple(p["perm"]), p["dtype"], p["scale"], int(p["zero_point"] or 0)),
            tuple(p["source_shape"]), p["source_layout"],
        )
        for p in ports
    )  # fmt: skip


def _noise(rng: np.random.Generator, tensor: Tensor) -> Array:
    kind = np.dtype(tensor.dtype)
    if np.issubdtype(kind, np.integer):
        return rng.integers(0, 128, tensor.shape).astype(kind)
    return rng.standard_normal(tensor.shape).astype(kind)


def only_scores(outputs: Mapping[str, Array], name: str | None) -> Array:
    """The output that holds one score a class.

    Raises:
        DataError: If there are several that may, or the named one is not there.
    """
    if name is not None:
        if name not in outputs:
            raise DataError(f"no output named {name}", hint=f"outputs: {', '.join(outputs)}")
        return outputs[name]
    rows = [y for y in outputs.values() if y.ndim == 2] or list(outputs.values())
    if len(rows) > 1:
        raise DataError(f"{len(outputs)} outputs may hold the scores: {', '.join(outputs)}", hint="name one with --scores")
    return rows[0]
