"""The file formats: one module each, with `write(graph, folder, options) -> Artifact` and `check(graph) -> list[Problem]`."""

import importlib
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Protocol, cast

from exporter.errors import unknown_name
from exporter.formats.artifact import Artifact, Problem, Tensor, WriteOptions
from exporter.formats.points import Points, Ranges
from exporter.graph import Graph

__all__ = ["FORMATS", "Artifact", "Problem", "Rounder", "Tensor", "WriteOptions", "Writer", "load_writer"]


class Rounder(Protocol):
    """What quantization asks of a format."""

    def spell_out(self, graph: Graph) -> None:
        """Change a float Graph in place before it is rounded: a layer that the format's integers compute in steps, rounding in between,
        becomes those steps, so that pairs can stand there. Values keep their names and numbers."""

    def points(self, graph: Graph, ranges: Ranges, keep_float: AbstractSet[str]) -> Points:
        """What the format would store in integers; nothing is written.

        Args:
            graph: A finished float Graph.
            ranges: Smallest and largest number seen, by value name.
            keep_float: Layers (names of first outputs) that stay float.
        """


class Writer(Rounder, Protocol):
    """What each format's module offers; the module itself is the object."""

    PRECISIONS: tuple[str, ...]

    def write(self, graph: Graph, folder: Path, options: WriteOptions) -> Artifact:
        """Write the model's files into an existing folder; same graph and options, same bytes.

        Raises:
            UnsupportedOpError: Names every layer that the format cannot express, all at once.
        """

    def check(self, graph: Graph) -> list[Problem]:
        """Every layer that the format cannot express or that is slow there; nothing is written."""


FORMATS = {"ncnn": "exporter.formats.ncnn", "tflite": "exporter.formats.tflite", "onnx": "exporter.formats.onnx"}
"""Format name to its module."""


def load_writer(name: str) -> Writer:
    """The writer of a format.

    Raises:
        UsageError: If there is none of that name; suggests the nearest.
    """
    if name not in FORMATS:
        raise unknown_name("format", name, FORMATS)
    return cast(Writer, importlib.import_module(FORMATS[name]))
