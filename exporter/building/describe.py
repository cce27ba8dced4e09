"""What a written file says of itself, where its format has room for it: TFLite metadata."""

from collections.abc import Mapping, Sequence

from exporter.formats import Artifact
from exporter.graph import Port
from exporter.preprocessing import Preprocessing


def describe(artifact: Artifact, inputs: Sequence[Port], preprocessing: Mapping[str, Preprocessing], class_names: Sequence[str]) -> None:
    """Add labels and normalization to a file just written; a guess is not written as a fact. Other formats than TFLite have no room.

    Args:
        artifact: What the writer gave.
        inputs: The Graph's inputs, in its order.
        preprocessing: By source name.
        class_names: In the order of the outputs; empty when unknown.
    """
    if artifact.format != "tflite":
        return
    from exporter.formats.tflite.metadata import Normalization, add_metadata

    known = {
        tensor.name: Normalization(prep.mean, prep.std, prep.color)
        for port, tensor in zip(inputs, artifact.inputs, strict=True)
        if not (prep := preprocessing[port.source_name]).assumed
    }
    add_metadata(artifact, class_names or None, known)
