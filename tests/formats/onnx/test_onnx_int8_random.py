"""Random small graphs in int8: onnxruntime's integers against the pairs computed in float, and the whole way back as a source."""

from pathlib import Path

import numpy as np
import pytest

from exporter.formats import load_writer
from exporter.formats.artifact import WriteOptions
from exporter.graph import Graph
from exporter.graph.evaluate import evaluate
from exporter.graph.strip import strip
from exporter.sources.open import open_source
from tests.formats.onnx.test_onnx_int8 import W, kernels, quantize, run, sqnr_db
from tests.graphs import graph_from_text, random_inputs

SIZE = 8
UNARY = {"leaky": "LeakyRelu", "sigmoid": "Sigmoid", "swish": "HardSwish"}


def random_graph(seed: int) -> Graph:
    """Six to ten layers on maps of 8 x 8, then a dense one; channels 4 to 12."""
    rng = np.random.default_rng(seed)
    inits, lines, maps = {"shape": np.array([0, -1])}, [], [("x", 4)]

    def conv(source: str, channels: int, out: str) -> int:
        kind = rng.integers(3)
        wide = int(rng.integers(4, 13))
        kernel, group = (1, 1) if kind == 0 else (3, channels) if kind == 1 else (3, 1)
        wide = channels if group > 1 else wide
        inits[f"{out}_w"], inits[f"{out}_b"] = W(wide, channels // group, kernel, kernel), rng.normal(size=wide) / 4
        pad = kernel // 2
        lines.append(f"{out} = Conv <group = {group}, pads = [{pad}, {pad}, {pad}, {pad}]> ({source}, {out}_w, {out}_b)")
        return wide

    for i in range(int(rng.integers(6, 11))):
        source, channels = maps[int(rng.integers(max(0, len(maps) - 3), len(maps)))]
        out = f"v{i}"
        other = next((m for m in reversed(maps) if m[0] != source and m[1] == channels), None)
        match rng.choice(["conv", "relu", "clip", "add", "mul", "concat", "pool", "leaky", "sigmoid", "swish", "shuffle"]):
            case "relu" | "clip" as op:
                wide = conv(source, channels, f"{out}c")
                inits |= {"low": np.array(0.0), "high": np.array(1.5)}
                lines.append(f"{out} = Relu ({out}c)" if op == "relu" else f"{out} = Clip ({out}c, low, high)")
                maps.append((out, wide))
            case "add" | "mul" as op if other is not None:
                lines.append(f"{out} = {op.title()} ({source}, {other[0]})")
                maps.append((out, channels))
            case "concat" if other is not None:
                lines.append(f"{out} = Concat <axis = 1> ({source}, {other[0]})")
                maps.append((out, 2 * channels))
            case "pool":
                lines.append(f"{out} = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> ({source})")
                maps.append((out, channels))
            case "leaky" | "sigmoid" | "swish" as op:
                lines.append(f"{out} = {UNARY[op]} ({source})")
                maps.append((out, channels))
            case "shuffle" if channels % 2 == 0:
                lines.append(f"{out} = mexport.ChannelShuffle <group = 2> ({source})")
                maps.append((out, channels))
            case _:
                maps.append((out, conv(source, channels, out)))
    last, wide = maps[-1]
    inits["dense"] = W(5, wide)
    lines += [f"pool = GlobalAveragePool ({last})", "flat = Reshape (pool, shape)", "y = Gemm <transB = 1> (flat, dense)"]
    used = {k: v for k, v in inits.items() if any(k in line for line in lines)}
    return graph_from_text(f"g (float[N,4,{SIZE},{SIZE}] x) => (float[N,5] y) {{ {' '.join(lines)} }}", used)


@pytest.mark.parametrize("seed", range(24))
def test_integers_are_the_pairs(tmp_path: Path, seed: int) -> None:
    graph = random_graph(seed)
    samples = random_inputs(graph, seed, samples=4)
    quantized, _ = quantize(graph, samples)
    artifact = load_writer("onnx").write(quantized, tmp_path, WriteOptions("int8"))
    assert not {"Conv", "FusedConv", "Gemm", "FusedGemm", "MatMul"} & kernels(artifact.path).keys()
    wanted = evaluate(quantized, samples)["y"]
    # 30 dB: ties that float sums decide otherwise, one step each, through ten layers at most; a wrong scale gives some 10 dB
    assert sqnr_db(wanted, run(artifact, samples, ["y"])["y"]) > 30
    with open_source(artifact.path) as source:
        again = source.load()
    assert strip(again)[1].values
    # 60 dB: the same pairs on the same numbers, computed in float in both
    assert sqnr_db(wanted, evaluate(again, samples)["y"]) > 60
