"""Loading an ncnn model."""

from collections.abc import Mapping
from typing import Any

from exporter.report.markdown import numbers
from exporter.report.ports import End

Facts = Mapping[str, Any]

NOTES = """Notes for ncnn: `ncnn::Mat::from_pixels_resize` and `createScaledBitmap` resize by plain bilinear, which differs from
what the model was proved with when a picture is made smaller: resize with a triangle filter first where accuracy counts. `ncnn.Mat(array)`
in Python borrows memory: clone it, as above."""

PIXELS = {"rgb": "PIXEL_RGB", "bgr": "PIXEL_BGR", "gray": "PIXEL_GRAY"}
FROM_RGB = {"rgb": "PIXEL_RGB", "bgr": "PIXEL_RGB2BGR", "gray": "PIXEL_RGB2GRAY"}


def _files(m: Facts) -> tuple[str, str]:
    return m["artifact"]["files"][0], m["artifact"]["files"][1]


def _options(m: Facts, language: str) -> list[str]:
    """The engine's options that the model was proved with."""
    lines = []
    for name, value in m["runtime_options"].items():
        option = "num_threads" if name == "threads" else name
        word = str(value) if language == "python" else str(value).lower()
        lines.append(f"net.opt.{option} = {word}" + ("" if language == "python" else ";"))
    return lines


def python(m: Facts, inputs: list[End], outputs: list[End]) -> str:
    """With the `ncnn` package."""
    param, weights = _files(m)
    lines = ["import ncnn", "", "net = ncnn.Net()", *_options(m, "python")]
    lines += [f'net.load_param("{param}")', f'net.load_model("{weights}")', "with net.create_extractor() as ex:"]
    lines += [f'    ex.input("{e.name}", ncnn.Mat(x{i}).clone())' for i, e in enumerate(inputs)]
    lines += [f'    y{i} = np.array(ex.extract("{e.name}")[1])  # {e.source_name}: {e.shape}' for i, e in enumerate(outputs)]
    return "\n".join(lines)


def cpp(m: Facts, inputs: list[End], outputs: list[End]) -> str:
    """With ncnn's own library."""
    param, weights = _files(m)
    lines = [
        '#include "net.h"',
        "",
        "ncnn::Net net;",
        *_options(m, "cpp"),
        f'net.load_param("{param}");',
        f'net.load_model("{weights}");',
        "",
    ]
    for i, e in enumerate(inputs):
        lines += _mat(e, i, f"ncnn::Mat::from_pixels_resize(rgb, ncnn::Mat::{_convert(e)}, width, height, {{w}}, {{h}})")
    lines += ["", "ncnn::Extractor ex = net.create_extractor();", *(f'ex.input("{e.name}", x{i});' for i, e in enumerate(inputs))]
    lines += [f'ncnn::Mat y{i};\nex.extract("{e.name}", y{i});  // {e.source_name}: {e.elements} values' for i, e in enumerate(outputs)]
    return "\n".join(lines)


def _convert(end: End) -> str:
    return FROM_RGB[end.prep["color"]] if end.prep else "PIXEL_RGB"


def _mat(end: End, i: int, from_pixels: str) -> list[str]:
    """Code that makes input i; a picture's numbers in ncnn's own terms, norm = 1 / std."""
    if end.picture is None:
        sizes = ", ".join(str(d) for d in reversed(end.shape))
        return [f"ncnn::Mat x{i}({sizes});  // your {end.elements} values for {end.source_name}"]
    height, width, channels = end.picture
    norm = [1 / s for s in end.spread("std")]
    return [
        f"ncnn::Mat x{i} = {from_pixels.format(w=width, h=height)};",
        f"const float mean{i}[{channels}] = {{{numbers(end.spread('mean'))}}};",
        f"const float norm{i}[{channels}] = {{{numbers(norm)}}};  // 1 / std",
        f"x{i}.substract_mean_normalize(mean{i}, norm{i});",
    ]


def kotlin(m: Facts, inputs: list[End], outputs: list[End]) -> str:
    """ncnn has no Kotlin interface: a class of one's own over JNI, and its C++ side."""
    param, weights = _files(m)
    body: list[str] = []
    for i, e in enumerate(inputs):
        body += _mat(e, i, f"ncnn::Mat::from_android_bitmap_resize(env, bitmap, ncnn::Mat::{_bitmap(e)}, {{w}}, {{h}})")
    body += ["ncnn::Extractor ex = net.create_extractor();", *(f'ex.input("{e.name}", x{i});' for i, e in enumerate(inputs))]
    body += ["ncnn::Mat y;", f'ex.extract("{outputs[0].name}", y);  // {outputs[0].source_name}: {outputs[0].elements} values']
    comment = "\n".join(f"//     {line}" for line in body)
    return f"""
class Model(assets: AssetManager) {{
    init {{ check(load(assets, "{param}", "{weights}")) }}
    external fun load(assets: AssetManager, param: String, weights: String): Boolean
    external fun run(bitmap: Bitmap): FloatArray
    companion object {{ init {{ System.loadLibrary("model") }} }}
}}

// The C++ side: load() is AAssetManager_fromJava, the net.opt lines above, net.load_param and net.load_model; run() is
{comment}"""


def _bitmap(end: End) -> str:
    return PIXELS[end.prep["color"]] if end.prep else "PIXEL_RGB"
