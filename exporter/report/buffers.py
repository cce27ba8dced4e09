"""Kotlin code that fills a direct buffer with a model's input."""

from exporter.report.markdown import numbers
from exporter.report.ports import End

ORDER = {"rgb": "16, 8, 0", "bgr": "0, 8, 16"}
"""How far each channel of a colour is shifted in Android's ARGB integers."""


def kotlin_fill(end: End, i: int) -> list[str]:
    """Code for a buffer `x<i>` of the input's size, float32 in native order, from a Bitmap `picture` where it takes one."""
    made = f"val x{i} = ByteBuffer.allocateDirect({end.elements * 4}).order(ByteOrder.nativeOrder())"
    if end.picture is None or end.scale is not None:
        return [f"{made}  // your {end.elements} values for {end.source_name}, {end.layout}"]
    height, width, channels = end.picture
    lines = [
        made,
        f"val pixels = IntArray({height * width})  // of a {width} x {height} Bitmap",
        f"picture.getPixels(pixels, 0, {width}, 0, 0, {width}, {height})",
    ]
    if channels == 1:
        (mean,), (std,) = end.spread("mean"), end.spread("std")
        grey = "(19595 * (p shr 16 and 255) + 38470 * (p shr 8 and 255) + 7471 * (p and 255) + 32768 shr 16)"
        return [*lines, f"for (p in pixels) x{i}.putFloat(({grey} - {mean:.9g}f) / {std:.9g}f)", f"x{i}.rewind()"]
    assert end.prep is not None
    lines += [f"val mean = floatArrayOf({_floats(end.spread('mean'))})", f"val std = floatArrayOf({_floats(end.spread('std'))})"]
    lines += [f"val shift = intArrayOf({ORDER[end.prep['color']]})"]
    put = f"x{i}.putFloat(((p shr shift[c] and 255) - mean[c]) / std[c])"
    loops = f"for (c in 0..2) for (p in pixels) {put}" if end.channels_first else f"for (p in pixels) for (c in 0..2) {put}"
    return [*lines, loops, f"x{i}.rewind()"]


def _floats(values: list[float]) -> str:
    return ", ".join(f"{word}f" for word in numbers(values).split(", "))
