"""LiteRT (TensorFlow Lite): runs `.tflite` files, ours and others', by XNNPACK.

Where LiteRT is not made for (32-bit ARM), its last forerunner that was, tflite-runtime 2.14, stands for it: the same interface.
"""

import importlib
import importlib.util
import time
from pathlib import Path
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.errors import EngineError
from exporter.runtimes.batch import BatchSession

Facts = dict[str, Any]

PACKAGES = {"ai_edge_litert": "litert", "tflite_runtime": "tflite-runtime"}
"""Python package to the engine's name; the first that is there."""


class Session(BatchSession):
    """One file, loaded.

    Args:
        path: The `.tflite` file.
        threads: Threads of the engine.
        options: {"xnnpack": False} runs the plain kernels instead.

    Raises:
        EngineError: If LiteRT refuses the file.
    """

    def __init__(self, path: str, threads: int, options: dict[str, Any]) -> None:
        self.path, self.threads, self.options = Path(path), threads, options
        self.package = next((name for name in PACKAGES if importlib.util.find_spec(name)), next(iter(PACKAGES)))
        _refuse_other_files(self.path)
        start = time.perf_counter()
        self.interpreter = self._open(inner=False)
        load_ms = (time.perf_counter() - start) * 1e3
        self.inner: Any = None
        self.first_ms: float | None = None
        self.ready = False
        self.facts: Facts = {
            "engine": PACKAGES[self.package], "version": importlib.import_module(self.package).__version__,
            "load_ms": load_ms, "delegated": self._delegated(),
            "inputs": [_describe(d) for d in self.interpreter.get_input_details()],
            "outputs": [_describe(d) for d in self.interpreter.get_output_details()],
        }  # fmt: skip

    def _open(self, *, inner: bool) -> Any:
        """An interpreter, ready; for inner tensors one without delegate that keeps every tensor."""
        module = importlib.import_module(f"{self.package}.interpreter")
        plain = inner or not self.options.get("xnnpack", True)
        kind = module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES if plain else module.OpResolverType.AUTO
        try:
            made = module.Interpreter(
                str(self.path), num_threads=self.threads, experimental_op_resolver_type=kind, experimental_preserve_all_tensors=inner
            )
            made.allocate_tensors()
        except (ValueError, RuntimeError) as problem:
            hint = "the file may be damaged, or needs a newer LiteRT"
            raise EngineError(f"LiteRT refuses {self.path.name}: {_first_line(problem)}", hint=hint) from problem
        return made

    def run(self, arrays: dict[str, Array], tensors: list[str] | None = None) -> tuple[Facts, dict[str, Array]]:
        """One inference; arrays by input name, in the file's own shape and type. Inner tensors that were overwritten are left out."""
        interpreter = self.interpreter
        outputs = {d["name"]: d for d in interpreter.get_output_details()}
        if tensors is not None and any(name not in outputs for name in tensors):
            self.inner = self.inner or self._open(inner=True)
            interpreter = self.inner
        self._feed(interpreter, arrays)
        if interpreter is self.inner:
            self._feed(self.interpreter, arrays)
        self.ready = True
        start = time.perf_counter()
        try:
            interpreter.invoke()
        except (ValueError, RuntimeError) as problem:
            raise EngineError(f"LiteRT fails in {self.path.name}: {_first_line(problem)}") from problem
        if self.first_ms is None and interpreter is self.interpreter:
            self.first_ms = (time.perf_counter() - start) * 1e3
        return {}, self._fetch(interpreter, list(outputs) if tensors is None else tensors)

    def _feed(self, interpreter: Any, arrays: dict[str, Array]) -> None:
        details = {d["name"]: d for d in interpreter.get_input_details()}
        if set(arrays) != set(details):
            raise EngineError(f"{self.path.name} has the inputs {sorted(details)}, got {sorted(arrays)}")
        for name, array in arrays.items():
            want, shape = details[name], tuple(int(d) for d in details[name]["shape"])
            if array.shape != shape or array.dtype != want["dtype"]:
                asked = f"{shape} {np.dtype(want['dtype']).name}"
                raise EngineError(f"input {name} of {self.path.name} is {asked}, got {array.shape} {array.dtype.name}")
            interpreter.set_tensor(want["index"], array)

    def _fetch(self, interpreter: Any, names: list[str]) -> dict[str, Array]:
        known = {d["name"]: d["index"] for d in interpreter.get_tensor_details()}
        missing = [name for name in names if name not in known]
        if missing:
            raise EngineError(f"{self.path.name} has no tensor {', '.join(missing)}")
        known |= {d["name"]: d["index"] for d in interpreter.get_output_details()}
        lost = _overwritten(interpreter) if interpreter is self.inner else set()
        return {name: interpreter.get_tensor(known[name]) for name in names if known[name] not in lost}

    def again(self) -> None:
        """One inference on the arrays of the last `run`."""
        self.interpreter.invoke()

    def _delegated(self) -> float | None:
        """Share of the file's nodes that XNNPACK took, 0 to 1; None where LiteRT does not tell."""
        nodes = self.interpreter._get_ops_details()
        own = [n for n in nodes if n["op_name"] != "DELEGATE"]
        maker = {int(t): n["index"] for n in own for t in n["outputs"]}
        reads = {n["index"]: [int(t) for t in n["inputs"]] for n in own}
        taken: set[int] = set()
        for part in (n for n in nodes if n["op_name"] == "DELEGATE"):
            border = {int(t) for t in part["inputs"]}
            todo = [int(t) for t in part["outputs"]]
            while todo:
                node = maker.get(todo.pop())
                if node is not None and node not in taken:
                    taken.add(node)
                    todo += [t for t in reads[node] if t not in border]
        return len(taken) / len(own) if own else None


def _overwritten(interpreter: Any) -> set[int]:
    """Tensors in whose memory a later node wrote: tflite-runtime 2.14 works in place even where it was told to keep every tensor."""
    made = [int(t) for node in interpreter._get_ops_details() for t in node["outputs"]]
    places = {t: interpreter.tensor(t)().__array_interface__["data"][0] for t in made}
    last = {place: t for t, place in places.items()}
    return {t for t in made if last[places[t]] != t}


def _refuse_other_files(path: Path) -> None:
    """A TFLite file says so in bytes 4 to 8; anything else can crash the engine."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as problem:
        raise EngineError(f"cannot read {path}: {problem.strerror}") from problem
    if head[4:] != b"TFL3":
        raise EngineError(f"{path.name} is no TFLite file: it starts with {head!r}, TFL3 in bytes 4 to 8 is needed")


def _describe(detail: dict[str, Any]) -> Facts:
    scale, zero_point = detail["quantization"]
    return {
        "name": detail["name"], "shape": [int(d) for d in detail["shape"]], "dtype": np.dtype(detail["dtype"]).name,
        "scale": float(scale), "zero_point": int(zero_point),
    }  # fmt: skip


def _first_line(problem: Exception) -> str:
    return (str(problem).strip() or type(problem).__name__).splitlines()[0]
