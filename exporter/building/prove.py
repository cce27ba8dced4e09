"""The proof of one written file: run it in its engine, hold it against the Graph and against the source."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from exporter.array import Array
from exporter.building.basis import Basis
from exporter.building.clock import Clock
from exporter.building.common import Common
from exporter.building.order import Order
from exporter.child import Child
from exporter.errors import MexportError
from exporter.formats import Artifact
from exporter.graph import Graph
from exporter.graph.ports import to_graph, to_source
from exporter.parity import Limits
from exporter.proving.layers import Layer, compare_layers, first_divergence
from exporter.proving.proof import Finding, Findings, breached, endings, fidelity, parity, require, run_artifact, value_shapes
from exporter.quantization.integer_floor import integer_floor_db
from exporter.runtimes.run import open_engine
from exporter.runtimes.settings import depthwise_error

LEEWAY_DB = 6.0
"""Below the floor measured with few draws: real engines lay up to so much lower."""

LEAST_DB = 3.0
"""No limit of parity falls below: outputs that are all zero have 0 dB."""

ENGINE_LIMIT_S = 900.0
"""Time limit of an engine on all samples: a big net on a busy computer takes minutes."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What running a file showed.

    Attributes:
        parity: File against Graph, by source output name.
        fidelity: File against the source's own outputs, likewise.
        outputs: The file's outputs, by source name and layout.
        engine: The engine's facts: name, version, load_ms, ...
        limits: What was held: the target's, or wider where float32 cannot tell so much on these samples.
    """

    parity: Findings
    fidelity: Findings
    outputs: dict[str, Array]
    engine: dict[str, Any]
    limits: Limits


def prove(common: Common, order: Order, basis: Basis, artifact: Artifact, clock: Clock) -> Proof:
    """Run a file on the samples and compare.

    Raises:
        ParityError: If it leaves the Graph it was written from or, where nothing may be lost, the source; says by how much and in
            which layer it begins.
        EngineError: If the engine refuses the file, crashes or takes too long.
    """
    graph, inputs = common.graph, to_graph(common.graph.inputs, common.samples)
    runtime = order.target.runtime
    with (
        clock.stage("run"),
        common.console.stage(f"running {artifact.path.name} in {runtime}"),
        open_engine(runtime, artifact.path, threads=order.threads, options=order.runtime_options, timeout_s=ENGINE_LIMIT_S) as engine,
    ):
        got = _outputs(graph, artifact, engine, inputs)
        found = parity(graph, basis.values, got)
        limits = common.fair(order.limits, found)
        where = None
        if breached(found, limits):
            layers = compare_layers(graph, artifact, engine, inputs, written=basis.graph)
            if order.quantized and not any(layer.wrong(limits) for layer in layers):
                limits, said = fair_to_integers(basis, runtime, inputs, limits)
                if said is not None:
                    common.remark(said)
            where = _where(layers, limits)
        facts = dict(engine.facts)
    require(found, limits, what=artifact.path.name, against="the graph it was written from", where=where)
    outputs = to_source(graph.outputs, got)
    against = fidelity(graph, common.reference, outputs, inner=None if basis.exact else got)
    if basis.exact:
        limits = common.fair(limits, against)
        _require_fidelity(common, against, limits, artifact)
    elif common.own is not None:
        seen = {name: Finding(f.before or f.output) for name, f in against.items()}
        _require_fidelity(common, seen, order.guard, artifact)
    return Proof(found, against, outputs, facts, limits)


def fair_to_integers(basis: Basis, runtime: str, inputs: Mapping[str, Array], asked: Limits) -> tuple[Limits, str | None]:
    """What two right implementations of a rounded Graph hold against each other on these samples, where less than asked; and why.

    For a file of which every layer is right for what it reads: one wrong layer might hold what a net that spreads flips is held to.
    """
    floor = min(integer_floor_db(basis.graph, inputs, list(basis.values), depthwise=depthwise_error(runtime)).values())
    wide = max(floor - LEEWAY_DB, LEAST_DB)
    if asked.min_sqnr_db is None or wide >= asked.min_sqnr_db:
        return asked, None
    said = (
        f"{runtime}: a step of float rounding moves this int8 net's outputs by {floor:.1f} dB, as integers flip and flips spread: "
        f"{wide:.1f} dB between file and Graph count as equal"
    )
    return replace(asked, min_sqnr_db=wide), said


def _outputs(graph: Graph, artifact: Artifact, engine: Child, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Outputs as the engine really computes them; inner values in a run of their own, as asking for them may change how it runs."""
    shapes = value_shapes(graph)
    got = run_artifact(engine, artifact, shapes, inputs)
    inner = [e.value for e in endings(graph).values() if e.value in artifact.taps]
    return {**run_artifact(engine, artifact, shapes, inputs, inner), **got} if inner else got


def _where(layers: list[Layer], asked: Limits) -> str:
    layer = first_divergence(layers, asked)
    if layer is None:
        return "none but the output itself"
    itself = layer.wrong(asked)
    return f"{layer.layer} ({layer.op}), {f'{itself} for what it reads' if itself else f'rel {layer.comparison.rel:.1e}'}"


def _require_fidelity(common: Common, found: Findings, asked: Limits, artifact: Artifact) -> None:
    """The source's own outputs must be met too; when they are not though the file is right, the reading is to blame."""
    against = f"{common.source.info.framework}'s own outputs"
    try:
        require(found, asked, what=artifact.path.name, against=against)
    except MexportError as problem:
        raise common.blame_reading() or problem from None
