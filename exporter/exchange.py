"""A model handed over to be trained elsewhere: what `mexport to-keras` calls. `mexport build` takes it back like any other source."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exporter.building.stages import cleaned_graph, raw_graph
from exporter.console import Console
from exporter.cost.count import totals
from exporter.errors import UsageError
from exporter.graph.strip import is_quantized, strip
from exporter.sources.open import LoadOptions, open_source
from exporter.store import Store

SUFFIX = ".keras"


def to_keras(
    source: str | Path,
    path: str | Path,
    *,
    input_shapes: Mapping[str | None, tuple[int, ...]] | None = None,
    inputs: tuple[str, ...] = (),
    outputs: tuple[str, ...] = (),
    signature: str | None = None,
    trust: bool = False,
    custom_objects: str | None = None,
    name: str | None = None,
    force: bool = False,
    console: Console | None = None,
) -> dict[str, Any]:
    """Write any source as a Keras model of standard layers, which loads without this package; batch norms are live.

    Args:
        source: A .keras, .h5 or .onnx file or a SavedModel folder.
        path: The file to write; ends in `.keras`, and appears whole or not at all.
        input_shapes: For a source that does not tell.
        inputs: Where to cut it to begin.
        outputs: Where to cut it to end.
        signature: Which signature of a SavedModel.
        trust: Run code that the source brings along.
        custom_objects: Module with a Keras model's own layers.
        name: Of the model; default: the source's.
        force: Replace a file that is there.
        console: Where progress goes; None for nowhere.

    Returns:
        path, name, params, bytes (of the file), batch_norms (live ones), rel (largest difference from the source's Graph, relative), notes.

    Raises:
        UsageError: If the file cannot stand there.
        SourceError: If the source cannot be read.
        UnsupportedOpError: If layers have no standard Keras layer; names all of them.
        ParityError: If the file read again does not give the same outputs.
    """
    source, path, voice = Path(source), Path(path), console or Console(quiet=True)
    _check_place(source, path, force)
    options = LoadOptions(input_shapes or {}, inputs, outputs, trust, custom_objects, name=name, signature=signature)
    notes = []
    with Store() as store, voice.stage(f"reading {source.name}"), open_source(source, options) as opened:
        raw = raw_graph(opened, options, store)
    if is_quantized(raw):
        raw, _ = strip(raw)
        notes.append("the source is quantized: its integers are written as the numbers that they stand for")
    graph, _ = cleaned_graph(raw)
    graph.name = name or graph.name
    norms = sum(node.op_type == "BatchNormalization" for node in graph.nodes)
    from exporter.train.start import start_tensorflow

    with voice.stage("starting TensorFlow"):
        start_tensorflow()
    from exporter.train.to_keras.export import save

    with voice.stage(f"writing {path.name}, and reading it again"):
        worst = save(graph, path)
    return {
        "path": str(path), "name": graph.name, "params": totals(graph).params, "bytes": path.stat().st_size, "batch_norms": norms,
        "rel": worst, "notes": notes,
    }  # fmt: skip


def _check_place(source: Path, path: Path, force: bool) -> None:
    """Before any work: may a Keras file be written there?

    Raises:
        UsageError: If not.
    """
    if path.suffix != SUFFIX:
        raise UsageError(f"{path} is no name for a Keras model", hint=f"write it to {path.with_suffix(SUFFIX)}")
    if path.is_dir():
        raise UsageError(f"{path} is a folder, a file is to be written there", hint=f"write it to {path / 'model.keras'}")
    if path.exists() and source.exists() and path.samefile(source):
        raise UsageError(f"{path} is the model that is read", hint="give the new file another name")
    if path.exists() and not force:
        raise UsageError(f"{path} is there already", hint="give another name, or --force to replace it")
