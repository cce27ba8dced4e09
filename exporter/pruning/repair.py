"""Least squares: the weights that are left make up for the channels that are gone, layer after layer.

    W' = W + (Y - W X) X' (X X' + lambda I)^-1        lambda = ridge * trace(X X') / n

Y is what the layer makes in the whole Graph, X what it reads in the pruned one, whose layers before it are repaired already; both are
centred, so that the bias (or the mean of the batch norm that follows) takes up what they differ by on average. Samples are streamed
through onnxruntime; memory holds the moments of one layer and the targets of all at a few places of each sample.
Sources: Luo et al. 2017, https://arxiv.org/abs/1707.06342; He et al. 2017, https://arxiv.org/abs/1707.06168.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.channels.layers import Layer, following_norm, layers_of
from exporter.graph import Graph, attr, const
from exporter.passes.rewrite import flushed
from exporter.pruning.streaming import Known, streamed
from exporter.pruning.windows import Places

RIDGE = 1e-4
PLACES = 10
"""Of each sample."""

Tick = Callable[[int], None]


@dataclass(slots=True)
class _Sums:
    """Sums over rows of numbers, of each group: x x', x r', x and r; r is what the layer still lacks."""

    count: int
    xx: Array
    xr: Array
    x: Array
    r: Array


def repair(
    whole: Graph, pruned: Graph, kept: Mapping[str, Array], samples: Mapping[str, Array], *, ridge: float = RIDGE, places: int = PLACES,
    seed: int = 0, tick: Tick = lambda done: None,
) -> Graph:  # fmt: skip
    """The pruned Graph with weights that bring each layer near to what it made before.

    Args:
        whole: The Graph before pruning.
        pruned: What is left of it, under the same names; stays as it is.
        kept: Output channels of the whole Graph that each layer has kept, by layer name; see `Plan.kept`.
        samples: Inputs by Graph input name, in Graph layout; some 500.
        ridge: See above.
        places: Of each sample's map.
        seed: Of the places.
        tick: Told the number of layers done.

    Returns:
        A Graph of the same shapes. Left alone: ConvTranspose, weights that several layers share, and layers before the first cut.
    """
    result = pruned.clone()
    layers, before = layers_of(result), layers_of(whole)
    wanted = [name for name in _changed(whole, before, layers) if _solvable(layers[name])]
    where = {name: Places(before[name], places, seed) for name in wanted}
    targets = _targets(whole, kept, where, samples)
    known, done = Known(samples), 0
    for value, names in _by_input(layers, wanted).items():
        known.learn(result, value)
        sums = _moments(result, value, {n: (layers[n], where[n], targets.pop(n)) for n in names}, known.values)
        for name in names:
            _solve(layers[name], sums[name], ridge)
            done += 1
            tick(done)
    return result


def _changed(whole: Graph, before: Mapping[str, Layer], after: Mapping[str, Layer]) -> list[str]:
    """Layers whose results differ from those of the whole Graph, in its order."""
    touched: set[str | None] = set()
    found = []
    for node in whole.nodes:
        name = str(node.outputs[0].name)
        lost = name in before and not before[name].depthwise and after[name].columns < before[name].columns
        if lost or any(v is not None and v.name in touched for v in node.inputs):
            touched |= {v.name for v in node.outputs}
            found += [name] if name in before else []
    return found


def _solvable(layer: Layer) -> bool:
    node, weight = layer.node, layer.node.inputs[1]
    plain = attr(node, "alpha", 1.0) == attr(node, "beta", 1.0) == 1.0
    return plain and node.op_type != "ConvTranspose" and weight is not None and len(weight.uses()) == 1


def _by_input(layers: Mapping[str, Layer], wanted: list[str]) -> dict[str, list[str]]:
    """Layers that read one value are repaired together."""
    found: dict[str, list[str]] = {}
    for name in wanted:
        value = layers[name].node.inputs[0]
        assert value is not None
        found.setdefault(str(value.name), []).append(name)
    return found


def _targets(graph: Graph, kept: Mapping[str, Array], where: Mapping[str, Places], samples: Mapping[str, Array]) -> dict[str, Array]:
    """What each layer makes in the whole Graph: (rows of numbers, channels kept), float32."""
    parts: dict[str, list[Array]] = {name: [] for name in where}
    for first, found in streamed(graph, list(where), samples) if where else ():
        for name in where:
            parts[name].append(where[name].made(found[name], first)[:, kept[name]])
    return {name: np.concatenate(rows) for name, rows in parts.items()}


def _moments(graph: Graph, value: str, wanted: Mapping[str, tuple[Layer, Places, Array]], samples: Mapping[str, Array]) -> dict[str, _Sums]:
    """Sums for all layers that read one value."""
    sums: dict[str, _Sums] = {}
    starts = dict.fromkeys(wanted, 0)
    for first, found in streamed(graph, [value], samples):
        for name, (layer, places, target) in wanted.items():
            rows = Places(layer, places.count, places.seed).read(found[value], first)
            y = target[starts[name] : starts[name] + len(rows)]
            starts[name] += len(rows)
            _add(sums, name, layer, rows.astype(np.float64), y.astype(np.float64))
    return sums


def _add(sums: dict[str, _Sums], name: str, layer: Layer, rows: Array, y: Array) -> None:
    groups = layer.groups
    x = rows.reshape(len(rows), groups, -1).swapaxes(0, 1)
    table = layer.table(layer.weight).astype(np.float64)
    weight = table.reshape(groups, table.shape[1], -1)
    lacks = y.reshape(len(y), groups, -1).swapaxes(0, 1) - x @ weight.swapaxes(1, 2) - _bias(layer).reshape(groups, 1, -1)
    turned = x.swapaxes(1, 2)
    parts = turned @ x, turned @ lacks, x.sum(1), lacks.sum(1)
    if name not in sums:
        sums[name] = _Sums(len(rows), *parts)
    else:
        have = sums[name]
        have.count += len(rows)
        have.xx, have.xr, have.x, have.r = have.xx + parts[0], have.xr + parts[1], have.x + parts[2], have.r + parts[3]


def _solve(layer: Layer, sums: _Sums, ridge: float) -> None:
    """Write the weights, and the bias or the mean of the batch norm that follows."""
    n, movable = sums.count, _movable(layer)
    mean_x, mean_r = sums.x / n, sums.r / n
    shift = 1.0 if movable else 0.0
    xx = sums.xx / n - shift * mean_x[:, :, None] * mean_x[:, None, :]
    xr = sums.xr / n - shift * mean_x[:, :, None] * mean_r[:, None, :]
    size = xx.shape[1]
    weighed = ridge * np.trace(xx, axis1=1, axis2=2) / size + np.finfo(np.float64).tiny
    more = np.linalg.solve(xx + weighed[:, None, None] * np.eye(size), xr)
    table = layer.table(layer.weight).astype(np.float64)
    changed = table + more.swapaxes(1, 2).reshape(table.shape)
    _write(layer.node.inputs[1], layer.untable(changed, layer.kernel))
    if movable:
        _move(layer, (mean_r - (mean_x[:, None, :] @ more)[:, 0]).reshape(-1))


def _bias(layer: Layer) -> Array:
    found = const(layer.bias)
    return np.zeros(layer.rows) if found is None else np.broadcast_to(found.astype(np.float64).reshape(-1), (layer.rows,))


def _movable(layer: Layer) -> bool:
    """Whether a constant can be added to what the layer makes."""
    if layer.bias is not None:
        return len(layer.bias.uses()) == 1
    norm = following_norm(layer)
    return norm is not None and norm.inputs[3] is not None and len(norm.inputs[3].uses()) == 1


def _move(layer: Layer, by: Array) -> None:
    if layer.bias is not None:
        _write(layer.bias, _bias(layer) + by)
        return
    norm = following_norm(layer)
    assert norm is not None
    mean = const(norm.inputs[3])
    assert mean is not None
    _write(norm.inputs[3], mean - by)


def _write(value: ir.Value | None, array: Array) -> None:
    assert value is not None
    value.const_value = ir.tensor(flushed(array), name=value.name)
    value.shape = ir.Shape(array.shape)
