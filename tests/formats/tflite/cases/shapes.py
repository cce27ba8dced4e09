"""Reshape, Transpose and what stands between them."""

import numpy as np

from tests.formats.tflite.cases.case import f, i, one

RESHAPES = {
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
    "ssd head": one(
        "a = Conv (x, w) b = Transpose <perm=[0,2,3,1]> (a) c = Reshape (b, z) d = Conv (x, w) e = Transpose <perm=[0,2,3,1]> (d) "
        "h = Reshape (e, z) j = Concat <axis=1> (c, h) y = Softmax (j)", "N,6,4,5", "N,a,b", w=f(9, 6, 1, 1), z=i(0, 60, 3),
    ),
    "yolo v8 tail": one(
        "r = Reshape (x, z) a, b = Split <axis=1> (r, p) d = Reshape (a, u) "
        "e = Transpose <perm=[0,2,1,3]> (d) h = Softmax <axis=1> (e) j = Conv (h, w) k = Reshape (j, v) m = Sigmoid (b) "
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
    "transpose 3": one("a = Reshape (x, z) y = Transpose <perm=[0,2,1]> (a)",
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
