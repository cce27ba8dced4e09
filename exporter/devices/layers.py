"""Which kinds of ncnn layer a program needs, for those who leave the others out."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from exporter.errors import unknown_name

ALWAYS = (
    "cast", "clip", "dequantize", "flatten", "hardswish", "input", "mish", "noop", "packing", "padding", "quantize", "relu", "requantize",
    "sigmoid", "split",
)  # fmt: skip
"""Layers that ncnn makes itself: between two of different kinds of number, around a convolution, as its activation."""

MAKES: dict[str, tuple[str, ...]] = {
    "convolution": ("innerproduct",), "convolutiondepthwise": ("convolution",), "deconvolution": ("gemm", "crop"),
    "deconvolutiondepthwise": ("deconvolution",), "deconvolution1d": ("crop",), "deformableconv2d": ("gemm",), "matmul": ("gemm",),
    "multiheadattention": ("gemm", "softmax"), "sdpa": ("gemm", "softmax"), "yolodetectionoutput": ("softmax",),
    "yolov3detectionoutput": ("softmax",),
}  # fmt: skip
"""A layer to those that it makes within itself: `create_layer_cpu` in ncnn's sources."""

CALLS: dict[str, dict[str, tuple[str, ...]]] = {"x86_64": {"convolution": ("gemm",)}}
"""By ABI, a layer to those whose functions it calls: `_utility` in ncnn's sources."""


def closed(layers: Iterable[str], abi: str) -> tuple[str, ...]:
    """Layers, with all that they need, in order; nothing stays nothing, which stands for all."""
    calls = CALLS.get(abi, {})
    open_ = list(layers)
    found: set[str] = set(ALWAYS if open_ else ())
    while open_:
        layer = open_.pop()
        found.add(layer)
        open_ += [needed for needed in (*MAKES.get(layer, ()), *calls.get(layer, ())) if needed not in found]
    return tuple(sorted(found))


def require_known(ncnn: Path, layers: Sequence[str]) -> None:
    """Check names against ncnn's source.

    Raises:
        UsageError: Suggests the nearest.
    """
    known = {p.stem for p in (ncnn / "src" / "layer").glob("*.cpp")}
    for layer in layers:
        if layer not in known:
            raise unknown_name("ncnn layer", layer, known)
