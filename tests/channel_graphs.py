"""Random small Graphs with every kind of tie between channels, as text."""

import numpy as np

from exporter.array import Array

KINDS = ("conv", "norm", "relu", "residual", "concat", "depthwise", "grouped", "shuffle", "excite", "slice", "pool")


class Writer:
    """Writes a Graph of one straight line with branches, block by block."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.lines: list[str] = []
        self.inits: dict[str, Array] = {}
        self.value, self.channels, self.count = "x", 3, 0

    def name(self) -> str:
        self.count += 1
        return f"v{self.count}"

    def weight(self, *shape: int) -> str:
        name = f"w{len(self.inits)}"
        self.inits[name] = self.random.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
        return name

    def node(self, text: str) -> str:
        name = self.name()
        self.lines.append(f"{name} = {text}")
        return name

    def conv(self, x: str, read: int, made: int, group: int = 1) -> str:
        return self.node(f"Conv <group = {group}> ({x}, {self.weight(made, read // group, 1, 1)}, {self.weight(made)})")

    def add(self, kind: str, width: int) -> None:
        c, x = self.channels, self.value
        if kind == "conv":
            self.value, self.channels = self.conv(x, c, width), width
        elif kind == "norm":
            scale, shift, mean = (self.weight(c) for _ in range(3))
            variance = self.weight(c)
            self.inits[variance] = np.abs(self.inits[variance]) + 0.5
            self.value = self.node(f"BatchNormalization ({x}, {scale}, {shift}, {mean}, {variance})")
        elif kind == "relu":
            self.value = self.node(f"Relu ({x})")
        elif kind == "residual":
            self.value = self.node(f"Add ({x}, {self.conv(self.conv(x, c, width), width, c)})")
        elif kind == "concat":
            self.value, self.channels = self.node(f"Concat <axis = 1> ({self.conv(x, c, width)}, {x})"), c + width
        elif kind == "depthwise":
            self.value = self.node(f"Conv <group = {c}, pads = [1, 1, 1, 1]> ({x}, {self.weight(c, 1, 3, 3)})")
        elif kind == "grouped" and c % 2 == 0:
            self.value, self.channels = self.conv(x, c, width, group=2), width
        elif kind == "shuffle" and c % 2 == 0:
            self.value = self.node(f"mexport.ChannelShuffle <group = 2> ({x})")
        elif kind == "excite":
            squeezed = self.node(f"Relu ({self.conv(self.node(f'GlobalAveragePool ({x})'), c, 4)})")
            gate = self.node(f"Sigmoid ({self.conv(squeezed, 4, c)})")
            self.value = self.node(f"Mul ({x}, {gate})")
        elif kind == "slice" and c >= 4:
            for i, bound in enumerate((c // 4, c - 1, 1)):
                self.inits[f"bound{self.count}_{i}"] = np.array([bound])
            bounds = ", ".join(f"bound{self.count}_{i}" for i in range(3))
            self.value, self.channels = self.node(f"Slice ({x}, {bounds})"), c - 1 - c // 4
        elif kind == "pool":
            self.value = self.node(f"MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> ({x})")

    def text(self) -> str:
        self.add("conv", 4)
        last = self.lines.pop().split(" = ", 1)[1]
        return f"g (float[N,3,6,6] x) => (float[N,4,6,6] y) {{ {' '.join(self.lines)} y = {last} }}"


def random_net(blocks: list[tuple[str, int]], seed: int) -> Writer:
    """A convolution of 8 channels, and blocks: kind and width of each."""
    writer = Writer(seed)
    writer.add("conv", 8)
    for kind, width in blocks:
        writer.add(kind, width)
    return writer
