"""Write a Graph as `model.onnx`: the source's names and layout, standard operators, batch axis N."""

from exporter.formats.onnx.points import points, spell_out
from exporter.formats.onnx.write import PRECISIONS, check, write

__all__ = ["PRECISIONS", "check", "points", "spell_out", "write"]
