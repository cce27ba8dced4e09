"""Multiply-accumulates of an ncnn structure file, layer by layer; the shapes are asked of ncnn itself, run with weights of zero."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from exporter.runtimes.ncnn_param import ParamLayer, read_param

if TYPE_CHECKING:
    from benchmarks.ncnn_counts import Net

CONVOLUTIONS = ("Convolution", "ConvolutionDepthWise")
OUTPUTS, WEIGHTS = 0, 6
"""Numbers of a convolution's parameters."""


def macs_by_layer(net: "Net") -> dict[int, int]:
    """Index of each layer with weights to its multiply-accumulates of one inference."""
    layers = net.layers()
    sizes = _sizes(
        net, [i for i, layer in enumerate(layers) if layer.kind in (*CONVOLUTIONS, "InnerProduct", "Gemm", "MultiHeadAttention")]
    )
    return {i: _macs(layers[i], *size) for i, size in sizes.items()}


def _macs(layer: ParamLayer, size: int, rows: int) -> int:
    """Of one layer, whose output has `size` elements in `rows` rows."""
    if layer.kind in CONVOLUTIONS:
        return size * layer.integer(WEIGHTS) // layer.integer(OUTPUTS)
    if layer.kind == "InnerProduct":
        return rows * layer.integer(2)
    if layer.kind == "Gemm":
        return size * layer.integer(9)
    width = layer.integer(0)  # attention: four projections, then every row with every row, twice
    return rows * (4 * width * width + 2 * rows * width)


def _sizes(net: "Net", wanted: list[int]) -> Mapping[int, tuple[int, int]]:
    import ncnn

    model: Any = ncnn.Net()
    model.opt.num_threads = 1
    if model.load_param(str(net.param)) or model.load_model(ncnn.DataReaderFromEmpty()):
        raise SystemExit(f"ncnn does not load {net.param}")
    channels, height, width = net.shape
    run = model.create_extractor()
    run.input(net.input(), ncnn.Mat(width, height, channels))
    found = {}
    layers = read_param(net.param)
    for i in wanted:
        failed, out = run.extract(layers[i].outputs[0])
        if failed:
            raise SystemExit(f"ncnn does not run {net.name} up to {layers[i].name}")
        found[i] = (out.w * out.h * out.d * out.c, out.h if out.dims == 2 else 1)
    return found
