"""Small graphs with the operators of every set from 7 on: older forms, element types, functions, branches."""

import numpy as np
import onnx
from onnx import parser

from tests.sources.torch_graphs import W, model

CASES: dict[str, onnx.ModelProto] = {}
"""Name to graph; each must become a Graph that gives the same outputs for any batch."""

# softmax legacy 4D opset 11
CASES["softmax11"] = model(
    """g (float[batch,3,4,5] x) => (float[batch,3,4,5] y, float[batch,3,4,5] z) { y = Softmax<axis=1>(x) 
 z = LogSoftmax<axis=3>(x) }""",
    opset=11,
)
CASES["attrs9"] = model(
    """g (float[1,3,9,9] x) => (float[1,3,6,6] y) { p = Pad<mode="constant",pads=[0,0,1,1,0,0,1,1],value=0.5>(x) 
 s = Slice<axes=[2,3],starts=[1,1],ends=[9,9223372036854775807]>(p) 
 s2 = Slice<axes=[3],starts=[0],ends=[8]>(s) 
 a = AveragePool<kernel_shape=[3,3],strides=[1,1]>(s2) 
 y0 = Clip<min=0.0,max=6.0>(a) 
 d,mask = Dropout<ratio=0.5>(y0) 
 q,w = Split<axis=1,split=[1,2]>(d) 
 y = Concat<axis=1>(w,q) }""",
    opset=9,
)
CASES["bn7"] = model(
    """g (float[1,3,9,9] x, float[3] s, float[3] b, float[3] m, float[3] v) => (float[1,3,9,9] y) {
 y = BatchNormalization<epsilon=1e-3,momentum=0.9>(x,s,b,m,v) }""",
    {"s": W(3), "b": W(3), "m": W(3), "v": np.abs(W(3))},
    opset=7,
    ir=3,
)
CASES["squeeze0"] = model(
    """g (float[1,3,9,9] x) => (float[3] y) { p = GlobalAveragePool(x) 
 y = Squeeze(p) }""",
    opset=11,
)
CASES["x0"] = model(
    """g (float[1,3,9,9] x) => (float[3,9,9] y) { i0 = Constant<value_int=0>() 
 r = Relu(x) 
 y = Gather<axis=0>(r,i0) }""",
    opset=11,
)
CASES["flatten_1_-1"] = model(
    """g (float[1,3,4,4] x) => (float[1,5] y) { r = Reshape(x,s) 
 y = Gemm<transB=1>(r,w) }""",
    {"s": np.array([1, -1]), "w": W(5, 48)},
)
CASES["hardcoded_dyn"] = model(
    """g (float[batch,3,4,4] x) => (float[batch,5] y) { r = Reshape(x,s) 
 y = Gemm<transB=1>(r,w) }""",
    {"s": np.array([1, -1]), "w": W(5, 48)},
)
CASES["batch8"] = model(
    """g (float[8,4,4,4] x) => (float[8,5] y) { r0 = Reshape(x,s0) 
 t = Transpose<perm=[0,2,1,3,4]>(r0) 
 t2 = Reshape(t,s1) 
 r = Reshape(t2,s) 
 y = Gemm<transB=1>(r,w) }""",
    {"s0": np.array([8, 2, 2, 4, 4]), "s1": np.array([8, 4, 4, 4]), "s": np.array([8, -1]), "w": W(5, 64)},
)
CASES["fp16"] = model(
    """g (float16[batch,3,4,4] x) => (float16[batch,4,4,4] y) { c = Conv<kernel_shape=[1,1]>(x,w,b) 
 k = Constant<value_float=2.0>() 
 kh = Cast<to=10>(k) 
 m = Mul(c,kh) 
 y = Relu(m) }""",
    {"w": W(4, 3, 1, 1).astype("f2"), "b": W(4).astype("f2")},
)
CASES["double"] = model(
    """g (double[batch,3,4,4] x) => (double[batch,4,4,4] y) { c = Conv<kernel_shape=[1,1]>(x,w,b) 
 y = Relu(c) }""",
    {"w": W(4, 3, 1, 1).astype("f8"), "b": W(4).astype("f8")},
)
CASES["fp16w"] = model(
    """g (float[batch,3,4,4] x) => (float[batch,4,4,4] y) { xh = Cast<to=10>(x) 
 c = Conv<kernel_shape=[1,1]>(xh,w,b) 
 y = Cast<to=1>(c) }""",
    {"w": W(4, 3, 1, 1).astype("f2"), "b": W(4).astype("f2")},
)
CASES["uint8"] = model("""g (uint8[batch,4,4,3] x) => (float[batch,3,4,4] y) { t = Transpose<perm=[0,3,1,2]>(x) 
 f = Cast<to=1>(t) 
 k = Constant<value_float=255.0>() 
 y = Div(f,k) }""")
CASES["if_const"] = model("""g (float[batch,3,1,1] x) => (float[batch,3] y) { s = Shape(x) 
 i2 = Constant<value_int=2>() 
 d = Gather<axis=0>(s,i2) 
 one = Constant<value_int=1>() 
 c = Equal(d,one) 
 y = If<then_branch=tg () => (float[batch,3,1] q) { ax = Constant<value_ints=[2]>() 
 q = Squeeze(x,ax) }, else_branch=eg () => (float[batch,3,1,1] q2) { q2 = Identity(x) }>(c) }""")
CASES["if_const"].graph.output[0].type.tensor_type.shape.dim.add().dim_value = 1
CASES["adaptive"] = model("""g (float[batch,3,7,7] x) => (float[batch,12] y) { a = AveragePool<kernel_shape=[4,4],strides=[3,3]>(x) 
 m = MaxPool<kernel_shape=[2,2],strides=[2,2],ceil_mode=1>(a) 
 f = Flatten<axis=1>(a) 
 y = Identity(f) }""")
CASES["groupnorm"] = model(
    """g (float[batch,4,3,3] x) => (float[batch,4,3,3] y) { y = GroupNormalization<num_groups=2>(x,s,b) }""",
    {"s": W(4), "b": W(4)},
    opset=21,
    ir=10,
)
CASES["swish24"] = model("""g (float[batch,4,3,3] x) => (float[batch,4,3,3] y) { y = Swish(x) }""", opset=24, ir=11)
CASES["rms"] = model("""g (float[batch,6,8] x) => (float[batch,6,8] y) { y = RMSNormalization(x,s) }""", {"s": W(8)}, opset=23, ir=11)
CASES["function"] = (
    parser.parse_model("""<ir_version: 8, opset_import: ["" : 17, "my" : 1]> g (float[N,3] x) => (float[N,3] y) { t = my.act(x) 
 y = my.act(t) } <opset_import: ["" : 17], domain: "my"> act (a) => (b) { c = Relu(a) 
 k = Constant<value_float=2.0>() 
 b = Mul(c,k) }""")
)
