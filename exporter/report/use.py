"""USE.md: how to load a built model in Kotlin, C++ and Python, with its real names, shapes and numbers."""

from collections.abc import Mapping
from typing import Any

from exporter.report import use_ncnn, use_onnx, use_tflite
from exporter.report.markdown import code, numbers, table
from exporter.report.pixels import python_inputs
from exporter.report.ports import End, ends

FORMATS = {"ncnn": use_ncnn, "tflite": use_tflite, "onnx": use_onnx}
LANGUAGES = ("python", "kotlin", "cpp")
TITLES = {"python": "Python", "kotlin": "Kotlin (Android)", "cpp": "C++"}

RESIZING = {
    "squash": "the whole picture to the input's size, its proportions given up",
    "crop": "the centred square of that share of the short side, then to the input's size",
    "letterbox": "the whole picture into the input's size, proportions kept, centred on grey 114",
}


def usage(manifest: Mapping[str, Any]) -> str:
    """The whole text as Markdown."""
    inputs, outputs = ends(manifest, "inputs"), ends(manifest, "outputs")
    writer = FORMATS[manifest["target"]["format"]]
    blocks = {"python": f"{python_inputs(inputs)}\n\n{writer.python(manifest, inputs, outputs)}",
              "kotlin": writer.kotlin(manifest, inputs, outputs), "cpp": writer.cpp(manifest, inputs, outputs)}  # fmt: skip
    chapters = [f"## {TITLES[name]}\n\n{code(name, blocks[name])}" for name in LANGUAGES]
    return "\n\n".join([_head(manifest, inputs, outputs), _pixels(inputs), *chapters, writer.NOTES]) + "\n"


def _head(manifest: Mapping[str, Any], inputs: list[End], outputs: list[End]) -> str:
    rows = [(which, f"`{e.name}`", " x ".join(map(str, e.shape)), e.layout, e.dtype, _quantization(e), f"`{e.source_name}`")
            for which, listed in (("input", inputs), ("output", outputs)) for e in listed]  # fmt: skip
    files = " and ".join(f"`{name}`" for name in manifest["artifact"]["files"])
    head = ("", "name", "shape", "layout", "type", "quantization", "in the source")
    labels = "\n\n`labels.txt` names the classes, one a line, in the order of the output." if _labelled(manifest) else ""
    return f"# How to use {manifest['name']}\n\nThe model is {files} ({manifest['precision']}).\n\n{table(head, rows)}{labels}"


def _labelled(manifest: Mapping[str, Any]) -> bool:
    return any(f["path"] == "labels.txt" for f in manifest["files"])


def _quantization(end: End) -> str:
    return "" if end.scale is None else f"real = {end.scale:.9g} · (q − {end.zero_point})"


def _pixels(inputs: list[End]) -> str:
    said = [_one(e) for e in inputs if e.prep is not None]
    return "## What goes in\n\n" + "\n\n".join(said or ["The values that the source model takes, as they are."])


def _one(end: End) -> str:
    assert end.prep is not None
    formula = f"y = (x − mean) / std, mean {numbers(end.prep['mean'])}, std {numbers(end.prep['std'])}"
    assumed = " **This is assumed, nobody told: check it before you trust an output.**" if end.prep["assumed"] else ""
    if end.picture is None:
        return f"`{end.name}`: {formula}.{assumed}"
    height, width, _ = end.picture
    how = RESIZING[end.prep["resize"].partition(":")[0]]
    return (
        f"`{end.name}`: a picture as {end.prep['color']}, pixels 0..255; {end.prep['resize']}: {how} ({width} x {height}), "
        f"bilinear with a triangle kernel as wide as the shrink factor (Pillow's); then {formula}.{assumed}"
    )
