"""Convolutions and pools: kernels, strides, pads, dilations, groups."""

from tests.formats.tflite.cases.case import Case, f, one


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
                if k >= stride and pads == "1,1,1,1":
                    found[f"{pool} ceil_mode {name}"] = one(f"y = {pool} <{walk}, ceil_mode=1> (x)", f"N,6,{size - 1},{size}")
                found[f"{pool} {name}"] = one(f"y = {pool} <{walk}> (x)", shape)
            found[f"AveragePool including pads {name}"] = one(f"y = AveragePool <{walk}, count_include_pad=1> (x)", shape)
            if k >= stride and pads != "0,1,2,0":
                found[f"MaxPool ceil {name}"] = one(f"y = MaxPool <{walk}, ceil_mode=1> (x)", shape)
    return found


_TRANSPOSED = {
    "k2 s2": ({"w": f(6, 8, 2, 2), "b": f(8)}, "strides=[2,2]"),
    "k4 s2 p1": ({"w": f(6, 8, 4, 4), "b": f(8)}, "strides=[2,2], pads=[1,1,1,1]"),
    "k3 s2 p1 op1": ({"w": f(6, 8, 3, 3), "b": f(8)}, "strides=[2,2], pads=[1,1,1,1], output_padding=[1,1]"),
    "k3 s2 keras same": ({"w": f(6, 8, 3, 3), "b": f(8)}, "strides=[2,2], pads=[0,0,1,1]"),
    "k3 s1 p1": ({"w": f(6, 8, 3, 3), "b": f(8)}, "strides=[1,1], pads=[1,1,1,1]"),
    "asymmetric": ({"w": f(6, 8, 4, 5), "b": f(8)}, "strides=[3,2], pads=[0,1,2,3]"),
    "k1 s2 op1": ({"w": f(6, 8, 1, 1), "b": f(8)}, "strides=[2,2], output_padding=[1,1]"),
    "dilated": ({"w": f(6, 8, 3, 3)}, "strides=[2,2], dilations=[2,3], pads=[1,1,1,1]"),
    "grouped k4 s2 p1": ({"w": f(6, 4, 4, 4), "b": f(8)}, "group=2, strides=[2,2], pads=[1,1,1,1]"),
    "depthwise k4 s2 p1": ({"w": f(6, 1, 4, 4), "b": f(6)}, "group=6, strides=[2,2], pads=[1,1,1,1]"),
    "depthwise k3 s(1,2) op": ({"w": f(6, 2, 3, 3), "b": f(12)}, "group=6, strides=[1,2], pads=[1,1,1,1], output_padding=[0,1]"),
    "grouped asymmetric": ({"w": f(6, 3, 4, 5)}, "group=3, strides=[3,2], pads=[0,1,2,3]"),
}

WINDOWS = {
    **_windows(),
    **{
        f"transposed conv {k}": one(f"y = ConvTranspose <{a}> ({', '.join(['x', *inits])})", **inits)
        for k, (inits, a) in _TRANSPOSED.items()
    },
}
