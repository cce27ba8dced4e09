"""Kotlin and C++ code around a model's inputs and outputs: buffers filled from pictures, integers to and from reals."""

from exporter.report.markdown import numbers
from exporter.report.ports import End

ORDER = {"rgb": "16, 8, 0", "bgr": "0, 8, 16"}
"""How far each channel of a colour is shifted in Android's ARGB integers."""


def kotlin_fill(end: End, i: int) -> list[str]:
    """Code for a buffer `x<i>` of the input's size in native order, from a Bitmap `picture` where it takes one; quantized if it must."""
    made = f"val x{i} = ByteBuffer.allocateDirect({end.elements * end.width}).order(ByteOrder.nativeOrder())"
    if end.picture is None:
        said = f"  // your {end.elements} values for {end.source_name}, {end.layout}"
        return [f"{made}{said}", *([f"fun store{i}(y: Float) {{ {_put(end, i, 'y')} }}"] if end.scale is not None else [])]
    height, width, channels = end.picture
    lines = [
        made,
        f"val pixels = IntArray({height * width})  // of a {width} x {height} Bitmap",
        f"picture.getPixels(pixels, 0, {width}, 0, 0, {width}, {height})",
    ]
    if channels == 1:
        (mean,), (std,) = end.spread("mean"), end.spread("std")
        grey = "(19595 * (p shr 16 and 255) + 38470 * (p shr 8 and 255) + 7471 * (p and 255) + 32768 shr 16)"
        return [*lines, f"for (p in pixels) {_put(end, i, f'({grey} - {mean:.9g}f) / {std:.9g}f')}", f"x{i}.rewind()"]
    assert end.prep is not None
    lines += [f"val mean = floatArrayOf({_floats(end.spread('mean'))})", f"val std = floatArrayOf({_floats(end.spread('std'))})"]
    lines += [f"val shift = intArrayOf({ORDER[end.prep['color']]})"]
    put = _put(end, i, "((p shr shift[c] and 255) - mean[c]) / std[c]")
    loops = f"for (c in 0..2) for (p in pixels) {put}" if end.channels_first else f"for (p in pixels) for (c in 0..2) {put}"
    return [*lines, loops, f"x{i}.rewind()"]


def _put(end: End, i: int, real: str) -> str:
    """Store one real."""
    if end.scale is None:
        return f"x{i}.putFloat({real})"
    low, high = end.limits
    return f"x{i}.put((Math.rint(({real}) / {end.scale:.9g}) + {end.zero_point}).toInt().coerceIn({low}, {high}).toByte())"


def kotlin_reals(end: End, i: int, buffer: str) -> list[str]:
    """Code for a FloatArray `scores<i>` of what a quantized output's bytes stand for; none for a float output."""
    if end.scale is None:
        return []
    byte = f"({buffer}.get(it).toInt() and 255)" if end.dtype == "uint8" else f"{buffer}.get(it)"
    return [f"val scores{i} = FloatArray({end.elements}) {{ ({byte} - {end.zero_point}) * {end.scale:.9g}f }}  // {end.source_name}"]


def cpp_reals(end: End, i: int) -> list[str]:
    """C++ for a vector `scores<i>` of what a quantized output's integers stand for; none for a float output."""
    if end.scale is None:
        return []
    real = f"(y{i}[j] - {end.zero_point}) * {end.scale:.9g}f"
    return [f"std::vector<float> scores{i}({end.elements});", f"for (int j = 0; j < {end.elements}; ++j) scores{i}[j] = {real};"]


def cpp_stored(end: End, i: int) -> list[str]:
    """C++ for a function that turns a real into what a quantized input holds; none for a float input."""
    if end.scale is None:
        return []
    low, high = end.limits
    formula = f"std::clamp(std::lrint(y / {end.scale:.9g}f) + {end.zero_point}l, {low}l, {high}l)"
    return [f"auto stored{i} = [](float y) {{ return ({end.ctype}){formula}; }};  // of a preprocessed value"]


def python_reals(end: End, i: int) -> list[str]:
    """Python that makes reals of a quantized output `y<i>`; none for a float output."""
    if end.scale is None:
        return []
    return [f"y{i} = (y{i}.astype(np.float32) - {end.zero_point}) * np.float32({end.scale:.9g})  # what its integers stand for"]


def _floats(values: list[float]) -> str:
    return ", ".join(f"{word}f" for word in numbers(values).split(", "))
