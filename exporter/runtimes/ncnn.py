"""Run `.param` / `.bin` files in ncnn."""

import re
import time
from pathlib import Path
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.errors import EngineError, unknown_name
from exporter.runtimes.batch import BatchSession
from exporter.runtimes.ncnn_bin import check_bin
from exporter.runtimes.ncnn_param import ParamLayer, read_param

Shape = tuple[int, ...]


class Session(BatchSession):
    """A loaded network; see `runtimes.run`.

    Args:
        path: The `.param` file; the `.bin` of the same name lies beside it.
        threads: Threads of one inference.
        options: ncnn's own options by name, e.g. {"use_fp16_arithmetic": False}; and "input_shapes", shapes without batch by
            input name, for files of others, which do not tell theirs; and "packed_outputs": `time` leaves outputs in ncnn's own layout, as
            a layer leaves them to the next one, and copies none.

    Raises:
        EngineError: If the two files are damaged or do not belong together.
        UsageError: If ncnn has no such option.
    """

    def __init__(self, path: str, threads: int = 1, options: dict[str, Any] | None = None) -> None:
        import ncnn

        self.path = Path(path)
        self.layers = read_param(self.path)
        weights = self.path.with_suffix(".bin")
        check_bin(self.layers, weights)
        options = dict(options or {})
        shapes: dict[str, Any] = options.pop("input_shapes", {})
        self.packed = bool(options.pop("packed_outputs", False))
        started = time.perf_counter()
        self.net = ncnn.Net()
        self._configure(threads, options)
        if self.net.load_param(str(self.path)) != 0 or self.net.load_model(str(weights)) != 0:
            raise EngineError(f"ncnn refuses {self.path.name}", hint="a layer may be newer than this ncnn; build the file again")
        load_ms = (time.perf_counter() - started) * 1e3
        self.inputs = {b: _stated_shape(layer) for layer in self.layers if layer.kind == "Input" for b in layer.outputs}
        self.inputs = dict(_in_order(self.inputs, "in")) | {k: tuple(v) for k, v in shapes.items() if k in self.inputs}
        self.outputs = _outputs(self.layers)
        self.first_ms: float | None = None
        self.ready = False
        self.last: dict[str, Any] = {}
        self.facts: dict[str, Any] = {
            "engine": "ncnn", "version": ncnn.__version__, "load_ms": load_ms,
            "inputs": [{"name": k, "shape": v, "dtype": "float32"} for k, v in self.inputs.items()],
            "outputs": [{"name": k, "shape": None, "dtype": "float32"} for k in self.outputs],
        }  # fmt: skip

    def _configure(self, threads: int, options: dict[str, Any]) -> None:
        known = [name for name in dir(self.net.opt) if not name.startswith("_")]
        for name, value in options.items():
            if name not in known:
                raise unknown_name("ncnn option", name, known)
            setattr(self.net.opt, name, value)
        self.net.opt.num_threads = threads
        self.net.opt.use_vulkan_compute = False

    def run(self, arrays: dict[str, Array], tensors: list[str] | None = None) -> tuple[dict[str, Any], dict[str, Array]]:
        """One inference on one sample.

        Args:
            arrays: By input blob, without batch axis, e.g. (3, 224, 224).
            tensors: Blobs wanted, inner ones too; all outputs when None.

        Raises:
            EngineError: If names or shapes are not the file's, or ncnn fails.
        """
        wanted = self.outputs if tensors is None else tensors
        made = {blob for layer in self.layers for blob in layer.outputs}
        for name in wanted:
            if name not in made:
                raise EngineError(f"{self.path.name} has no blob {name}", hint=f"its outputs are {', '.join(self.outputs)}")
        self.last, self.ready = self._mats(arrays), True
        started = time.perf_counter()
        results = self._infer(wanted, keep=tensors is not None)
        self.first_ms = self.first_ms or (time.perf_counter() - started) * 1e3
        return {"first_ms": self.first_ms}, results

    def again(self) -> None:
        """One inference on the arrays of the last `run`."""
        self._infer(self.outputs, packed=self.packed)

    def _mats(self, arrays: dict[str, Array]) -> dict[str, Any]:
        """ncnn's own copies of the inputs, which borrow nothing from Python."""
        import ncnn

        if set(arrays) != set(self.inputs):
            raise EngineError(f"{self.path.name} has inputs {sorted(self.inputs)}, got {sorted(arrays)}", hint="give exactly its inputs")
        for name, array in arrays.items():
            stated = self.inputs[name]
            if stated is not None and tuple(array.shape) != stated:
                raise EngineError(
                    f"input {name} of {self.path.name} is {list(stated)}, got {list(array.shape)}", hint="leave out the batch axis"
                )
        kept = {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}  # a Mat borrows, and keeps nothing alive
        return {name: ncnn.Mat(array).clone() for name, array in kept.items()}

    def _infer(self, wanted: list[str], *, keep: bool = False, packed: bool = False) -> dict[str, Array]:
        """`keep` holds on to every inner blob, so that any of them can be read; `packed` gives nothing, and unpacks nothing."""
        results = {}
        with self.net.create_extractor() as extractor:
            extractor.set_light_mode(not keep)
            for name, mat in self.last.items():
                extractor.input(name, mat)
            for name in wanted:
                code, mat = extractor.extract(name, int(packed))
                if code != 0:
                    raise EngineError(f"ncnn fails at {name} of {self.path.name} with code {code}", hint="check the input's shape")
                if not packed:
                    results[name] = np.array(mat)
        return results


def _stated_shape(layer: ParamLayer) -> Shape | None:
    """An Input layer's shape, slowest axis first, when the file tells it."""
    sizes = [layer.integer(number) for number in (2, 11, 1, 0)]
    return tuple(n for n in sizes if n) if any(sizes) else None


def _in_order(blobs: dict[str, Shape | None], prefix: str) -> list[tuple[str, Shape | None]]:
    """in0, in1, ..., in10 by number when all are named so, else as in the file."""
    numbers = [re.fullmatch(prefix + r"(\d+)", name) for name in blobs]
    if not all(numbers):
        return list(blobs.items())
    return sorted(blobs.items(), key=lambda item: int(item[0][len(prefix) :]))


def _outputs(layers: list[ParamLayer]) -> list[str]:
    """Blobs named out0, out1, ... when there are any, else those that nobody reads."""
    read = {blob for layer in layers for blob in layer.inputs}
    loose: dict[str, Shape | None] = {b: None for layer in layers if layer.kind != "Input" for b in layer.outputs if b not in read}
    named: dict[str, Shape | None] = {blob: None for blob in loose if re.fullmatch(r"out\d+", blob)}
    return [name for name, _ in _in_order(named or loose, "out")]
