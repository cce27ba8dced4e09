"""One small Graph for every lowering rule, in normal form: name to (ONNX text, arrays)."""

import numpy as np

from exporter.array import Array

_RNG = np.random.default_rng(0)


def f(*shape: int) -> Array:
    """Random float32."""
    return (_RNG.normal(size=shape) * 0.4).astype(np.float32)


def i(*values: int) -> Array:
    """An int64 constant."""
    return np.array(values, np.int64)


def s(value: float) -> Array:
    """A float32 scalar."""
    return np.array(value, np.float32)


Case = tuple[str, dict[str, Array]]


def one(op: str, shape: str = "N,6,4,5", out: str = "N,a,b,c", **inits: Array) -> Case:
    """A graph of the ops given, from x to y."""
    return f"g (float[{shape}] x) => (float[{out}] y) {{ {op} }}", inits


def _windows() -> dict[str, Case]:
    found: dict[str, Case] = {}
    rows = [(9, 3, 1, "1,1,1,1", 1), (10, 3, 2, "1,1,1,1", 1), (10, 3, 2, "0,0,1,1", 1), (9, 3, 2, "1,1,1,1", 1), (10, 5, 2, "2,2,2,2", 1),
            (10, 3, 1, "2,2,2,2", 2), (10, 3, 1, "0,1,2,0", 1), (11, 1, 2, "0,0,0,0", 1), (10, 2, 1, "0,0,1,1", 1)]  # fmt: skip
    for size, k, stride, pads, d in rows:
        shape, walk = f"N,6,{size},{size + 1}", f"kernel_shape=[{k},{k}], strides=[{stride},{stride}], pads=[{pads}]"
        name = f"k{k} s{stride} p{pads} d{d}"
        conv = f"{walk}, dilations=[{d},{d}]"
        found[f"conv {name}"] = one(f"y = Conv <{conv}> (x, w, b)", shape, w=f(8, 6, k, k), b=f(8))
        found[f"depthwise {name}"] = one(f"y = Conv <{conv}, group=6> (x, w, b)", shape, w=f(12, 1, k, k), b=f(12))
        found[f"grouped {name}"] = one(f"y = Conv <{conv}, group=3> (x, w, b)", shape, w=f(9, 2, k, k), b=f(9))
        if d == 1:
            for pool in ("MaxPool", "AveragePool"):
                found[f"{pool} {name}"] = one(f"y = {pool} <{walk}> (x)", shape)
            found[f"AveragePool including pads {name}"] = one(f"y = AveragePool <{walk}, count_include_pad=1> (x)", shape)
            if k >= stride and pads != "0,1,2,0":
                found[f"MaxPool ceil {name}"] = one(f"y = MaxPool <{walk}, ceil_mode=1> (x)", shape)
    return found


_TRANSPOSED = {
    "k2 s2": (dict(w=f(6, 8, 2, 2), b=f(8)), "strides=[2,2]"),
    "k4 s2 p1": (dict(w=f(6, 8, 4, 4), b=f(8)), "strides=[2,2], pads=[1,1,1,1]"),
    "k3 s2 p1 op1": (dict(w=f(6, 8, 3, 3), b=f(8)), "strides=[2,2], pads=[1,1,1,1], output_padding=[1,1]"),
    "k3 s2 keras same": (dict(w=f(6, 8, 3, 3), b=f(8)), "strides=[2,2], pads=[0,0,1,1]"),
    "k3 s1 p1": (dict(w=f(6, 8, 3, 3), b=f(8)), "strides=[1,1], pads=[1,1,1,1]"),
    "asymmetric": (dict(w=f(6, 8, 4, 5), b=f(8)), "strides=[3,2], pads=[0,1,2,3]"),
    "k1 s2 op1": (dict(w=f(6, 8, 1, 1), b=f(8)), "strides=[2,2], output_padding=[1,1]"),
    "dilated": (dict(w=f(6, 8, 3, 3)), "strides=[2,2], dilations=[2,3], pads=[1,1,1,1]"),
    "grouped k4 s2 p1": (dict(w=f(6, 4, 4, 4), b=f(8)), "group=2, strides=[2,2], pads=[1,1,1,1]"),
    "depthwise k4 s2 p1": (dict(w=f(6, 1, 4, 4), b=f(6)), "group=6, strides=[2,2], pads=[1,1,1,1]"),
    "depthwise k3 s(1,2) op": (dict(w=f(6, 2, 3, 3), b=f(12)), "group=6, strides=[1,2], pads=[1,1,1,1], output_padding=[0,1]"),
    "grouped asymmetric": (dict(w=f(6, 3, 4, 5)), "group=3, strides=[3,2], pads=[0,1,2,3]"),
}

_POINTWISE = {
    "Relu": "Relu (x)", "Clip 0 6": "Clip (x, zero, six)", "Clip -1 1": "Clip (x, minus, one)", "Clip 0 1": "Clip (x, zero, one)",
    "Clip odd": "Clip (x, minus, six)", "Clip low": "Clip (x, minus, inf)", "LeakyRelu": "LeakyRelu <alpha=0.1> (x)",
    "LeakyRelu steep": "LeakyRelu <alpha=1.7> (x)", "Elu": "Elu (x)", "Elu alpha": "Elu <alpha=1.5> (x)", "Selu": "Selu (x)",
    "Celu": "Celu <alpha=0.7> (x)", "Gelu": "Gelu (x)", 'Gelu tanh': 'Gelu <approximate="tanh"> (x)', "HardSwish": "HardSwish (x)",
    "HardSigmoid": "HardSigmoid (x)", "HardSigmoid sixth": "HardSigmoid <alpha=0.16666667> (x)", "Mish": "Mish (x)",
    "Sigmoid": "Sigmoid (x)", "Tanh": "Tanh (x)", "Softplus": "Softplus (x)", "Softsign": "Softsign (x)", "Exp": "Exp (x)",
    "Abs": "Abs (x)", "Neg": "Neg (x)", "Erf": "Erf (x)", "Floor": "Floor (x)", "Ceil": "Ceil (x)", "Sin": "Sin (x)", "Cos": "Cos (x)",
    "Log": "Log (p)", "Sqrt": "Sqrt (p)", "Reciprocal": "Reciprocal (p)", "PRelu": "PRelu (x, slope)", "PRelu one": "PRelu (x, slope1)",
    "Softmax": "Softmax <axis=1> (x)", "Softmax h": "Softmax <axis=2> (x)", "Softmax w": "Softmax <axis=3> (x)",
    "LogSoftmax": "LogSoftmax <axis=1> (x)", "Pow 2": "Pow (x, two)", "Pow 3": "Pow (p, three)", "Pow half": "Pow (p, half)",
    "Add hw": "Add (x, hw)", "Add scalar": "Add (x, two)", "Add channel": "Add (x, channel)", "Add rank 1": "Add (x, row)",
    "Sub from": "Sub (channel, x)", "Div from": "Div (channel, p)", "Div by": "Div (x, p)", "Max": "Max (x, p)", "Min": "Min (x, two)",
    "Mul by vector": "Mul (x, channel)", "BatchNormalization": "BatchNormalization (x, g, g, g, v)",
    "InstanceNormalization": "InstanceNormalization (x, g, g)", "LayerNormalization": "LayerNormalization <axis=-1> (x, row, row)",
    "LayerNormalization chw": "LayerNormalization <axis=1> (x, full, full)", "LayerNormalization no bias": "LayerNormalization (x, row)",
}  # fmt: skip
_CONSTANTS = dict(
    zero=s(0), six=s(6), minus=s(-1), one=s(1), inf=s(np.inf), two=s(2), three=s(3), half=s(0.5), slope=f(6, 1, 1), slope1=f(1),
    hw=f(4, 5), channel=f(1, 6, 1, 1), row=f(5), g=f(6), v=f(6) ** 2 + s(0.5), full=f(6, 4, 5),
)  # fmt: skip


def _pointwise() -> dict[str, Case]:
    found = {}
    for name, call in _POINTWISE.items():
        words = call.replace("(", " ").replace(")", " ").replace(",", " ").split()
        inits = {key: value for key, value in _CONSTANTS.items() if key in words}
        before = "e = Exp (x) p = Add (e, one)" if "p" in words else ""
        if before:
            inits["one"] = s(1)
        found[name] = one(f"{before} y = {call}", **inits)
    return found


_SEQUENCE = {
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

_RESHAPES = {
    "flatten gemm": one("a = Reshape (x, z) y = Gemm <transB=1> (a, w, b)", "N,4,3,5", "N,k", z=i(0, 60), w=f(7, 60), b=f(7)),
    "flatten relu gemm": one("a = Reshape (x, z) r = Relu (a) y = Gemm <transB=1> (r, w)", "N,4,3,5", "N,k", z=i(0, 60), w=f(7, 60)),
    "flatten twice, concat, gemm": one(
        "c = Conv (x, v) a = Reshape (x, z) d = Reshape (c, u) e = Concat <axis=1> (a, d) y = Gemm <transB=1> (e, w)",
        "N,4,3,5", "N,k", z=i(0, 60), u=i(0, 30), v=f(2, 4, 1, 1), w=f(7, 90),
    ),
    "flatten, two dense": one(
        "a = Reshape (x, z) c = Gemm <transB=1> (a, w) d = Gemm <transB=1> (a, v) y = Add (c, d)", "N,4,3,5", "N,k",
        z=i(0, 60), w=f(7, 60), v=f(7, 60),
    ),
    "flatten out": one("y = Reshape (x, z)", "N,4,3,5", "N,k", z=i(0, 60)),
    "torch shuffle": one(
        "a = Reshape (x, z) b = Transpose <perm=[0,2,1,3,4]> (a) y = Reshape (b, t)", z=i(0, 2, 3, 4, 5), t=i(0, 6, 4, 5)
    ),
    "channel shuffle": one("y = mexport.ChannelShuffle <group=3> (x)"),
    "softmax nhwc": one("a = Transpose <perm=[0,2,3,1]> (x) b = Reshape (a, z) y = Softmax <axis=-1> (b)", out="N,a,b", z=i(0, 40, 3)),
    "yolo head": one(
        "a = Reshape (x, z) b = Transpose <perm=[0,1,3,4,2]> (a) c = Sigmoid (b) y = Reshape (c, t)", "N,18,4,5", "N,a,b",
        z=i(0, 3, 6, 4, 5), t=i(0, 60, 6),
    ),
    "yolo v8 tail": one(
        "a, b = Split <axis=1> (r, p) r = Reshape (x, z) d = Reshape (a, u)".replace("a, b = Split <axis=1> (r, p) r = Reshape (x, z)",
        "r = Reshape (x, z) a, b = Split <axis=1> (r, p)")
        + " e = Transpose <perm=[0,2,1,3]> (d) h = Softmax <axis=1> (e) j = Conv (h, w) k = Reshape (j, v) m = Sigmoid (b) "
        "y = Concat <axis=1> (k, m)", "N,20,4,5", "N,a,b",
        z=i(0, 20, 20), p=i(16, 4), u=i(0, 4, 4, 20), w=np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1), v=i(0, 4, 20),
    ),
    "pixel shuffle spelt out": one(
        "a = Reshape (x, z) b = Transpose <perm=[0,1,4,2,5,3]> (a) y = Reshape (b, t)", "N,8,4,5", z=i(0, 2, 2, 2, 4, 5), t=i(0, 2, 8, 10)
    ),
    "depth to space": one("y = DepthToSpace <blocksize=2> (x)", "N,8,4,5"),
    "depth to space crd": one('y = DepthToSpace <blocksize=2, mode="CRD"> (x)', "N,8,4,5"),
    "conv, depth to space crd": one(
        'a = Conv (x, w, b) r = Relu (a) y = DepthToSpace <blocksize=2, mode="CRD"> (r)', "N,6,4,5", w=f(12, 6, 1, 1), b=f(12)
    ),
    "space to depth": one("y = SpaceToDepth <blocksize=2> (x)", "N,3,4,6"),
    "transpose out": one("y = Transpose <perm=[0,2,3,1]> (x)"),
    "transpose 3": one("a = Reshape (x, z) b = Conv1 (a) y = Transpose <perm=[0,2,1]> (a)".replace("b = Conv1 (a) ", ""),
                       out="N,a,b", z=i(0, 6, 20)),
    "vector to picture": one("a = Reshape (x, z) y = Conv (a, w)", "N,60", z=i(0, 3, 4, 5), w=f(2, 3, 1, 1)),
    "attention": one(
        "q = Reshape (x, z) k = Transpose <perm=[0,2,1]> (q) m = MatMul (k, q) n = Softmax (m) o = MatMul (q, n) y = Reshape (o, t)",
        z=i(0, 6, 20), t=i(0, 6, 4, 5),
    ),
    "matmul weights": one("a = Reshape (x, z) b = Transpose <perm=[0,2,1]> (a) y = MatMul (b, w)", out="N,a,b", z=i(0, 6, 20), w=f(6, 7)),
    "matmul weights bias relu": one(
        "a = Reshape (x, z) c = MatMul (a, w) d = Add (c, b) y = Relu (d)", out="N,a,b", z=i(0, 6, 20), w=f(20, 7), b=f(7)
    ),
    "matmul rank 4": one("y = MatMul (x, w)", w=f(5, 7)),
    "matmul from left": one("a = Reshape (x, z) y = MatMul (w, a)", out="N,a,b", z=i(0, 6, 20), w=f(1, 7, 6)),
    "multi-head": one(
        "a = Reshape (x, z) t = Transpose <perm=[0,2,1]> (a) q0 = MatMul (t, wq) k0 = MatMul (t, wk) q1 = Reshape (q0, h) "
        "k1 = Reshape (k0, h) q = Transpose <perm=[0,2,1,3]> (q1) k = Transpose <perm=[0,2,3,1]> (k1) m = MatMul (q, k) n = Softmax (m) "
        "v = Transpose <perm=[0,2,1,3]> (k1) o = MatMul (n, v) p = Transpose <perm=[0,2,1,3]> (o) y = Reshape (p, u)", out="N,a,b",
        z=i(0, 6, 20), wq=f(6, 8), wk=f(6, 8), h=i(0, 20, 2, 4), u=i(0, 20, 8),
    ),
    "mean and squeeze": one("a = GlobalAveragePool (x) b = Reshape (a, z) y = Gemm <transB=1> (b, w)", out="N,k", z=i(0, 6), w=f(3, 6)),
    "squeeze excite": one(
        "a = GlobalAveragePool (x) b = Reshape (a, z) c = Reshape (b, u) d = Conv (c, w) e = Sigmoid (d) y = Mul (x, e)",
        z=i(0, 6), u=i(0, 6, 1, 1), w=f(6, 6, 1, 1),
    ),
}  # fmt: skip

_AXES = {
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
    "l2": one("n = ReduceL2 (x, a) y = Div (x, n)", a=i(1)),
    "global max": one("y = GlobalMaxPool (x)"),
    "rank 2 and rank 4": one("a = Reshape (x, z) y = Add (a, x)", "N,6,1,1", z=i(0, 6, 1, 1)),
    "broadcast both ways": one("a = ReduceMean (x, p) b = GlobalAveragePool (x) y = Mul (a, b)", p=i(1)),
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


_FUSED = {
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
    "swish": one("a = Sigmoid (x) y = Mul (a, x)"),
    "gemm chain": one("a = Gemm <transB=1> (x, w, b) r = Relu (a) y = Gemm <transB=1> (r, v)", "N,12", "N,k", w=f(7, 12), b=f(7), v=f(3, 7)),
    "two outputs": ("g (float[N,6,4,5] x) => (float[N,6,4,5] y, float[N,6,4,5] z) { a = Conv (x, w) y = Relu (a) z = Sigmoid (a) }",
                    dict(w=f(6, 6, 1, 1))),
    "output read on": ("g (float[N,6,4,5] x) => (float[N,6,4,5] y, float[N,6,4,5] z) { y = Conv (x, w) z = Relu (y) }", dict(w=f(6, 6, 1, 1))),
    "two inputs": ("g (float[N,6,4,5] x, float[N,6] v) => (float[N,6,4,5] y) { r = Reshape (v, z) y = Mul (x, r) }", dict(z=i(0, 6, 1, 1))),
    "input is output": ("g (float[N,6,4,5] x) => (float[N,6,4,5] y, float[N,120] z) { y = Relu (x) z = Reshape (y, s) }", dict(s=i(0, 120))),
    "same output twice": ("g (float[N,6] x) => (float[N,6] y, float[N,1,6] z) { y = Relu (x) z = Reshape (y, s) }", dict(s=i(0, 1, 6))),
}  # fmt: skip

CASES: dict[str, Case] = {
    **_windows(),
    **{f"transposed conv {k}": one(f"y = ConvTranspose <{a}> ({', '.join(['x', *inits])})", **inits) for k, (inits, a) in _TRANSPOSED.items()},
    **_pointwise(), **_SEQUENCE, **_RESHAPES, **_AXES, **_resizes(), **_FUSED,
}  # fmt: skip
