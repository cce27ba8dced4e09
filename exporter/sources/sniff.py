"""What a path holds, by its content: a kind of model that we read, or a refusal that names it and the way on."""

import zipfile
from collections.abc import Callable
from pathlib import Path

from exporter.errors import SourceError

KNOWN = "a .keras, .h5 or .onnx file, or a SavedModel folder"

TORCH_EXPORT = (
    "export it where its Python code is: `model.eval(); torch.onnx.export(model, torch.zeros(1, 3, 224, 224), 'model.onnx', "
    "dynamo=False)`, with your input's shape"
)

HDF5 = b"\x89HDF\r\n\x1a\n"

_EXPORTED = "give the Keras, TensorFlow or ONNX model it was made from"

_Foreign = tuple[Callable[[bytes], bool], str, str]

FOREIGN: tuple[_Foreign, ...] = (
    (
        lambda b: b.startswith(b"version https://git-lfs"),
        "a git-lfs pointer, not the model itself",
        "run `git lfs pull` where it came from",
    ),
    (
        lambda b: b.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")),
        "a web page saved under this name, not a model",
        "download the raw file: on a code host, the button `Download raw file`",
    ),
    (lambda b: b[4:8] == b"TFL3", "a TFLite file: an export result, not a source", _EXPORTED),
    (lambda b: b.lstrip().startswith(b"7767517"), "an ncnn file: an export result, not a source", _EXPORTED),
    (
        lambda b: b[:1] == b"\x80" and b[1:2] in b"\x02\x03\x04\x05" and len(b) > 2,
        "a Python pickle, most likely a PyTorch module or its weights: reading it would run its code",
        TORCH_EXPORT,
    ),
    (lambda b: b.startswith(b"\x93NUMPY"), "a numpy array, not a model", f"give {KNOWN}"),
    (
        lambda b: b.startswith(b"GGUF") or b[8:10] == b'{"',
        "a file of weights alone (GGUF or safetensors), without the network",
        TORCH_EXPORT,
    ),
    (
        lambda b: b.startswith(b"\x1f\x8b") or b[257:262] == b"ustar",
        "a packed archive, not a model",
        f"unpack it (`tar xf`), then give {KNOWN}",
    ),
    (lambda b: b.lstrip().startswith((b"<?xml", b"<net")), "an XML file (OpenVINO?), not a model that we read", _EXPORTED),
    (
        lambda b: b[:1] in b"{[" and b.isascii(),
        "a JSON file: a network's structure at most, without weights",
        f"give {KNOWN} with its weights",
    ),
)
"""Kinds of file, by their first 512 bytes, that are often given by mistake: test, what it is, what to do."""


def sniff(path: Path) -> str:
    """The kind of model at `path`: "keras", "h5", "saved_model" or "onnx".

    Raises:
        SourceError: If it is none of them; says what it is.
    """
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise SourceError(f"no such model: {path}", hint=_neighbours(path))
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        raise SourceError(f"{path.name} is empty (0 bytes)", hint="the download or export failed; make or fetch it again")
    if head.startswith(HDF5):
        return "h5"
    if head.startswith(b"PK\x03\x04"):
        return _archive(path)
    for test, what, hint in FOREIGN:
        if test(head):
            raise SourceError(f"{path.name} is {what}", hint=hint)
    return _protobuf(path, head)


def _neighbours(path: Path) -> str:
    near = sorted(p.name for p in path.parent.glob("*") if p.suffix in (".keras", ".h5", ".hdf5", ".onnx")) if path.parent.is_dir() else []
    return f"in that folder: {', '.join(near[:5])}" if near else f"give {KNOWN}"


def _folder(path: Path) -> str:
    if (path / "saved_model.pb").is_file():
        return "saved_model"
    inner = sorted(p.parent for p in path.glob("**/saved_model.pb"))
    models = sorted(p for ending in ("*.keras", "*.h5", "*.hdf5", "*.onnx") for p in path.glob(ending))
    if inner or models:
        raise SourceError(f"{path} is no SavedModel: no saved_model.pb right in it", hint=f"give {(inner or models)[0]}")
    if (path / "config.json").is_file() and (path / "model.weights.h5").is_file():
        raise SourceError(f"{path} is an unpacked .keras file", hint=f"pack it: `cd {path} && zip -r ../model.keras .`")
    if any(path.glob("*.index")):
        raise SourceError(
            f"{path} is a TensorFlow checkpoint: weights without the network",
            hint="load it in your code, then `model.export('folder')` or `model.save('model.keras')`",
        )
    raise SourceError(f"{path} is a folder but no SavedModel (no saved_model.pb)", hint=f"give {KNOWN}")


def _archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as problem:
        raise SourceError(f"{path.name} is a damaged or truncated zip file: {problem}", hint="fetch or save it again") from problem
    if "config.json" in names:
        return "keras"
    ends = {name.rsplit("/", 1)[-1] for name in names}
    if "constants.pkl" in ends or any("/code/" in name for name in names):
        raise SourceError(f"{path.name} is a TorchScript module", hint=TORCH_EXPORT)
    if "data.pkl" in ends:
        raise SourceError(f"{path.name} is a pickled PyTorch module or its weights: reading it would run its code", hint=TORCH_EXPORT)
    if names and all(name.endswith(".npy") for name in names):
        raise SourceError(f"{path.name} holds numpy arrays, not a model", hint=f"give {KNOWN}")
    inside = [n for n in names if n.endswith((".onnx", ".h5", ".keras", "saved_model.pb"))]
    raise SourceError(
        f"{path.name} is a zip file but no .keras model (no config.json in it)", hint=f"unpack it and give {inside[0] if inside else KNOWN}"
    )


_MODEL_FIELDS = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
"""Fields of an ONNX ModelProto: number to wire type (0 a number, 2 something with a length)."""


def _protobuf(path: Path, head: bytes) -> str:
    if path.name == "saved_model.pb":
        raise SourceError(f"{path} is one file of a SavedModel", hint=f"give its folder: {path.parent}")
    if head[0] == 0x0A and (path.suffix == ".pb" or b"Placeholder" in head or b"Const" in head):
        raise SourceError(
            f"{path.name} is a frozen TensorFlow 1 graph",
            hint="turn it into a SavedModel (`tf.compat.v1.saved_model.simple_save`) or ONNX "
            f"(`python -m tf2onnx.convert --graphdef {path.name} --inputs IN:0 --outputs OUT:0 --output model.onnx`)",
        )
    fault = _onnx_fault(path)
    if fault is None:
        return "onnx"
    if path.suffix == ".onnx":
        raise SourceError(
            f"{path.name} is no whole ONNX file: {fault}", hint="fetch it again and compare its size and sha256 with the origin's"
        )
    if path.suffix in (".keras", ".h5", ".hdf5"):
        raise SourceError(f"{path.name} does not begin as a {path.suffix} file must", hint="fetch or save it again")
    raise SourceError(f"{path.name} is no model that we know, by its content", hint=f"give {KNOWN}")


def _onnx_fault(path: Path) -> str | None:
    """What keeps a file from being an ONNX model, told from its outermost fields alone; None when nothing does."""
    size = path.stat().st_size
    seen: set[int] = set()
    with path.open("rb") as file:
        while file.tell() < size:
            start = file.tell()
            tag = _varint(file.read(10))
            if tag is None:
                return f"unreadable at byte {start}"
            field, wire = tag[0] >> 3, tag[0] & 7
            if _MODEL_FIELDS.get(field) != wire:
                return f"no ONNX field at byte {start}" if seen else "its first bytes are not ONNX's"
            file.seek(start + tag[1])
            value = _varint(file.read(10))
            if value is None:
                return f"it ends within a field at byte {start}"
            end = start + tag[1] + value[1] + (value[0] if wire == 2 else 0)
            if end > size:
                return f"truncated: it announces {end} bytes at least and has {size}"
            file.seek(end)
            seen.add(field)
    return None if {7, 8} <= seen else "it has no graph" if 7 not in seen else "it states no operator set"


def _varint(data: bytes) -> tuple[int, int] | None:
    """A protobuf number and its length in bytes; None when it does not end within `data`."""
    value = 0
    for i, byte in enumerate(data):
        value |= (byte & 0x7F) << (7 * i)
        if not byte & 0x80:
            return value, i + 1
    return None
