"""Merge layers that ncnn runs as one: activations into the layer before, pads into the convolution after, x * sigmoid(x) to Swish."""

from collections import defaultdict
from collections.abc import Callable

from exporter.formats.ncnn.layer import Layer, Param

HOSTS = {
    "Convolution", "ConvolutionDepthWise", "Convolution1D", "ConvolutionDepthWise1D", "Deconvolution", "DeconvolutionDepthWise",
    "Deconvolution1D", "DeconvolutionDepthWise1D", "InnerProduct",
}  # fmt: skip
"""Layers that take an activation as parameters 9 (which) and 10 (its numbers)."""

PADDED = {"Convolution": 2, "ConvolutionDepthWise": 2, "Convolution1D": 1, "ConvolutionDepthWise1D": 1}
"""Layers that pad by themselves, and along how many axes."""

MULTIPLY = 2


class Chain:
    """The layers with who reads each blob."""

    def __init__(self, layers: list[Layer], kept: set[str]) -> None:
        self.layers, self.kept = layers, kept
        self.readers: dict[str, list[Layer]] = defaultdict(list)
        for layer in layers:
            for blob in layer.inputs:
                self.readers[blob].append(layer)
        self.gone: set[int] = set()

    def next(self, layer: Layer) -> Layer | None:
        """The one reader of a layer's one output, unless the output is the graph's."""
        blob = layer.outputs[0]
        readers = self.readers[blob]
        alone = len(layer.outputs) == 1 and len(readers) == 1 and blob not in self.kept
        return readers[0] if alone else None

    def absorb(self, layer: Layer, after: Layer) -> None:
        """`layer` makes what `after` made."""
        layer.outputs = after.outputs
        self.gone.add(id(after))


def fuse(layers: list[Layer], kept: set[str]) -> list[Layer]:
    """The merged layers; blobs in `kept` (the graph's outputs) keep existing."""
    chain = Chain(layers, kept)
    for rule in (_swish, _padding, _picking, _activation):
        _everywhere(chain, rule)
    return [layer for layer in layers if id(layer) not in chain.gone]


def _everywhere(chain: Chain, rule: Callable[[Chain, Layer], None]) -> None:
    for layer in chain.layers:
        if id(layer) not in chain.gone:
            rule(chain, layer)


def _swish(chain: Chain, layer: Layer) -> None:
    """BinaryOp(x, Sigmoid(x)), multiplied: the Sigmoid goes, the product becomes Swish."""
    after = chain.next(layer) if layer.kind == "Sigmoid" else None
    if after is None or after.kind != "BinaryOp" or after.params.get(0) != MULTIPLY or after.params.get(1):
        return
    if sorted(after.inputs) != sorted([layer.inputs[0], layer.outputs[0]]):
        return
    source = layer.inputs[0]
    after.kind, after.inputs, after.params = "Swish", [source], {}
    chain.readers[source] = [r for r in chain.readers[source] if r is not layer]
    chain.gone.add(id(layer))


def _padding(chain: Chain, layer: Layer) -> None:
    """Zero padding of the last axes before a convolution."""
    after = chain.next(layer) if layer.kind == "Padding" else None
    if after is None or after.kind not in PADDED:
        return
    pads = [int(_number(layer.params.get(i, 0))) for i in (0, 1, 2, 3, 7, 8)]
    top, bottom, left, right, front, behind = pads
    if layer.params.get(4) != 0 or layer.params.get(5) != 0 or front or behind or (PADDED[after.kind] == 1 and (top or bottom)):
        return
    for number, extra in ((4, left), (15, right), (14, top), (16, bottom)):
        if PADDED[after.kind] == 2 or number in (4, 15):
            after.params[number] = int(_number(after.params[number])) + extra
    after.inputs = list(layer.inputs)
    chain.readers[layer.inputs[0]] = [after if r is layer else r for r in chain.readers[layer.inputs[0]]]
    chain.gone.add(id(layer))


def _picking(chain: Chain, layer: Layer) -> None:
    """Two poolings of one element, which only pick: their steps multiply."""
    after = chain.next(layer)
    while after is not None and _only_picks(layer) and _only_picks(after):
        for step in (2, 12):
            layer.params[step] = int(_number(layer.params[step])) * int(_number(after.params[step]))
        chain.absorb(layer, after)
        after = chain.next(layer)


def _only_picks(layer: Layer) -> bool:
    pads = any(layer.params.get(number, 0) for number in (3, 13, 14, 15))
    return layer.kind == "Pooling" and (layer.params.get(1), layer.params.get(11)) == (1, 1) and not layer.params[0] and not pads


def _activation(chain: Chain, layer: Layer) -> None:
    """One activation behind a convolution or dense layer."""
    after = chain.next(layer) if layer.kind in HOSTS else None
    found = _as_parameters(after) if after is not None and after.kind in _ACTIVATIONS else None
    if after is not None and found is not None:
        which, numbers = found
        layer.params[9] = which
        if numbers:
            layer.params[10] = numbers
        chain.absorb(layer, after)


_ACTIVATIONS = frozenset({"ReLU", "Clip", "Sigmoid", "Mish", "HardSwish"})


def _as_parameters(layer: Layer) -> tuple[int, tuple[float, ...]] | None:
    """An activation layer as ncnn's activation type and numbers."""
    numbers = tuple(_number(layer.params.get(i, 0.0)) for i in (0, 1))
    match layer.kind:
        case "ReLU":
            return (2, numbers[:1]) if numbers[0] else (1, ())
        case "Clip":
            return 3, numbers
        case "Sigmoid":
            return 4, ()
        case "Mish":
            return 5, ()
        case "HardSwish":
            return 6, numbers
    return None


def _number(param: Param) -> float:
    if isinstance(param, tuple):
        raise TypeError(f"a single number is needed here, not the row {param}")
    return float(param)
