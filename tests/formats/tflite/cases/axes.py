"""Ops along axes, sequences, fusion, resizing."""

import numpy as np

from tests.formats.tflite.cases.case import Case, f, i, one, s

SEQUENCE = {
    "conv1d": one("y = Conv <kernel_shape=[3], pads=[1,1]> (x, w, b)", "N,6,20", "N,a,b", w=f(8, 6, 3), b=f(8)),
    "conv1d causal dilated": one("y = Conv <kernel_shape=[3], pads=[4,0], dilations=[2]> (x, w)", "N,6,20", "N,a,b", w=f(8, 6, 3)),
    "conv1d depthwise stride": one(
        "y = Conv <kernel_shape=[5], strides=[2], pads=[2,2], group=6> (x, w)", "N,6,21", "N,a,b", w=f(6, 1, 5)
    ),
    "conv1d net": one(
        "a = Conv <pads=[1,1]> (x, w, b) r = Relu (a) p = MaxPool <kernel_shape=[2], strides=[2]> (r) c = Conv (p, v) q = Relu (c) "
        "m = GlobalAveragePool (q) n = Reshape (m, z) y = Gemm <transB=1> (n, u)", "N,6,20", "N,k",
        w=f(8, 6, 3), b=f(8), v=f(5, 8, 3), z=i(0, 5), u=f(3, 5),
    ),
    "pool1d": one("y = AveragePool <kernel_shape=[3], strides=[2], pads=[1,1]> (x)", "N,6,21", "N,a,b"),
    "deconv1d": one("y = ConvTranspose <strides=[2], pads=[1,1]> (x, w, b)", "N,6,10", "N,a,b", w=f(6, 4, 4), b=f(4)),
    "batch norm 1d": one("y = BatchNormalization (x, g, g, g, v)", "N,6,10", "N,a,b", g=f(6), v=f(6) ** 2 + s(0.5)),
    "batch norm vector": one("y = BatchNormalization (x, g, g, g, v)", "N,6", "N,a", g=f(6), v=f(6) ** 2 + s(0.5)),
    "instance norm 1d": one("y = InstanceNormalization (x, g, g)", "N,6,10", "N,a,b", g=f(6)),
    "resize 1d": one('y = Resize <mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"> (x, , k)',
                     "N,6,10", "N,a,b", k=np.float32([1, 1, 3])),
    "conv1d to 2d": one("a = Conv (x, w) c = Reshape (a, z) y = Conv (c, v)", "N,6,12", w=f(8, 6, 3), z=i(0, 1, 8, 10), v=f(2, 1, 3, 3)),
    "global max 1d": one("a = Conv (x, w) y = GlobalMaxPool (a)", "N,6,12", "N,a,b", w=f(8, 6, 3)),
    "concat of conv1d": one("a = Conv <pads=[1,1]> (x, w) y = Concat <axis=1> (a, x)", "N,6,12", "N,a,b", w=f(8, 6, 3)),
    "residual of conv1d": one("a = Conv <pads=[1,1]> (x, w) c = Add (a, x) y = Relu (c)", "N,6,12", "N,a,b", w=f(6, 6, 3)),
}  # fmt: skip

AXES = {
    "split": one("a, b = Split <axis=1> (x, z) c = Mul (a, b) y = Concat <axis=1> (c, b, a)", z=i(3, 3)),
    "split unequal": one("a, b, c = Split <axis=1> (x, z) y = Concat <axis=1> (c, a, b)", z=i(1, 3, 2)),
    "split h": one("a, b = Split <axis=2> (x, z) y = Add (a, b)", z=i(2, 2)),
    "split five": one("a, b, c, d, e = Split <axis=3> (x, z) y = Concat <axis=3> (e, d, c, b, a)", z=i(1, 1, 1, 1, 1)),
    "slice": one("y = Slice (x, a, b, c, d)", "N,6,8,9", a=i(1, 0, -7), b=i(5, 2**40, -1), c=i(1, 2, 3), d=i(2, 2, 1)),
    "slice plain": one("y = Slice (x, a, b, c)", "N,6,8,9", a=i(1, 2), b=i(5, 7), c=i(1, 3)),
    "slice back": one("y = Slice (x, a, b, c, d)", "N,6,8,9", a=i(-1), b=i(-(2**40)), c=i(1), d=i(-1)),
    "slice back by two": one("y = Slice (x, a, b, c, d)", "N,6,8,9", a=i(7), b=i(1), c=i(2), d=i(-2)),
    "focus": one(
        "a = Slice (x, p, e, h, t) b = Slice (x, q, e, h, t) y = Concat <axis=1> (a, b)", "N,3,8,8",
        p=i(0, 0), q=i(1, 0), e=i(9999, 9999), h=i(2, 3), t=i(2, 2),
    ),
    "gather": one("y = Gather <axis=1> (x, z)", z=i(5, 0, 3)),
    "gather one": one("y = Gather <axis=1> (x, z)", out="N,a,b", z=np.int64(2)),
    "gather last": one("y = Gather <axis=3> (x, z)", out="N,a,b", z=np.int64(-1)),
    "gather table": one("y = Gather <axis=1> (x, z)", out="N,a,b,c,d", z=np.int64([[0, 1], [5, 2]])),
    "pad": one("y = Pad (x, p)", p=i(0, 1, 0, 2, 0, 1, 3, 0)),
    "pad value": one("y = Pad (x, p, v)", p=i(0, 0, 1, 1, 0, 0, 1, 2), v=s(-3.5)),
    "pad reflect": one('y = Pad <mode="reflect"> (x, p)', p=i(0, 0, 2, 1, 0, 0, 1, 2)),
    "pad edge": one('y = Pad <mode="edge"> (x, p)', p=i(0, 0, 2, 1, 0, 0, 1, 2)),
    "pad cut": one("y = Pad (x, p)", p=i(0, 0, -1, 1, 0, 0, 1, -2)),
    "pad axes": one("y = Pad (x, p, , h)", p=i(1, 2, 0, 1), h=i(2, 3)),
    "concat constant": one("y = Concat <axis=1> (x, c)", "1,6,4,5", "1,a,b,c", c=f(1, 2, 4, 5)),
    "concat six": one("a = Relu (x) b = Neg (x) y = Concat <axis=1> (a, b, x, a, b, x)"),
    "expand": one("a = GlobalAveragePool (x) b = Expand (a, z) y = Add (b, x)", z=i(1, 6, 4, 5)),
    "mean hw": one("y = ReduceMean <keepdims=0> (x, a)", out="N,a", a=i(2, 3)),
    "mean c": one("y = ReduceMean (x, a)", a=i(1)),
    "sum w": one("y = ReduceSum <keepdims=0> (x, a)", out="N,a,b", a=i(3)),
    "max c": one("y = ReduceMax <keepdims=0> (x, a)", out="N,a,b", a=i(1)),
    "min h": one("y = ReduceMin (x, a)", a=i(2)),
    "product": one("y = ReduceProd (x, a)", a=i(1)),
    "l1": one("y = ReduceL1 <keepdims=0> (x, a)", out="N,a,b", a=i(2)),
    "sum of squares": one("y = ReduceSumSquare (x, a)", a=i(1, 2, 3)),
    "log of sum": one("e = Exp (x) y = ReduceLogSum (e, a)", a=i(1)),
    "log sum exp": one("y = ReduceLogSumExp <keepdims=0> (x, a)", out="N,a,b", a=i(2)),
    "lp norm": one("y = LpNormalization <axis=1> (x)"),
    "lp norm 1": one("y = LpNormalization <axis=2, p=1> (x)"),
    "lrn": one("y = LRN <size=3, alpha=0.3, bias=1.5> (x)"),
    "tile": one("y = Tile (x, r)", r=i(1, 2, 1, 3)),
    "threshold": one("y = ThresholdedRelu <alpha=0.2> (x)"),
    "where": one("c = Greater (x, t) d = Less (x, u) e = Or (c, d) n = Neg (x) y = Where (e, x, n)", t=s(0.5), u=f(1, 6, 1, 1)),
    "mask": one("c = GreaterOrEqual (x, t) d = LessOrEqual (x, u) e = And (c, d) h = Not (e) m = Cast <to=1> (h) y = Mul (x, m)",
                t=s(-0.5), u=s(0.6)),
    "where constant": one("r = Relu (x) y = Where (c, r, z)", c=np.array([True, False, True, True, False]), z=s(-1)),
    "equal": one("r = Relu (x) c = Equal (r, z) d = Cast <to=9> (x) e = Xor (c, d) y = Cast <to=1> (e)", z=s(0)),
    "l2": one("n = ReduceL2 (x, a) y = Div (x, n)", a=i(1)),
    "global max": one("y = GlobalMaxPool (x)"),
    "rank 2 and rank 4": one("a = Reshape (x, z) y = Add (a, x)", "N,6,1,1", z=i(0, 6, 1, 1)),
    "broadcast both ways": one("a = ReduceMean (x, p) b = GlobalAveragePool (x) y = Mul (a, b)", p=i(1)),
}  # fmt: skip


FUSED = {
    "conv bn relu6": one(
        "a = Conv (x, w) c = BatchNormalization (a, g, g, g, v) y = Clip (c, zero, six)",
        w=f(6, 6, 1, 1), g=f(6), v=f(6) ** 2 + s(0.5), zero=s(0), six=s(6),
    ),
    "scale and shift": one("a = Mul (x, c) b = Add (a, d) y = Relu (b)", c=f(6, 1, 1), d=f(1, 6, 1, 1)),
    "conv read twice": one("a = Conv (x, w) b = Relu (a) y = Add (a, b)", w=f(6, 6, 1, 1)),
    "relu through concat": one("a = Conv (x, w) b = Conv (x, v) c = Sigmoid (x) d = Concat <axis=1> (a, b, c) y = Relu (d)",
                               w=f(6, 6, 1, 1), v=f(2, 6, 1, 1)),
    "pool after relu": one("a = Conv (x, w) b = Relu (a) y = MaxPool <kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]> (b)", "N,6,8,8",
                           w=f(6, 6, 1, 1)),
    "sigmoid softmax concat": one("a = Sigmoid (x) b = Softmax <axis=1> (x) c = Tanh (x) y = Concat <axis=1> (a, b, c, x)"),
    "conv, hard sigmoid": one(
        "a = Conv (x, w, b) y = HardSigmoid <alpha=0.16666667> (a)", w=f(6, 6, 1, 1), b=f(6)
    ),
    "dense, hard sigmoid": one("a = Gemm <transB=1> (x, w) y = HardSigmoid (a)", "N,12", "N,k", w=f(7, 12)),
    "group norm": one(
        "a = Reshape (x, z) b = InstanceNormalization (a, o, n) c = Reshape (b, t) d = Mul (c, v) y = Add (d, v)",
        z=i(0, 3, 40), o=np.ones(3, np.float32), n=np.zeros(3, np.float32), t=i(0, 6, 4, 5), v=f(6, 1, 1),
    ),
    "same constant everywhere": one("a = Add (x, c) y = Mul (a, d)", c=np.full((6, 1, 1), 0.3, np.float32), d=f(6, 1, 1)),
    "swish": one("a = Sigmoid (x) y = Mul (a, x)"),
    "gemm chain": one("a = Gemm <transB=1> (x, w, b) r = Relu (a) y = Gemm <transB=1> (r, v)", "N,12", "N,k",
                      w=f(7, 12), b=f(7), v=f(3, 7)),
    "two outputs": ("g (float[N,6,4,5] x) => (float[N,6,4,5] y, float[N,6,4,5] z) { a = Conv (x, w) y = Relu (a) z = Sigmoid (a) }",
                    {"w": f(6, 6, 1, 1)}),
    "output read on": ("g (float[N,6,4,5] x) => (float[N,6,4,5] y, float[N,6,4,5] z) { y = Conv (x, w) z = Relu (y) }",
                    {"w": f(6, 6, 1, 1)}),
    "two inputs": ("g (float[N,6,4,5] x, float[N,6] v) => (float[N,6,4,5] y) { r = Reshape (v, z) y = Mul (x, r) }", {"z": i(0, 6, 1, 1)}),
    "input is output": ("g (float[N,6,4,5] x) => (float[N,6,4,5] y, float[N,120] z) { y = Relu (x) z = Reshape (y, s) }",
                    {"s": i(0, 120)}),
    "same output twice": ("g (float[N,6] x) => (float[N,6] y, float[N,1,6] z) { y = Relu (x) z = Reshape (y, s) }", {"s": i(0, 1, 6)}),
}  # fmt: skip


def _resizes() -> dict[str, Case]:
    found = {}
    for mode in ("nearest", "linear"):
        for coordinates in ("asymmetric", "half_pixel", "align_corners", "pytorch_half_pixel"):
            for rounding in ("floor", "round_prefer_floor") if mode == "nearest" else ("floor",):
                for scale in ((2.0, 3.0), (0.5, 0.5), (1.5, 2.5)):
                    name = f"resize {mode} {coordinates} {rounding} {scale}"
                    attrs = f'mode="{mode}", coordinate_transformation_mode="{coordinates}", nearest_mode="{rounding}"'
                    found[name] = one(f"y = Resize <{attrs}> (x, , k)", "N,3,8,6", k=np.float32([1, 1, *scale]))
    attrs = 'mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"'
    found["resize to sizes"] = one(f"y = Resize <{attrs}> (x, , , k)", "N,3,8,6", k=i(1, 3, 13, 7))
    return found


RESIZES = _resizes()
