"""Small graphs whose shapes are computed as torch.onnx writes it, or fixed for one batch size; and how graphs are written as text."""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import numpy_helper, parser

from exporter.array import Array

RNG = np.random.default_rng(0)


def model(text: str, inits: Mapping[str, Array] | None = None, opset: int = 13, ir: int = 8) -> onnx.ModelProto:
    """An ONNX file from text; arrays for the names that no node makes."""
    proto = parser.parse_model(f'<ir_version: {ir}, opset_import: ["" : {opset}]> {text}')
    proto.graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in (inits or {}).items())
    return proto


def W(*shape: int) -> Array:  # noqa: N802 - short, for it stands in every graph
    """Random weights."""
    return (RNG.standard_normal(shape) * 0.2).astype("f4")


CASES: dict[str, onnx.ModelProto] = {}
"""Name to graph; each must become a Graph that gives the same outputs for any batch."""

# dynamic batch flatten view(x.size(0), -1)
CASES["view"] = model(
    """g (float[batch,3,8,8] x) => (float[batch,5] y) {
 c = Conv<kernel_shape=[3,3],pads=[1,1,1,1],strides=[2,2]>(x,w) 
 s = Shape(c) 
 i0 = Constant<value_int=0>() 
 b = Gather<axis=0>(s,i0) 
 m1 = Constant<value_ints=[-1]>() 
 ax = Constant<value_ints=[0]>() 
 bu = Unsqueeze(b,ax) 
 sh = Concat<axis=0>(bu,m1) 
 f = Reshape(c,sh) 
 y = Gemm<transB=1>(f,fw,fb) }""",
    {"w": W(4, 3, 3, 3), "fw": W(5, 64), "fb": W(5)},
)
# channel shuffle dynamic, opset 11
CASES["shuffle11"] = model(
    """g (float[batch,8,4,4] x) => (float[batch,8,4,4] y) {
 s = Shape(x) 
 i0 = Constant<value_int=0>() 
 b = Gather<axis=0>(s,i0) 
 s2 = Shape(x) 
 i2 = Constant<value_int=2>() 
 hh = Gather<axis=0>(s2,i2) 
 i3 = Constant<value_int=3>() 
 ww = Gather<axis=0>(s2,i3) 
 bu = Unsqueeze<axes=[0]>(b) 
 two = Constant<value_ints=[2]>() 
 four = Constant<value_ints=[4]>() 
 hu = Unsqueeze<axes=[0]>(hh) 
 wu = Unsqueeze<axes=[0]>(ww) 
 sh = Concat<axis=0>(bu,two,four,hu,wu) 
 r = Reshape(x,sh) 
 t = Transpose<perm=[0,2,1,3,4]>(r) 
 m1 = Constant<value_ints=[-1]>() 
 sh2 = Concat<axis=0>(bu,m1,hu,wu) 
 y = Reshape(t,sh2) }""",
    opset=11,
)
# shufflenetv2 x.view(b*c//2,2,hw), fixed batch
CASES["shuffle_fixed_merge"] = model(
    """g (float[1,8,4,4] x) => (float[1,4,4,4] a, float[1,4,4,4] bb) {
 r = Reshape(x,s1) 
 t = Transpose<perm=[1,0,2]>(r) 
 u = Reshape(t,s2) 
 i0 = Constant<value_int=0>() 
 i1 = Constant<value_int=1>() 
 a = Gather<axis=0>(u,i0) 
 bb = Gather<axis=0>(u,i1) }""",
    {"s1": np.array([4, 2, 16]), "s2": np.array([2, -1, 4, 4, 4])},
    opset=11,
)
# same with dynamic batch arithmetic b*c//2 via Mul/Div
CASES["shuffle_dyn_merge"] = model(
    """g (float[batch,8,4,4] x) => (float[batch,4,4,4] a) {
 s = Shape(x) 
 i0 = Constant<value_int=0>() 
 b = Gather<axis=0>(s,i0) 
 c8 = Constant<value_int=8>() 
 c2 = Constant<value_int=2>() 
 bc = Mul(b,c8) 
 bc2 = Div(bc,c2) 
 cast = Cast<to=7>(bc2) 
 cast2 = Cast<to=7>(cast) 
 ax = Constant<value_ints=[0]>() 
 bu = Unsqueeze(cast2,ax) 
 two = Constant<value_ints=[2]>() 
 hw = Constant<value_ints=[16]>() 
 sh = Concat<axis=0>(bu,two,hw) 
 r = Reshape(x,sh) 
 t = Transpose<perm=[1,0,2]>(r) 
 u = Reshape(t,s2) 
 a = Gather<axis=0>(u,i0) }""",
    {"s2": np.array([2, -1, 4, 4, 4])},
)
# slice halves INT64_MAX + concat + Identity shared weights
CASES["slice"] = model(
    """g (float[batch,6,8,8] x) => (float[batch,6,8,8] y) {
 w2 = Identity(w) 
 st = Constant<value_ints=[0]>() 
 en = Constant<value_ints=[3]>() 
 ax = Constant<value_ints=[1]>() 
 sp = Constant<value_ints=[1]>() 
 a = Slice(x,st,en,ax,sp) 
 st2 = Constant<value_ints=[3]>() 
 en2 = Constant<value_ints=[9223372036854775807]>() 
 b = Slice(x,st2,en2,ax,sp) 
 c = Conv<kernel_shape=[1,1]>(a,w) 
 d = Conv<kernel_shape=[1,1]>(b,w2) 
 y = Concat<axis=1>(c,d) }""",
    {"w": W(3, 3, 1, 1)},
)
# upsample opset 11 with sizes from shape arithmetic (F.interpolate(x, size=y.shape[2:]) and scale_factor)
CASES["resize_sizes"] = model(
    """g (float[batch,2,5,7] x) => (float[batch,2,10,14] y, float[batch,2,13,11] z) {
 s = Shape(x) 
 i2 = Constant<value_int=2>() 
 hh = Gather<axis=0>(s,i2) 
 i3 = Constant<value_int=3>() 
 ww = Gather<axis=0>(s,i3) 
 hf = Cast<to=1>(hh) 
 k2 = Constant<value_float=2.0>() 
 h2 = Mul(hf,k2) 
 hc = Cast<to=1>(h2) 
 hfl = Floor(hc) 
 hi = Cast<to=7>(hfl) 
 wf = Cast<to=1>(ww) 
 w2 = Mul(wf,k2) 
 wfl = Floor(w2) 
 wi = Cast<to=7>(wfl) 
 hu = Unsqueeze<axes=[0]>(hi) 
 wu = Unsqueeze<axes=[0]>(wi) 
 hw = Concat<axis=0>(hu,wu) 
 s2 = Shape(x) 
 st = Constant<value_ints=[0]>() 
 en = Constant<value_ints=[2]>() 
 bc = Slice(s2,st,en,st) 
 sz = Concat<axis=0>(bc,hw) 
 roi = Constant<value=float[0] {}>() 
 sc = Constant<value=float[0] {}>() 
 y = Resize<mode="nearest",nearest_mode="floor",coordinate_transformation_mode="asymmetric">(x,roi,sc,sz) 
 f2 = Constant<value_ints=[13,11]>() 
 sz2 = Concat<axis=0>(bc,f2) 
 z = Resize<mode="linear",coordinate_transformation_mode="pytorch_half_pixel">(x,roi,sc,sz2) }""",
    opset=11,
)
CASES["upsample9"] = model(
    """g (float[1,2,5,7] x) => (float[1,2,10,14] y) { sc = Constant<value=float[4] {1.0,1.0,2.0,2.0}>() 
 y = Upsample<mode="linear">(x,sc) }""",
    opset=9,
)
CASES["upsample7"] = model(
    """g (float[1,2,5,7] x) => (float[1,2,10,14] y) { y = Upsample<mode="nearest",scales=[1.0,1.0,2.0,2.0]>(x) }""", opset=7
)
CASES["resize10"] = model(
    """g (float[1,2,5,7] x) => (float[1,2,10,14] y) { sc = Constant<value=float[4] {1.0,1.0,2.0,2.0}>() 
 y = Resize<mode="linear">(x,sc) }""",
    opset=10,
)
# pixel shuffle fixed
CASES["pixelshuffle"] = model(
    """g (float[1,8,4,4] x) => (float[1,2,8,8] y) { r = Reshape(x,s1) 
 t = Transpose<perm=[0,1,4,2,5,3]>(r) 
 y = Reshape(t,s2) }""",
    {"s1": np.array([1, 2, 2, 2, 4, 4]), "s2": np.array([1, 2, 8, 8])},
)
# layernorm + gelu spelt on (N,T,C), MLP
CASES["ln_gelu"] = model(
    """g (float[batch,6,8] x) => (float[batch,6,8] y) {
 m = ReduceMean<axes=[-1]>(x) 
 d = Sub(x,m) 
 two = Constant<value_float=2.0>() 
 p = Pow(d,two) 
 v = ReduceMean<axes=[-1]>(p) 
 e = Constant<value_float=1e-5>() 
 ve = Add(v,e) 
 sq = Sqrt(ve) 
 n = Div(d,sq) 
 ng = Mul(n,g1) 
 nb = Add(ng,b1) 
 mm = MatMul(nb,w) 
 ma = Add(mb,mm) 
 k = Constant<value_float=1.4142135381698608>() 
 q = Div(ma,k) 
 er = Erf(q) 
 one = Constant<value_float=1.0>() 
 ea = Add(er,one) 
 mu = Mul(ma,ea) 
 half = Constant<value_float=0.5>() 
 y = Mul(mu,half) }""",
    {"g1": W(8), "b1": W(8), "w": W(8, 8), "mb": W(8)},
)
# SE block with ReduceMean, squeeze, gemm, unsqueeze / expand
CASES["se"] = model(
    """g (float[batch,4,6,6] x) => (float[batch,4,6,6] y) {
 p = GlobalAveragePool(x) 
 s = Shape(x) 
 i0 = Constant<value_int=0>() 
 b = Gather<axis=0>(s,i0) 
 i1 = Constant<value_int=1>() 
 c = Gather<axis=0>(s,i1) 
 ax = Constant<value_ints=[0]>() 
 bu = Unsqueeze(b,ax) 
 cu = Unsqueeze(c,ax) 
 sh = Concat<axis=0>(bu,cu) 
 f = Reshape(p,sh) 
 l1 = Gemm<transB=1>(f,w1,b1) 
 r = Relu(l1) 
 l2 = Gemm<transB=1>(r,w2,b2) 
 sg = Sigmoid(l2) 
 one = Constant<value_ints=[1]>() 
 sh2 = Concat<axis=0>(bu,cu,one,one) 
 u = Reshape(sg,sh2) 
 sx = Shape(x) 
 ex = Expand(u,sx) 
 y = Mul(x,ex) }""",
    {"w1": W(2, 4), "b1": W(2), "w2": W(4, 2), "b2": W(4)},
)
CASES["padshortcut"] = model("""g (float[batch,2,4,4] x) => (float[batch,4,4,4] y) { s = Shape(x) 
 i0 = Constant<value_int=0>() 
 b = Gather<axis=0>(s,i0) 
 ax = Constant<value_ints=[0]>() 
 bu = Unsqueeze(b,ax) 
 r = Constant<value_ints=[2,4,4]>() 
 sh = Concat<axis=0>(bu,r) 
 z = ConstantOfShape<value=float[1] {0.0}>(sh) 
 y = Concat<axis=1>(x,z) }""")
CASES["cls"] = model(
    """g (float[batch,4,8] x) => (float[batch,5,8] y) { s = Shape(x) 
 i0 = Constant<value_int=0>() 
 b = Gather<axis=0>(s,i0) 
 ax = Constant<value_ints=[0]>() 
 bu = Unsqueeze(b,ax) 
 m1 = Constant<value_ints=[-1,-1]>() 
 sh = Concat<axis=0>(bu,m1) 
 sz = Shape(sh) 
 ones = ConstantOfShape<value=int64[1] {1}>(sz) 
 mone = Constant<value_int=-1>() 
 mo = Mul(ones,mone) 
 eq = Equal(sh,mo) 
 wh = Where(eq,ones,sh) 
 ex = Expand(tok,wh) 
 y = Concat<axis=1>(ex,x) }""",
    {"tok": W(1, 1, 8)},
)
