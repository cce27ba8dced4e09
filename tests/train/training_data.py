"""A small net and the sample's pictures, to be trained on."""

import numpy as np

from exporter.array import Array
from exporter.data import Dataset, InputSpec, open_data
from exporter.graph import Graph, Port
from exporter.preprocessing import Preprocessing
from exporter.sample import labels_path, pictures_path
from tests.graphs import graph_from_text

SIZE = 28


def residual_net(seed: int = 0, width: int = 8) -> Graph:
    """A ResNet8's stem, one plain and one halving block on grey 28x28 pictures, channels last outside; untrained, softmax at the end."""
    rng = np.random.default_rng(seed)
    inits: dict[str, Array] = {}
    lines = []

    def conv(x: str, y: str, into: int, out: int, size: int = 3, strides: int = 1) -> None:
        inits[f"w_{y}"] = rng.standard_normal((out, into, size, size)) * np.sqrt(2 / (into * size * size))
        inits.update({f"scale_{y}": np.ones(out), f"shift_{y}": np.zeros(out), f"mean_{y}": np.zeros(out), f"var_{y}": np.ones(out)})
        pads = f"{size // 2}, {size // 2}, {size // 2}, {size // 2}"
        lines.append(f"c_{y} = Conv <strides = [{strides}, {strides}], pads = [{pads}]> ({x}, w_{y})")
        lines.append(f"{y} = BatchNormalization <momentum = 0.9> (c_{y}, scale_{y}, shift_{y}, mean_{y}, var_{y})")

    conv("x", "stem", 1, width)
    lines.append("r0 = Relu (stem)")
    conv("r0", "a1", width, width)
    lines.append("ra = Relu (a1)")
    conv("ra", "a2", width, width)
    lines.append("sa = Add (a2, r0) r1 = Relu (sa)")
    conv("r1", "b1", width, 2 * width, 3, 2)
    lines.append("rb = Relu (b1)")
    conv("rb", "b2", 2 * width, 2 * width)
    conv("r1", "short", width, 2 * width, 1, 2)
    lines.append("sb = Add (b2, short) r2 = Relu (sb) p = GlobalAveragePool (r2) f = Flatten (p)")
    inits.update(dense=rng.standard_normal((10, 2 * width)) * 0.1, bias=np.zeros(10))
    lines.append("l = Gemm <transB = 1> (f, dense, bias) y = Softmax (l)")
    graph = graph_from_text(f"g (float[N,1,{SIZE},{SIZE}] x) => (float[N,10] y) {{ {' '.join(lines)} }}", inits, name="tiny")
    graph.inputs = (Port("pixels", "x", (0, 3, 1, 2)),)
    graph.outputs = (Port("classes", "y", (0, 1)),)
    return graph


def pictures(*, labels: bool = True, layout: str = "nhwc") -> Dataset:
    """The 300 Fashion-MNIST pictures that ship with the package, pixels 0..1, by class."""
    shape = (SIZE, SIZE, 1) if layout == "nhwc" else (1, SIZE, SIZE)
    prep = Preprocessing((0.0,), (255.0,), "gray")
    found = open_data(pictures_path(), [InputSpec("pixels", shape, layout)], {"pixels": prep}, labels=labels_path())
    return found if labels else Dataset(found.samples)
