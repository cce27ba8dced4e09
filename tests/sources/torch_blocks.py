"""Blocks of well-known PyTorch nets, node by node as torch.onnx.export writes them: with the batch fixed at 1, and free."""

from collections.abc import Callable

import numpy as np
import onnx
from onnx import numpy_helper

from tests.sources.torch_tracer import Dim, N, Tracer

LONG = 2**63 - 1
Block = Callable[[Tracer], tuple[str, ...]]


def _heads(t: Tracer, x: str, tokens: int, width: int, heads: int, *, weights: bool) -> str:
    """`nn.MultiheadAttention(width, heads)` on (tokens, N, width), batch_first=False: F.multi_head_attention_forward.

    Args:
        t: Where nodes go.
        x: Queries, keys and values.
        tokens: Their number.
        width: Of a token.
        heads: Number of heads.
        weights: The path of need_weights=True (two bmm), else scaled_dot_product_attention.
    """
    d = width // heads
    packed = t.view(t.linear(x, width, 3 * width), tokens, N, 3, width, of=(x, 1))
    turned = t.permute(t.op("Unsqueeze", packed, t.ints(0)), 3, 1, 2, 0, 4)
    q, k, v = (t.at(t.op("Squeeze", turned, t.ints(3)), i) for i in range(3))
    q, k, v = (t.permute(t.view(a, tokens, ("N", heads), d, of=(x, 1)), 1, 0, 2) for a in (q, k, v))
    if weights:
        scores = t.op("MatMul", t.op("Mul", q, t.const(_f(d**-0.5))), t.permute(k, 0, 2, 1))
        y = t.permute(t.op("MatMul", t.op("Softmax", scores, axis=-1), v), 1, 0, 2)
    else:
        q, k, v = (t.view(a, N, heads, tokens, d, of=(x, 1)) for a in (q, k, v))
        root = t.const(_f(d**-0.25))
        scores = t.op("MatMul", t.op("Mul", q, root), t.op("Mul", t.permute(k, 0, 1, 3, 2), root))
        y = t.permute(t.op("MatMul", t.op("Softmax", scores, axis=-1), v), 2, 0, 1, 3)
    rows = t.view(y, ("N", tokens), width, of=(x, 1))
    out = t.op("Gemm", rows, t.weight(width, width), t.weight(width), transB=1)
    return t.view(out, tokens, N, width, of=(x, 1))


def _f(number: float) -> object:
    return np.float32(number)


def _encoder(t: Tracer, *, weights: bool) -> tuple[str, ...]:
    """DETR's way: a feature map becomes (tokens, N, width), attends to itself, becomes a map again."""
    x = t.conv(t.input("x", 3, 4, 6), 3, 8)
    tokens = t.permute(t.view(x, N, 8, 24), 2, 0, 1)
    y = t.norm(t.op("Add", tokens, _heads(t, tokens, 24, 8, 2, weights=weights)), 8)
    back = t.view(t.permute(y, 1, 2, 0), N, 8, 4, 6, of=(y, 1))
    return (t.conv(back, 8, 5),)


def attention_bmm(t: Tracer) -> tuple[str, ...]:
    return _encoder(t, weights=True)


def attention_sdpa(t: Tracer) -> tuple[str, ...]:
    return _encoder(t, weights=False)


def attention_tokens_first(t: Tracer) -> tuple[str, ...]:
    """The tokens themselves are the output, batch on axis 1, then pooled over them."""
    x = t.permute(t.input("x", 6, 8), 1, 0, 2)
    y = t.op("Add", x, _heads(t, x, 6, 8, 2, weights=True))
    return (t.op("ReduceMean", y, axes=[0], keepdims=0),)


def _window_attention(t: Tracer, x: str, windows: int, tokens: int, width: int, heads: int, *, mask: bool) -> str:
    """Swin's WindowAttention on (N * windows, tokens, width)."""
    d = width // heads
    rows = ("B", windows)
    r = t.view(t.linear(x, width, 3 * width), rows, tokens, 3, heads, d)
    qkv = t.permute(r, 2, 0, 3, 1, 4)
    q, k, v = (t.at(qkv, i) for i in range(3))
    scores = t.op("MatMul", t.op("Mul", q, t.const(_f(d**-0.5))), t.permute(k, 0, 1, 3, 2))
    scores = t.op("Add", scores, t.op("Unsqueeze", t.weight(heads, tokens, tokens), t.ints(0)))
    if mask:
        if t.free:
            size = t.op("Unsqueeze", t.op("Div", t.op("Gather", t.op("Shape", x), t.const(_i(0)), axis=0), t.const(_i(windows))), t.ints(0))
            shape = t.op("Concat", size, t.ints(windows), t.ints(heads), t.ints(tokens), t.ints(tokens), axis=0)
            split = t.op("Reshape", scores, shape)
        else:
            split = t.view(scores, 1, windows, heads, tokens, tokens)
        split = t.op("Add", split, t.op("Unsqueeze", t.op("Unsqueeze", t.weight(windows, tokens, tokens), t.ints(1)), t.ints(0)))
        scores = t.op("Reshape", split, t.ints(-1, heads, tokens, tokens))
    y = t.permute(t.op("MatMul", t.op("Softmax", scores, axis=-1), v), 0, 2, 1, 3)
    return t.linear(t.view(y, rows, tokens, width), width, width)


def _i(number: int) -> object:
    return np.int64(number)


def _swin(t: Tracer, *, shifted: bool) -> tuple[str, ...]:
    """One block of Swin on 8x8 tokens, windows of 4x4: partition into the batch, attention, reverse; shifted: rolled and masked."""
    m = t.conv(t.input("x", 3, 16, 16), 3, 8, 2, strides=[2, 2])
    x = t.permute(t.view(m, N, 8, 64), 0, 2, 1)
    y = t.view(t.norm(x, 8), N, 8, 8, 8)
    y = _roll(t, y, 2) if shifted else y
    parts = t.permute(t.view(y, N, 2, 4, 2, 4, 8), 0, 1, 3, 2, 4, 5)
    flat = t.op("Reshape", t.op("Reshape", parts, t.ints(-1, 4, 4, 8)), t.ints(-1, 16, 8))
    z = _window_attention(t, flat, 4, 16, 8, 2, mask=shifted)
    z = t.op("Reshape", z, t.ints(-1, 4, 4, 8))
    if t.free:
        whole = t.op("Div", t.op("Gather", t.op("Shape", z), t.const(_i(0)), axis=0), t.const(_i(4)))
        shape = t.op("Concat", t.op("Unsqueeze", whole, t.ints(0)), t.ints(2), t.ints(2), t.ints(4), t.ints(4), t.ints(-1), axis=0)
        z = t.op("Reshape", z, shape)
    else:
        z = t.view(z, 1, 2, 2, 4, 4, -1)
    z = t.view(t.permute(z, 0, 1, 3, 2, 4, 5), N, 8, 8, -1)
    z = _roll(t, z, 6) if shifted else z
    x = t.op("Add", x, t.view(z, N, 64, 8))
    return (t.linear(t.op("ReduceMean", t.norm(x, 8), axes=[1], keepdims=0), 8, 5),)


def _roll(t: Tracer, x: str, by: int) -> str:
    """`torch.roll(x, (-by, -by), (1, 2))`."""
    for axis in (1, 2):
        x = t.op("Concat", t.slice(x, axis, by, LONG), t.slice(x, axis, 0, by), axis=axis)
    return x


def swin_block(t: Tracer) -> tuple[str, ...]:
    return _swin(t, shifted=False)


def swin_shifted(t: Tracer) -> tuple[str, ...]:
    return _swin(t, shifted=True)


def mobilevit(t: Tracer) -> tuple[str, ...]:
    """MobileViTBlock of torchvision: unfold to (N * patch pixels, patches, width), attention over patches, fold back."""
    x = t.conv(t.input("x", 3, 8, 8), 3, 8)
    y = t.permute(t.view(x, ("N", 8 * 4), 2, 4, 2), 0, 2, 1, 3)
    y = t.permute(t.view(y, N, 8, 16, 4, of=(x, 0)), 0, 3, 2, 1)
    y = t.view(y, ("N", 4), 16, 8, of=(x, 0))
    y = t.op("Add", y, _batch_first(t, t.norm(y, 8), ("B", 4), 16, 8, 2))
    y = t.view(y, N, 4, 16, 8, of=(x, 0))
    y = t.permute(y, 0, 3, 2, 1)
    y = t.permute(t.view(y, ("N", 8 * 4), 4, 2, 2, of=(x, 0)), 0, 2, 1, 3)
    y = t.view(y, N, 8, 8, 8, of=(x, 0))
    return (t.conv(t.op("Concat", x, y, axis=1), 16, 4, 3, pads=[1, 1, 1, 1]),)


def _batch_first(t: Tracer, x: str, rows: Dim, tokens: int, width: int, heads: int) -> str:
    """timm's Attention on (B, tokens, width)."""
    d = width // heads
    qkv = t.permute(t.view(t.linear(x, width, 3 * width), rows, tokens, 3, heads, d), 2, 0, 3, 1, 4)
    q, k, v = (t.at(qkv, i) for i in range(3))
    scores = t.op("Mul", t.op("MatMul", q, t.permute(k, 0, 1, 3, 2)), t.const(_f(d**-0.5)))
    y = t.permute(t.op("MatMul", t.op("Softmax", scores, axis=-1), v), 0, 2, 1, 3)
    return t.linear(t.view(y, rows, tokens, width), width, width)


def vit(t: Tracer) -> tuple[str, ...]:
    """A class token expanded and joined to the patches, positions, one block, the class token taken out."""
    x = t.permute(t.view(t.conv(t.input("x", 3, 8, 8), 3, 8, 4, strides=[4, 4]), N, 8, 4), 0, 2, 1)
    if t.free:
        shape = t.op("Concat", t.batch(x, 0), t.ints(-1), t.ints(-1), axis=0)
        ones = t.op("ConstantOfShape", t.op("Shape", shape), value=numpy_helper.from_array(np.ones(1, np.int64)))
        wanted = t.op("Where", t.op("Equal", shape, t.op("Mul", ones, t.const(np.int64(-1)))), ones, shape)
        token = t.op("Expand", t.weight(1, 1, 8), wanted)
    else:
        token = t.weight(1, 1, 8)  # torch folds the Expand
    y = t.op("Add", t.op("Concat", token, x, axis=1), t.weight(1, 5, 8))
    y = t.op("Add", y, _batch_first(t, t.norm(y, 8), N, 5, 8, 2))
    return (t.op("Gemm", t.at(t.norm(y, 8), 0, 1), t.weight(5, 8), t.weight(5), transB=1),)


def unet(t: Tracer) -> tuple[str, ...]:
    """Down, up by ConvTranspose, joined; padded where the sizes are odd, as the usual code does."""
    x = t.input("x", 3, 10, 14)
    a = t.op("Relu", t.conv(x, 3, 4, 3, pads=[1, 1, 1, 1]))
    b = t.op("Relu", t.conv(t.op("MaxPool", a, kernel_shape=[2, 2], strides=[2, 2]), 4, 8, 3, pads=[1, 1, 1, 1]))
    c = t.op("Relu", t.conv(t.op("MaxPool", b, kernel_shape=[2, 2], strides=[2, 2]), 8, 8, 3, pads=[1, 1, 1, 1]))
    up = t.op("ConvTranspose", c, t.weight(8, 8, 2, 2), t.weight(8), kernel_shape=[2, 2], strides=[2, 2])
    up = t.op("Pad", up, t.ints(0, 0, 0, 0, 0, 0, 1, 1), t.const(_f(0)), mode="constant")
    d = t.op("Relu", t.conv(t.op("Concat", b, up, axis=1), 16, 4, 3, pads=[1, 1, 1, 1]))
    e = t.op("ConvTranspose", d, t.weight(4, 4, 3, 3), t.weight(4), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1],
             output_padding=[1, 1], group=1)  # fmt: skip
    return (t.conv(t.op("Concat", a, e, axis=1), 8, 2),)


def aspp(t: Tracer) -> tuple[str, ...]:
    """DeepLab's head: dilated convolutions beside a pooled branch that Resize brings back to size; then to the picture's size."""
    picture = t.input("x", 3, 18, 18)
    x = t.conv(picture, 3, 8, 3, strides=[2, 2], pads=[1, 1, 1, 1])
    branches = [t.op("Relu", t.conv(x, 8, 4))]
    branches += [t.op("Relu", t.conv(x, 8, 4, 3, dilations=[r, r], pads=[r] * 4)) for r in (2, 3, 6)]
    pooled = t.op("Relu", t.conv(t.op("GlobalAveragePool", x), 8, 4))
    branches.append(_resized(t, pooled, x, 9, 9))
    y = t.op("Relu", t.conv(t.op("Concat", *branches, axis=1), 20, 4))
    return (_resized(t, t.conv(y, 4, 3), picture, 18, 18),)


def _resized(t: Tracer, x: str, like: str, h: int, w: int) -> str:
    """`F.interpolate(x, size=like.shape[-2:], mode="bilinear")`."""
    lead = t.op("Slice", t.op("Shape", x), t.ints(0), t.ints(2), t.ints(0))
    sizes = t.op("Concat", lead, t.ints(h, w), axis=0)
    return str(t.op("Resize", x, "", "", sizes, mode="linear", coordinate_transformation_mode="pytorch_half_pixel", cubic_coeff_a=-0.75))


def yolov5(t: Tracer) -> tuple[str, ...]:
    """Two scales of YOLOv5's Detect: 5-D views, sigmoid, boxes from grid and anchors, all joined."""
    x = t.op("Relu", t.conv(t.input("images", 3, 16, 16), 3, 8, 2, strides=[2, 2]))
    small = t.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    found = []
    for level, size in ((x, 8), (small, 4)):
        y = t.permute(t.view(t.conv(level, 8, 3 * 7), N, 3, 7, size, size), 0, 1, 3, 4, 2)
        s = t.op("Sigmoid", y)
        xy, wh, rest = t.op("Split", s, t.ints(2, 2, 3), outputs=3, axis=4)
        xy = t.op("Mul", t.op("Add", t.op("Mul", xy, t.const(_f(2))), t.weight(1, 3, size, size, 2)), t.const(_f(8)))
        wh = t.op("Mul", t.op("Pow", t.op("Mul", wh, t.const(_f(2))), t.const(_f(2))), t.weight(1, 3, size, size, 2))
        found.append(t.view(t.op("Concat", xy, wh, rest, axis=4), N, 3 * size * size, 7))
    return (t.op("Concat", *found, axis=1),)


def yolov5_sliced(t: Tracer) -> tuple[str, ...]:
    """The older form of the same: slices of the last axis in place of Split, and only one scale."""
    y = t.permute(t.view(t.conv(t.input("images", 8, 4, 4), 8, 21), N, 3, 7, 4, 4), 0, 1, 3, 4, 2)
    s = t.op("Sigmoid", y)
    xy = t.op("Mul", t.op("Add", t.op("Mul", t.slice(s, 4, 0, 2), t.const(_f(2))), t.weight(1, 3, 4, 4, 2)), t.const(_f(8)))
    wh = t.op("Mul", t.op("Pow", t.op("Mul", t.slice(s, 4, 2, 4), t.const(_f(2))), t.const(_f(2))), t.weight(1, 3, 4, 4, 2))
    joined = t.op("Concat", xy, wh, t.slice(s, 4, 4, LONG), axis=4)
    return (t.view(joined, N, -1, 7),)


BLOCKS: dict[str, Block] = {
    f.__name__: f
    for f in (
        attention_bmm, attention_sdpa, attention_tokens_first, swin_block, swin_shifted, mobilevit, vit, unet, aspp, yolov5, yolov5_sliced,
    )
}  # fmt: skip
"""Name to what traces it."""


def traced(name: str, *, free: bool) -> onnx.ModelProto:
    """The whole model of a block."""
    t = Tracer(free=free)
    return t.model(*BLOCKS[name](t))
