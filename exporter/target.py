"""Targets: where a model is to run, with which engine, and what it must hold there. One TOML each, no Python.

Shipped targets are named; a user's own is a TOML file by path.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from exporter.errors import UsageError, unknown_name
from exporter.resources import data_folder
from exporter.settings import NUMBER, check_keys, read_toml

ENGINES = {"ncnn": "ncnn", "tflite": "litert", "onnx": "onnxruntime"}
"""Format to the engine that runs it."""

ABIS = ("arm64-v8a", "armeabi-v7a", "x86_64")
PRECISIONS = ("fp32", "fp16", "int8", "mixed", "int8-dynamic", "int8-weights", "int4-weights")
LAYOUTS = ("nchw", "nhwc")
IO_DTYPES = ("float32", "int8", "uint8")

_SCALARS: dict[str, Any] = {
    "summary": str, "format": str, "runtime": str, "abi": str, "cpu": str, "precision": str, "threads": int, "channel_step": int,
}  # fmt: skip
_TABLES: dict[str, dict[str, Any]] = {
    "parity": {"max_rel": dict, "min_sqnr_db": dict},
    "quantization": {"max_rel": dict, "min_sqnr_db": dict},
    "limits": {"size_mib": NUMBER, "top1_drop": NUMBER},
    "onnx": {"opset": int, "layout": str},
    "io": {"dtype": str},
}
REQUIRED = ("format", "abi")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What a comparison must hold, by precision: largest `rel`, smallest SQNR in dB."""

    max_rel: Mapping[str, float] = field(default_factory=dict)
    min_sqnr_db: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TargetLimits:
    """A user's own limits; the build fails beyond them. size_mib: all files of the model; top1_drop: share of samples, 0..1."""

    size_mib: float | None = None
    top1_drop: float | None = None


@dataclass(frozen=True, slots=True)
class OnnxOptions:
    """For format onnx: operator set, and layout "nchw" or "nhwc" (None: the source's)."""

    opset: int | None = None
    layout: str | None = None


@dataclass(frozen=True, slots=True)
class IoOptions:
    """Element type of the inputs and outputs of an int8 file."""

    dtype: str = "float32"


@dataclass(frozen=True, slots=True)
class Target:
    """One place where models run.

    Attributes:
        name: Of the TOML file, without suffix; part of the bundle's name.
        summary: One line for lists.
        format: "ncnn", "tflite" or "onnx".
        runtime: The engine, a key of `runtimes.run.RUNTIMES`.
        abi: Android's name of the instruction set.
        cpu: The core to emulate, and to predict for.
        precision: Default; --precision overrides.
        threads: Of the engine.
        channel_step: Widths worth pruning to are multiples of it.
        parity: Artifact against the Graph it was written from.
        quantization: Artifact against the float Graph: the collapse guard.
        limits: The user's own.
        onnx: Only for format onnx.
        io: Types at the file's ends.
    """

    name: str
    format: str
    runtime: str
    abi: str
    summary: str = ""
    cpu: str = "cortex-a76"
    precision: str = "fp32"
    threads: int = 1
    channel_step: int = 1
    parity: Thresholds = field(default_factory=Thresholds)
    quantization: Thresholds = field(default_factory=Thresholds)
    limits: TargetLimits = field(default_factory=TargetLimits)
    onnx: OnnxOptions = field(default_factory=OnnxOptions)
    io: IoOptions = field(default_factory=IoOptions)

    def as_dict(self) -> dict[str, Any]:
        """For the manifest and for JSON."""
        return asdict(self)


def list_targets() -> list[str]:
    """Names of the shipped targets, sorted."""
    return sorted(path.stem for path in data_folder("targets").glob("*.toml"))


def load_target(name_or_path: str | Path) -> Target:
    """A shipped target by name, or anyone's TOML file by path.

    Raises:
        UsageError: If there is none, or the file is wrong; names the key.
    """
    text = str(name_or_path)
    if text.endswith(".toml") or "/" in text:
        return read_target(Path(text))
    if text not in list_targets():
        raise unknown_name("target", text, list_targets())
    return read_target(data_folder("targets") / f"{text}.toml")


def read_target(path: Path) -> Target:
    """Read and check one target file.

    Raises:
        UsageError: Unknown key (suggests the nearest), wrong type, unknown name, missing key; names the file.
    """
    data = read_toml(path)
    where = path.name
    check_keys(data, _SCALARS | dict.fromkeys(_TABLES, dict), where)
    for name, known in _TABLES.items():
        check_keys(data.get(name, {}), known, f"{where} [{name}]")
    missing = [key for key in REQUIRED if key not in data]
    if missing:
        raise UsageError(f"{where}: {missing[0]} is missing", hint=f'add `{missing[0]} = "..."`, see `mexport targets show ncnn-arm64`')
    _check_names(data, where)
    return _make(path.stem, data)


def _check_names(data: Mapping[str, Any], where: str) -> None:
    _one_of(data["format"], ENGINES, f"{where}: format")
    engine = ENGINES[data["format"]]
    _one_of(data.get("runtime", engine), (engine,), f"{where}: runtime of {data['format']}")
    _one_of(data["abi"], ABIS, f"{where}: abi")
    _one_of(data.get("precision", "fp32"), PRECISIONS, f"{where}: precision")
    _one_of(data.get("onnx", {}).get("layout", "nchw"), LAYOUTS, f"{where} [onnx]: layout")
    _one_of(data.get("io", {}).get("dtype", "float32"), IO_DTYPES, f"{where} [io]: dtype")
    for table in ("parity", "quantization"):
        for name, limits in data.get(table, {}).items():
            check_keys(limits, dict.fromkeys(PRECISIONS, NUMBER), f"{where} [{table}] {name}")
    for key in ("threads", "channel_step"):
        if data.get(key, 1) < 1:
            raise UsageError(f"{where}: {key} = {data[key]} must be 1 or more", hint="correct the value")
    if "onnx" in data and data["format"] != "onnx":
        raise UsageError(f"{where}: [onnx] is for format onnx, this is {data['format']}", hint="remove the table")


def _one_of(got: str, known: Mapping[str, str] | tuple[str, ...], what: str) -> None:
    if got not in known:
        problem = unknown_name("name", got, known)
        raise UsageError(f"{what}: {got} is unknown", hint=problem.hint)


def _make(name: str, data: Mapping[str, Any]) -> Target:
    plain = {key: value for key, value in data.items() if key in _SCALARS}
    return Target(
        name,
        **{"runtime": ENGINES[data["format"]], **plain},
        parity=Thresholds(**data.get("parity", {})),
        quantization=Thresholds(**data.get("quantization", {})),
        limits=TargetLimits(**data.get("limits", {})),
        onnx=OnnxOptions(**data.get("onnx", {})),
        io=IoOptions(**data.get("io", {})),
    )
