"""ONNX files of any exporter, opset 7 and newer, to a Graph."""

from exporter.sources.onnx.load import from_proto, load

__all__ = ["from_proto", "load"]
