"""Run `.onnx` files in onnxruntime."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.errors import EngineError, UsageError
from exporter.runtimes.batch import BatchSession


class Session(BatchSession):
    """A loaded model; see `runtimes.run`. Default optimisations, one thread pool of `threads`, no spinning.

    Args:
        path: The `.onnx` file.
        threads: Threads of one inference.
        options: "input_shapes": shapes with batch by input name, for files of others whose axes are open beyond the batch.

    Raises:
        EngineError: If onnxruntime refuses the file.
        UsageError: If an input's shape is open and not given.
    """

    def __init__(self, path: str, threads: int = 1, options: dict[str, Any] | None = None) -> None:
        self.path, self.threads = Path(path), threads
        shapes = dict((options or {}).get("input_shapes", {}))
        started = time.perf_counter()
        self.session = self._load(str(self.path))
        load_ms = (time.perf_counter() - started) * 1e3
        self.inputs = {i.name: _fixed(i.name, i.shape, shapes.get(i.name)) for i in self.session.get_inputs()}
        self.outputs = [o.name for o in self.session.get_outputs()]
        self.tapped: tuple[tuple[str, ...], Any] = ((), self.session)
        self.first_ms: float | None = None
        self.ready = False
        self.last: dict[str, Array] = {}
        self.facts: dict[str, Any] = {
            "engine": "onnxruntime", "version": _version(), "load_ms": load_ms,
            "inputs": [{"name": i.name, "shape": self.inputs[i.name], "dtype": _dtype(i.type)} for i in self.session.get_inputs()],
            "outputs": [{"name": o.name, "shape": _batch_one(o.shape), "dtype": _dtype(o.type)} for o in self.session.get_outputs()],
        }  # fmt: skip
        self.dtypes = {i["name"]: i["dtype"] for i in self.facts["inputs"]}

    def _load(self, model: str | bytes) -> Any:
        import onnxruntime as ort

        settings = ort.SessionOptions()
        settings.log_severity_level = 3
        settings.intra_op_num_threads = self.threads
        settings.inter_op_num_threads = 1
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            return ort.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
        except Exception as problem:
            raise EngineError(f"onnxruntime refuses {self.path.name}: {_first_line(problem)}") from problem

    def run(self, arrays: dict[str, Array], tensors: list[str] | None = None) -> tuple[dict[str, Any], dict[str, Array]]:
        """One inference on one sample.

        Args:
            arrays: By input name, with the batch axis.
            tensors: Values wanted, inner ones too; all outputs when None.

        Raises:
            EngineError: If names or shapes are not the file's, or onnxruntime fails.
        """
        if set(arrays) != set(self.inputs):
            raise EngineError(f"{self.path.name} has inputs {sorted(self.inputs)}, got {sorted(arrays)}", hint="give exactly its inputs")
        self.last = {k: np.ascontiguousarray(v, self.dtypes[k]) for k, v in arrays.items()}
        self.ready = True
        wanted = self.outputs if tensors is None else tensors
        session = self._tap(wanted)
        started = time.perf_counter()
        results = self._infer(session, wanted)
        self.first_ms = self.first_ms or (time.perf_counter() - started) * 1e3
        return {"first_ms": self.first_ms}, dict(zip(wanted, results, strict=True))

    def again(self) -> None:
        """One inference on the arrays of the last `run`."""
        self._infer(self.session, self.outputs)

    def _infer(self, session: Any, wanted: list[str]) -> list[Array]:
        try:
            return list(session.run(wanted, self.last))
        except Exception as problem:
            raise EngineError(f"onnxruntime fails on {self.path.name}: {_first_line(problem)}") from problem

    def _tap(self, wanted: list[str]) -> Any:
        """A session that gives the wanted values: a second one, with more outputs, where inner ones are asked for."""
        if set(wanted) <= set(self.outputs):
            return self.session
        if set(wanted) <= set(self.tapped[0]):
            return self.tapped[1]
        import onnx

        proto = onnx.load(self.path)
        made = {o for n in proto.graph.node for o in n.output}
        for name in wanted:
            if name not in made:
                raise EngineError(f"{self.path.name} has no value {name}", hint=f"its outputs are {', '.join(self.outputs)}")
            if name not in self.outputs:
                proto.graph.output.add().name = name
        self.tapped = (tuple(wanted), self._load(proto.SerializeToString()))
        return self.tapped[1]


def _fixed(name: str, stated: list[Any], given: list[int] | None) -> list[int]:
    """The shape of one sample: the batch axis is 1; other open axes must be given."""
    if given is not None:
        return [1, *given[1:]] if stated and not isinstance(stated[0], int) else list(given)
    if any(not isinstance(d, int) for d in stated[1:]):
        raise UsageError(f"input {name} has the shape {stated}: its open axes are needed", hint=f"give --input-shape {name}=1,...")
    return _batch_one(stated)


def _batch_one(stated: list[Any]) -> list[Any]:
    return [1 if i == 0 and not isinstance(d, int) else d for i, d in enumerate(stated)]


def _dtype(kind: str) -> str:
    """ "tensor(float)" as numpy says it."""
    inner = kind.removeprefix("tensor(").removesuffix(")")
    return {"float": "float32", "double": "float64"}.get(inner, inner)


def _version() -> str:
    import onnxruntime as ort

    return str(ort.__version__)


def _first_line(problem: Exception) -> str:
    return (str(problem).strip() or type(problem).__name__).splitlines()[0]
