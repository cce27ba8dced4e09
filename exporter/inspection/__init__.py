"""What a model is made of and what each format makes of it; also files of other tools' making."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exporter.bundle import MANIFEST, read_bundle
from exporter.inspection.ncnn import inspect_ncnn
from exporter.inspection.source import inspect_source
from exporter.inspection.tflite import inspect_tflite
from exporter.sources.open import LoadOptions

BARE = {".tflite": inspect_tflite, ".param": inspect_ncnn}
"""Suffix of a written file to what reads its structure; everything else is a source."""


def inspect(
    path: Path,
    *,
    input_shapes: Mapping[str | None, tuple[int, ...]] | None = None,
    inputs: tuple[str, ...] = (),
    outputs: tuple[str, ...] = (),
    trust: bool = False,
    custom_objects: str | None = None,
    signature: str | None = None,
) -> dict[str, Any]:
    """Operators, shapes, parameters and costs by layer; for a source also what each format cannot express or makes slow.

    Args:
        path: A source, a bare .tflite or .param file, or a bundle.
        input_shapes: For a source that does not tell.
        inputs: Where to cut a source to begin.
        outputs: Where to cut it to end.
        trust: Run code that the source brings along.
        custom_objects: Module with a Keras model's own layers.
        signature: Which signature of a SavedModel.

    Returns:
        name, source, inputs, outputs, layers, totals; formats (name to problems) for a source.

    Raises:
        SourceError: If it cannot be read.
    """
    if (path / MANIFEST).is_file():
        path = read_bundle(path).artifact().path
    if path.is_file() and path.suffix in BARE:
        return BARE[path.suffix](path)
    return inspect_source(path, LoadOptions(input_shapes or {}, inputs, outputs, trust, custom_objects, signature=signature))
