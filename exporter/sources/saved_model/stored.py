"""A SavedModel's own file, read without running anything of it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.errors import SourceError

CODE_OPS = ("PyFunc", "PyFuncStateless", "EagerPyFunc", "ReadFile", "WriteFile", "MatchingFiles", "RestoreSlice", "PrintV2")
"""Operators that run Python code or touch files when the model runs."""

_XLA = "_XlaMustCompile"


@dataclass
class Stored:
    """The proto of a SavedModel and where it lies.

    Attributes:
        path: The folder.
        proto: tensorflow's SavedModel message.
    """

    path: Path
    proto: Any

    @property
    def graph(self) -> Any:
        """The one MetaGraph that is for serving."""
        tagged = [m for m in self.proto.meta_graphs if "serve" in m.meta_info_def.tags]
        return (tagged or list(self.proto.meta_graphs))[0]

    def nodes(self) -> Iterator[Any]:
        """Every node of its graphs and functions."""
        for meta in self.proto.meta_graphs:
            yield from meta.graph_def.node
            for function in meta.graph_def.library.function:
                yield from function.node_def

    def metadata(self) -> list[dict[str, Any]]:
        """What Keras noted about each layer and model; empty where it did not write the folder."""
        from tensorflow.python.keras.protobuf import saved_metadata_pb2

        beside = self.path / "keras_metadata.pb"
        if beside.is_file():
            objects = list(saved_metadata_pb2.SavedMetadata.FromString(beside.read_bytes()).nodes)
        else:
            objects = [n.user_object for n in self.graph.object_graph_def.nodes if n.HasField("user_object")]
        texts = [o.metadata for o in objects if o.identifier.startswith("_tf_keras_") and o.identifier != "_tf_keras_metric"]
        return [json.loads(t) for t in texts if t]


def read(path: Path, *, trust: bool = False) -> Stored:
    """Read and screen saved_model.pb.

    Raises:
        SourceError: If it is damaged, or would run code or touch files.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        proto = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    except DecodeError as problem:
        raise SourceError(f"{path.name}/saved_model.pb is damaged: {problem}", hint="save or fetch the model again") from problem
    if not proto.meta_graphs:
        raise SourceError(f"{path.name}/saved_model.pb holds no graph", hint="save or fetch the model again")
    stored = Stored(path, proto)
    bad = sorted({n.op for n in stored.nodes() if n.op in CODE_OPS})
    if bad and not trust:
        raise SourceError(
            f"{path.name} runs code or touches files when it runs: {', '.join(bad)}",
            hint="if you trust the folder, add --trust; better, export the model without these operators",
        )
    if not (path / "variables" / "variables.index").is_file() and any(n.op in ("VarHandleOp", "VariableV2") for n in stored.nodes()):
        raise SourceError(f"{path.name} lacks its weights: no variables/variables.index", hint="copy the whole folder")
    return stored


def needs_repair(stored: Stored) -> bool:
    """Whether `repaired` would change anything."""
    slots = any(n.slot_variables for n in stored.graph.object_graph_def.nodes)
    return slots or any(_must_compile(a) for a in _attributes(stored))


def repaired(stored: Stored, folder: Path) -> Path:
    """A copy of the model that TensorFlow opens and tf2onnx can inline: no optimizer slots, nothing that only XLA may run.

    Args:
        stored: The model; left as it is.
        folder: An empty folder for the copy, which links to the weights.
    """
    copy = Stored(stored.path, type(stored.proto)())
    copy.proto.CopyFrom(stored.proto)
    for meta in copy.proto.meta_graphs:
        for node in meta.object_graph_def.nodes:
            node.ClearField("slot_variables")
    for attributes in _attributes(copy):
        if _must_compile(attributes):
            attributes[_XLA].b = False
    (folder / "saved_model.pb").write_bytes(copy.proto.SerializeToString())
    for entry in stored.path.iterdir():
        if entry.name != "saved_model.pb":
            (folder / entry.name).symlink_to(entry.resolve())
    return folder


def _attributes(stored: Stored) -> Iterator[Any]:
    for meta in stored.proto.meta_graphs:
        for function in meta.graph_def.library.function:
            yield function.attr
    for node in stored.nodes():
        yield node.attr


def _must_compile(attributes: Any) -> bool:
    return _XLA in attributes and attributes[_XLA].b
