"""Random small graphs against onnxruntime: what no list of cases thinks of."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.array import Array
from exporter.graph import Graph
from tests.formats.tflite.running import parity_db, quantized, worst_rel, written
from tests.graphs import graph_from_text

REL = 5e-5
"""Float32 rounding through up to 7 layers."""

PARITY_DB = 25
"""A step of rounding here and there through up to 7 layers, of 255 steps of which noise may use a few bits only."""

bounded = settings(max_examples=60, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))


class _Graph:
    """ONNX text that grows: the current value's name and shape (batch 1), nodes, arrays."""

    def __init__(self, draw: st.DrawFn, shape: tuple[int, ...]) -> None:
        self.draw, self.shape, self.first = draw, shape, shape
        self.value, self.nodes, self.arrays = "x", list[str](), dict[str, Array]()
        self.random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def pick(self, *choices: int) -> int:
        return self.draw(st.sampled_from(choices))

    def floats(self, *shape: int) -> str:
        return self._array((self.random.normal(size=shape) / max(1, np.prod(shape[1:])) ** 0.5).astype(np.float32))

    def ints(self, *values: int) -> str:
        return self._array(np.array(values, np.int64))

    def _array(self, array: Array) -> str:
        name = f"k{len(self.arrays)}"
        self.arrays[name] = array
        return name

    def node(self, call: str, shape: tuple[int, ...] | None = None) -> None:
        value = f"v{len(self.nodes)}"
        self.nodes.append(f"{value} = {call}")
        self.value, self.shape = value, self.shape if shape is None else shape

    def build(self) -> Graph:
        dims = ",".join(map(str, self.first[1:]))
        out = ",".join(f"d{i}" for i in range(len(self.shape) - 1))
        text = f"g (float[N,{dims}] x) => (float[N,{out}] y) {{ {' '.join(self.nodes)} y = Identity ({self.value}) }}"
        self.text = text
        return graph_from_text(text, self.arrays)

    def check(self) -> None:
        graph = self.build()
        with tempfile.TemporaryDirectory() as folder:
            artifact, session = written(graph, Path(folder))
            assert worst_rel(graph, artifact, session) <= REL, self.text

    def check_int8(self) -> None:
        graph = quantized(self.build())
        with tempfile.TemporaryDirectory() as folder:
            artifact, session = written(graph, Path(folder), "mixed")
            assert parity_db(graph, artifact, session) >= PARITY_DB, self.text


def _conv(g: _Graph) -> None:
    _, c, h, w = g.shape
    k, stride, dilation = g.pick(1, 2, 3), g.pick(1, 1, 2), g.pick(1, 1, 2)
    groups = g.draw(st.sampled_from([d for d in (1, 1, 2, 3, c) if c % d == 0]))
    out = groups * g.pick(1, 2)
    pads = [g.pick(0, 1, 2) for _ in range(4)]
    reach = (k - 1) * dilation + 1
    size = [(d + pads[i] + pads[i + 2] - reach) // stride + 1 for i, d in enumerate((h, w))]
    if min(size) < 1:
        return
    weights, bias = g.floats(out, c // groups, k, k), g.floats(out)
    walk = f"strides=[{stride},{stride}], dilations=[{dilation},{dilation}], pads=[{','.join(map(str, pads))}], group={groups}"
    g.node(f"Conv <{walk}> ({g.value}, {weights}, {bias})", (1, out, *size))


def _conv_transpose(g: _Graph) -> None:
    _, c, h, w = g.shape
    if max(h, w) > 16:
        return
    k, stride = g.pick(1, 2, 3, 4), g.pick(1, 2, 3)
    groups = g.draw(st.sampled_from([d for d in (1, 1, 2, c) if c % d == 0]))
    pads = [g.draw(st.integers(0, (k - 1) // 2)) for _ in range(4)]
    extra = g.draw(st.integers(0, stride - 1))
    size = [(d - 1) * stride + k + extra - pads[i] - pads[i + 2] for i, d in enumerate((h, w))]
    if min(size) < 1:
        return
    each = g.pick(1, 2)
    walk = f"strides=[{stride},{stride}], pads=[{','.join(map(str, pads))}], output_padding=[{extra},{extra}], group={groups}"
    g.node(f"ConvTranspose <{walk}> ({g.value}, {g.floats(c, each, k, k)}, {g.floats(groups * each)})", (1, groups * each, *size))


def _pool(g: _Graph) -> None:
    _, c, h, w = g.shape
    k, stride = g.pick(2, 3), g.pick(1, 2)
    pads = [g.draw(st.integers(0, k - 1)) for _ in range(4)]
    size = [(d + pads[i] + pads[i + 2] - k) // stride + 1 for i, d in enumerate((h, w))]
    if min(size) < 1:
        return
    kind = g.draw(st.sampled_from(["MaxPool <", "AveragePool <", "AveragePool <count_include_pad=1, "]))
    walk = f"kernel_shape=[{k},{k}], strides=[{stride},{stride}], pads=[{','.join(map(str, pads))}]"
    g.node(f"{kind}{walk}> ({g.value})", (1, c, *size))


def _activation(g: _Graph) -> None:
    name = g.draw(st.sampled_from(["Relu", "Sigmoid", "Tanh", "HardSwish", "Elu", "LeakyRelu", "Softplus", "Mish", "Gelu", "Selu"]))
    g.node(f"{name} ({g.value})")


def _branch(g: _Graph) -> None:
    """The value and what an op makes of it, joined."""
    before, c = g.value, g.shape[1]
    _activation(g)
    join = g.draw(st.sampled_from(["Add", "Mul", "Concat", "Max"]))
    if join == "Concat":
        g.node(f"Concat <axis=1> ({before}, {g.value})", (1, 2 * c, *g.shape[2:]))
    else:
        g.node(f"{join} ({before}, {g.value})")


def _scale(g: _Graph) -> None:
    c = g.shape[1]
    kind = g.draw(st.sampled_from(["Mul", "Add", "Sub"]))
    g.node(f"{kind} ({g.value}, {g.floats(*g.draw(st.sampled_from([(1,), (c, 1, 1), (1, c, 1, 1), g.shape[2:]])))})")


def _shuffle(g: _Graph) -> None:
    groups = [d for d in (2, 3) if g.shape[1] % d == 0]
    if groups:
        g.node(f"mexport.ChannelShuffle <group={g.draw(st.sampled_from(groups))}> ({g.value})")


def _slice(g: _Graph) -> None:
    axis = g.pick(1, 2, 3)
    size = g.shape[axis]
    start, step = g.draw(st.integers(0, size - 1)), g.pick(1, 1, 2)
    shape = list(g.shape)
    shape[axis] = -(-(size - start) // step)
    g.node(f"Slice ({g.value}, {g.ints(start)}, {g.ints(size)}, {g.ints(axis)}, {g.ints(step)})", tuple(shape))


def _norm(g: _Graph) -> None:
    c = g.shape[1]
    if int(np.prod(g.shape[2:])) > 4:
        g.node(f"InstanceNormalization ({g.value}, {g.floats(c)}, {g.floats(c)})")


@st.composite
def _networks(draw: st.DrawFn) -> _Graph:
    g = _Graph(draw, (1, draw(st.sampled_from([3, 4, 6])), draw(st.integers(5, 9)), draw(st.integers(5, 9))))
    steps = [_conv, _conv, _conv_transpose, _pool, _activation, _branch, _scale, _shuffle, _slice, _norm]
    for step in draw(st.lists(st.sampled_from(steps), min_size=1, max_size=5)):
        step(g)
    if draw(st.booleans()):
        size = int(np.prod(g.shape[1:]))
        g.node(f"Reshape ({g.value}, {g.ints(0, size)})", (1, size))
        g.node(f"Gemm <transB=1> ({g.value}, {g.floats(5, size)}, {g.floats(5)})", (1, 5))
    return g


def _transpose(g: _Graph) -> None:
    perm = [0, *g.draw(st.permutations(range(1, len(g.shape))))]
    g.node(f"Transpose <perm=[{','.join(map(str, perm))}]> ({g.value})", tuple(g.shape[p] for p in perm))


def _reshape(g: _Graph) -> None:
    left, dims = int(np.prod(g.shape[1:])), []
    for _ in range(g.pick(0, 1, 2, 3)):
        d = g.draw(st.sampled_from([d for d in (1, 2, 3, 4, 6) if left % d == 0]))
        dims.append(d)
        left //= d
    dims.insert(g.draw(st.integers(0, len(dims))), left)
    g.node(f"Reshape ({g.value}, {g.ints(0, *dims)})", (1, *dims))


def _reduce(g: _Graph) -> None:
    if len(g.shape) > 2:
        axis = g.draw(st.integers(1, len(g.shape) - 1))
        kind, keep = g.draw(st.sampled_from(["ReduceMean", "ReduceMax", "ReduceSum"])), g.pick(0, 1)
        shape = [1 if i == axis else d for i, d in enumerate(g.shape) if keep or i != axis]
        g.node(f"{kind} <keepdims={keep}> ({g.value}, {g.ints(axis)})", tuple(shape))


def _softmax(g: _Graph) -> None:
    g.node(f"Softmax <axis={g.draw(st.integers(1, len(g.shape) - 1))}> ({g.value})")


def _matmul(g: _Graph) -> None:
    if len(g.shape) > 2:
        g.node(f"MatMul ({g.value}, {g.floats(g.shape[-1], 4)})", (*g.shape[:-1], 4))


def _self_product(g: _Graph) -> None:
    if len(g.shape) == 3:
        before, (_, a, _) = g.value, g.shape
        g.node(f"Transpose <perm=[0,2,1]> ({before})")
        g.node(f"MatMul ({before}, {g.value})", (1, a, a))


def _add_tail(g: _Graph) -> None:
    """A constant of fewer axes, broadcast from the right."""
    g.node(f"Add ({g.value}, {g.floats(*g.shape[len(g.shape) - g.draw(st.integers(1, len(g.shape) - 1)) :])})")


def _concat_self(g: _Graph) -> None:
    axis = g.draw(st.integers(1, len(g.shape) - 1))
    g.node(f"Concat <axis={axis}> ({g.value}, {g.value})", tuple(d * 2 if i == axis else d for i, d in enumerate(g.shape)))


def _gather(g: _Graph) -> None:
    if len(g.shape) > 2:
        axis = g.draw(st.integers(1, len(g.shape) - 1))
        index = g._array(np.array(g.draw(st.integers(0, g.shape[axis] - 1)), np.int64))
        g.node(f"Gather <axis={axis}> ({g.value}, {index})", tuple(d for i, d in enumerate(g.shape) if i != axis))


@st.composite
def _layouts(draw: st.DrawFn) -> _Graph:
    g = _Graph(draw, (1, *draw(st.sampled_from([(6, 4, 5), (12, 2, 3), (4, 6), (24,), (2, 3, 4, 2), (1, 6, 4), (8, 1, 1)]))))
    steps = [_transpose, _transpose, _reshape, _reshape, _reduce, _softmax, _matmul, _self_product, _add_tail, _concat_self, _gather]
    for step in draw(st.lists(st.sampled_from([*steps, _activation]), min_size=1, max_size=7)):
        step(g)
    return g


@bounded
@given(_networks())
def test_random_networks(g: _Graph) -> None:
    g.check()


@bounded
@given(_layouts())
def test_random_layouts(g: _Graph) -> None:
    g.check()


@bounded
@given(_networks())
def test_random_int8_networks(g: _Graph) -> None:
    g.check_int8()


@bounded
@given(_layouts())
def test_random_int8_layouts(g: _Graph) -> None:
    g.check_int8()
