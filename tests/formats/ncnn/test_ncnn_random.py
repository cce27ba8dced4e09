"""Random small graphs: whatever the shapes, ncnn must agree with onnxruntime, and say so when it cannot."""

import random
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.array import Array
from tests.formats.ncnn.running import rels, written
from tests.graphs import graph_from_text

Shape = tuple[int, int, int]


class Sketch:
    """A graph under construction: lines of text, constants, and the values so far with their (C, H, W)."""

    def __init__(self, seed: int) -> None:
        self.dice, self.numbers = random.Random(seed), np.random.default_rng(seed)
        self.lines: list[str] = []
        self.arrays: dict[str, Array] = {}
        self.shapes: dict[str, Shape] = {"x": (self.dice.choice([1, 3, 4, 8, 12]), self.dice.randint(1, 9), self.dice.randint(1, 9))}
        self.last = "x"

    def constant(self, *shape: int, low: float | None = None) -> str:
        name = f"k{len(self.arrays)}"
        drawn = self.numbers.normal(size=shape) if low is None else self.numbers.uniform(low, low + 1, size=shape)
        self.arrays[name] = drawn.astype(np.float32)
        return name

    def kernel(self, *shape: int) -> str:
        """Weights that keep the signal near 1, so that no sigmoid behind them is all but 0."""
        name = self.constant(*shape)
        self.arrays[name] /= np.float32(np.sqrt(np.prod(shape[1:])))
        return name

    def integers(self, *values: int) -> str:
        name = f"k{len(self.arrays)}"
        self.arrays[name] = np.array(values, np.int64)
        return name

    def add(self, op: str, shape: Shape) -> None:
        name = f"v{len(self.lines)}"
        self.lines.append(f"{name} = {op}")
        self.shapes[name] = shape
        self.last = name

    def source(self) -> tuple[str, Shape]:
        """Mostly the last value, sometimes an older one, which then has several readers."""
        name = self.last if self.dice.random() < 0.7 else self.dice.choice(list(self.shapes))
        return name, self.shapes[name]

    # The kinds of layers

    def conv(self) -> None:
        x, (c, h, w) = self.source()
        group = self.dice.choice([1, 1, c, *(d for d in (2, 4) if c % d == 0)])
        out = group * self.dice.choice([1, 2, 3, 4])
        k, s, d = [self.dice.randint(1, 3) for _ in range(2)], [self.dice.randint(1, 2) for _ in range(2)], self.dice.choice([1, 1, 2])
        pads = [self.dice.randint(0, 2) for _ in range(4)]
        size = [(n + pads[i] + pads[i + 2] - (k[i] - 1) * d - 1) // s[i] + 1 for i, n in enumerate((h, w))]
        if min(size) < 1:
            return
        weight, bias = self.kernel(out, c // group, *k), self.constant(out)
        window = f"group={group}, strides={s}, dilations=[{d},{d}], pads={pads}"
        self.add(f"Conv <{window}> ({x}, {weight}{self.dice.choice(['', f', {bias}'])})", (out, *size))

    def transposed(self) -> None:
        x, (c, h, w) = self.source()
        group, k, s = self.dice.choice([1, c]), self.dice.randint(1, 4), self.dice.randint(1, 3)
        extra = self.dice.randint(0, s - 1)
        size = [(n - 1) * s + k + extra for n in (h, w)]
        if c * size[0] * size[1] > 4000:
            return
        out = self.dice.choice([1, 2, 4])
        window = f"group={group}, strides=[{s},{s}], output_padding=[{extra},{extra}]"
        self.add(f"ConvTranspose <{window}> ({x}, {self.kernel(c, out, k, k)})", (out * group, *size))

    def activation(self) -> None:
        x, shape = self.source()
        names = ["Relu", "Sigmoid", "Tanh", "HardSwish", "Mish", "Gelu", "Selu", "Elu", "Softplus", "LeakyRelu", "HardSigmoid", "Abs"]
        self.add(f"{self.dice.choice(names)} ({x})", shape)

    def arithmetic(self) -> None:
        x, (c, h, w) = self.source()
        alike = [name for name, shape in self.shapes.items() if shape == (c, h, w)]
        other = self.dice.choice(
            [
                self.dice.choice(alike),
                self.constant(),
                self.constant(c, 1, 1),
                self.constant(w),
                self.constant(h, 1),
                self.constant(c, h, w),
            ]
        )
        pair = self.dice.sample([x, other], 2)
        self.add(f"{self.dice.choice(['Add', 'Sub', 'Mul', 'Max', 'Min'])} ({pair[0]}, {pair[1]})", (c, h, w))

    def gate(self) -> None:
        x, (c, h, w) = self.source()
        self.add(f"{self.dice.choice(['GlobalAveragePool', 'GlobalMaxPool'])} ({x})", (c, 1, 1))
        self.add(f"Conv ({self.last}, {self.kernel(c, c, 1, 1)})", (c, 1, 1))
        self.arrays |= {"low": np.array(-3, np.float32), "high": np.array(3, np.float32)}
        self.add(f"Clip ({self.last}, low, high)", (c, 1, 1))  # onnxruntime's Sigmoid is off by 4e-8, much where all is near 0
        self.add(f"Sigmoid ({self.last})", (c, 1, 1))
        self.add(f"Mul ({x}, {self.last})", (c, h, w))

    def pool(self) -> None:
        x, (c, h, w) = self.source()
        k, s = [self.dice.randint(1, 3) for _ in range(2)], [self.dice.randint(1, 2) for _ in range(2)]
        pads = [self.dice.randint(0, k[i % 2] - 1) for i in range(4)]
        size = [(n + pads[i] + pads[i + 2] - k[i]) // s[i] + 1 for i, n in enumerate((h, w))]
        if min(size) < 1:
            return
        kind = self.dice.choice(["MaxPool <", "AveragePool <", "AveragePool <count_include_pad=1, "])
        self.add(f"{kind}kernel_shape={k}, strides={s}, pads={pads}> ({x})", (c, *size))

    def concat(self) -> None:
        x, (c, h, w) = self.source()
        others = [(name, s[0]) for name, s in self.shapes.items() if s[1:] == (h, w) and s[0] + c < 100]
        if not others:
            return
        other, more = self.dice.choice(others)
        self.add(f"Concat <axis=1> ({x}, {other})", (c + more, h, w))

    def cut(self) -> None:
        x, shape = self.source()
        axis = self.dice.randint(0, 2)
        start = self.dice.randint(0, shape[axis] - 1)
        end, step = self.dice.randint(start + 1, shape[axis]), self.dice.choice([1, 1, 2])
        size = list(shape)
        size[axis] = -(-(end - start) // step)
        bounds = [self.integers(n) for n in (start, end, axis + 1, step)]
        self.add(f"Slice ({x}, {', '.join(bounds)})", (size[0], size[1], size[2]))

    def shuffle(self) -> None:
        x, (c, h, w) = self.source()
        groups = [d for d in (2, 3, 4) if c % d == 0]
        if groups:
            self.add(f"mexport.ChannelShuffle <group={self.dice.choice(groups)}> ({x})", (c, h, w))

    def norm(self) -> None:
        x, (c, h, w) = self.source()
        arrays = [self.constant(c), self.constant(c), self.constant(c), self.constant(c, low=0.5)]
        self.add(f"BatchNormalization ({x}, {', '.join(arrays)})", (c, h, w))

    def resize(self) -> None:
        x, (c, h, w) = self.source()
        if c * h * w > 500:
            return
        mode = self.dice.choice(["nearest", "linear"])
        where = self.dice.choice(["half_pixel", "asymmetric", "align_corners"])
        scale = [self.dice.randint(1, 3) for _ in range(2)]
        height, width = h * scale[0], w * scale[1]
        modes = f'mode="{mode}", coordinate_transformation_mode="{where}", axes=[2,3]'
        self.add(f"Resize <{modes}> ({x}, , , {self.integers(height, width)})", (c, height, width))

    def text(self) -> str:
        unread = [n for n in self.shapes if n != "x" and not any(n in line.split("=", 1)[1] for line in self.lines)] or [self.last]
        outputs = ", ".join(f"float[N,a,b,c] {name}" for name in dict.fromkeys([self.last, *unread]))
        first = ",".join(map(str, self.shapes["x"]))
        return f"g (float[N,{first}] x) => ({outputs}) {{ " + "  ".join(self.lines) + " }"


STEPS = ("conv", "conv", "transposed", "activation", "arithmetic", "gate", "pool", "concat", "cut", "shuffle", "norm", "resize")


def sketch(seed: int, steps: list[str]) -> Sketch:
    made = Sketch(seed)
    for step in steps:
        getattr(made, step)()
    if not made.lines:
        made.activation()
    return made


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32 - 1), st.lists(st.sampled_from(STEPS), min_size=1, max_size=9))
def test_random_graphs_agree_with_onnxruntime(seed: int, steps: list[str]) -> None:
    made = sketch(seed, steps)
    text = made.text()
    graph = graph_from_text(text, {k: v for k, v in made.arrays.items() if k in text})
    with tempfile.TemporaryDirectory() as folder:
        artifact, session = written(graph, Path(folder))
        found = rels(graph, artifact, session, seed=seed % 1000)
    # float32 rounding, carried through up to nine layers of random gains
    assert {value: rel for value, rel in found.items() if not rel <= 1e-4} == {}, text
