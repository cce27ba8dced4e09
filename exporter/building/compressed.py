"""Compression as a stage of a build: a recipe's passes on the cleaned Graph, kept in the store, with a table of what each gave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from exporter.accuracy import as_by_chance, score
from exporter.array import Array
from exporter.building.stages import Step, source_shape
from exporter.building.versions import content_sha256, identity
from exporter.compression.distill import Distill
from exporter.compression.given import Given
from exporter.compression.run import compress
from exporter.compression.table import Row, table
from exporter.data import Dataset
from exporter.errors import ParityError, UsageError
from exporter.graph import Graph
from exporter.graph.evaluate import evaluate
from exporter.graph.ports import to_graph, to_source
from exporter.passes.run import clean
from exporter.report.curves import curves_svg
from exporter.sources.open import LoadOptions, open_source
from exporter.target import Target
from exporter.train.feed import held_out

if TYPE_CHECKING:
    from exporter.building.common import Common

REPAIR_SAMPLES = 500
"""What is left is repaired with so many at most."""

COUNTED = 2000
"""Of training pictures that nothing was chosen with, at most so many are counted on."""

ASKED = 100
"""Training samples that the model is asked about as it came."""

CHECK = "check --mean, --std, --color, and the order of the classes"

CURVES = "training.svg"

USUAL_STEP = 8
"""Widths are multiples of it without a target."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What compression must know of the targets.

    Attributes:
        format: Whose engine a budget in time is measured in.
        channel_step: Widths worth having are multiples of it.
        threads: Of that engine.
    """

    format: str = "onnx"
    channel_step: int = USUAL_STEP
    threads: int = 1

    @classmethod
    def of(cls, targets: Sequence[Target], threads: int | None) -> "Aim":
        """The first target's engine, with as many threads as the user says; widths that suit all."""
        return cls(targets[0].format, int(np.lcm.reduce([t.channel_step for t in targets])), threads or targets[0].threads)


@dataclass(frozen=True, slots=True)
class Compressed:
    """What a recipe made of a model.

    Attributes:
        key: Of the entry in the store.
        graph: The compressed Graph, batch norms live as they were.
        steps: As the manifest has them.
        table: The model before and after each step.
        facts: What it was trained, repaired and counted with.
    """

    key: str
    graph: Graph
    steps: tuple[Step, ...]
    table: tuple[Row, ...]
    facts: dict[str, Any]


def compressed(common: "Common") -> Compressed:
    """Run the recipe's passes, or take up what the store has of them.

    Raises:
        UsageError: If the source is quantized, or a pass lacks what it needs.
        ParityError: If the model collapsed: it says the same of all samples, or no numbers.
    """
    if common.quantized_source:
        raise UsageError("a quantized source cannot be compressed: its integers are final", hint="give the float model it was made from")
    passes, start = common.recipe.passes, common.cleaned
    key = compressed_key(common)
    _look_at_labels(common)
    given = Given(
        start, _repair_samples(common), common.train_data, common.teacher, common.aim.format, common.aim.channel_step,
        common.aim.threads, common.options.seed, common.store.place("model", key), common.console,
    )  # fmt: skip
    with common.clock.stage("compress"):
        graph, steps = compress(start, passes, given)
    _require_alive(common, graph)
    with common.clock.stage("check"):
        labelled, name = _labelled(common)
        rows = table(given, steps, labelled)
    data = common.train_data
    used = None if data is None else {"samples": len(data), "sha256": data.sha256}
    said = {"training": used, "teacher": common.options.teacher and str(common.options.teacher), "counted_on": name}
    return Compressed(key, graph, tuple(s.as_dict() for s in steps), tuple(rows), said)


def _look_at_labels(common: "Common") -> None:
    """A model forgets what it is not shown, and learns nothing good from pictures that it takes for noise."""
    data, graph = common.train_data, common.cleaned
    if data is None or data.labels is None or len(graph.outputs) != 1 or len(graph.outputs[0].perm) != 2:
        return
    found, count = len(np.unique(data.labels)), source_shape(graph, graph.outputs[0])[-1]
    problems = [f"the training data have {found} of the model's {count} classes: it will forget the others"] if found < count else []
    seen = score(lambda x: _answers(graph, x), data.some(ASKED))
    if as_by_chance(seen.right, seen.n, max(count, 2)):
        problems.append(f"the model as it came gets only {seen.right} of {seen.n} training samples right, as by chance: {CHECK}")
    for said in problems:
        common.notes.append(said)
        common.console.warn(said)


def _answers(graph: Graph, x: Mapping[str, Array]) -> Array:
    """What the first output says."""
    return next(iter(to_source(graph.outputs, evaluate(graph, to_graph(graph.inputs, x))).values()))


def compressed_key(common: "Common") -> str:
    """What the store knows the result by: all that it depends on."""
    options = common.options
    return common.store.key(
        "model", **identity(common.source.info.sha256, common.load_options), passes=list(common.recipe.passes), aim=_aim(common),
        seed=options.seed, train=common.train_data and common.train_data.sha256,
        samples=common.data.sha256 if common.data is not None and common.train_data is None else None,
        teacher=options.teacher and content_sha256(options.teacher),
        preprocessing={name: prep.as_dict() for name, prep in common.preprocessing.items()},
    )  # fmt: skip


def _aim(common: "Common") -> list[Any]:
    """The engine matters where a budget is in time."""
    timed = any(getattr(one, "latency", None) is not None for one in common.recipe.passes)
    return [common.aim.channel_step, *([common.aim.format, common.aim.threads] if timed else [])]


def _repair_samples(common: "Common") -> dict[str, Any] | None:
    """Training samples, else the user's; as Graph inputs."""
    data = common.train_data or common.data
    return None if data is None else to_graph(common.cleaned.inputs, data.pick(REPAIR_SAMPLES)[0])


def teacher_of(common: "Common") -> Graph | None:
    """Another model to learn from, cleaned; None where none is given.

    Raises:
        UsageError: If it is not there.
    """
    path = common.options.teacher
    if path is None:
        return None
    if not Path(path).exists():
        raise UsageError(f"no such teacher: {path}", hint="--teacher MODEL: a .keras, .h5 or .onnx file or a SavedModel folder")
    options = common.options
    with open_source(Path(path), LoadOptions(trust=options.trust, custom_objects=options.custom_objects)) as source:
        graph = source.load().clone()
    clean(graph)
    return graph


def _labelled(common: "Common") -> tuple[Dataset | None, str | None]:
    """What right answers are counted on, and its name: the user's data, else training samples that were held out."""
    data = common.train_data
    if common.options.data is not None:
        return common.labelled, Path(common.options.data).name
    if data is None or data.labels is None:
        return None, None
    trained = [one for one in common.recipe.passes if isinstance(one, Distill)]
    if not trained:
        return data.some(COUNTED), "training samples"
    return held_out(data, trained[-1].held_out, common.options.seed), "held-out training samples, which chose the weights"


def _require_alive(common: "Common", graph: Graph) -> None:
    """A net that lost everything never leaves."""
    got = to_source(graph.outputs, evaluate(graph, to_graph(graph.inputs, common.samples)))
    for name, ref in common.reference.items():
        constant = len(ref) > 1 and np.ptp(got[name], axis=0).max() == 0 < np.ptp(ref, axis=0).max()
        if constant or not np.isfinite(got[name]).all():
            what = "says the same of all samples" if constant else "has outputs that are no numbers"
            raise ParityError(f"the compressed model collapsed: {name} {what}", hint="remove less at once, or train it longer")


def draw_curves(made: Compressed, folder: Path) -> bool:
    """How the trainings went, as `training.svg`; False where nothing was trained."""
    if not any(step["history"] for step in made.steps):
        return False
    before = (made.table[0]["top1"] or {}).get("value")
    (folder / CURVES).write_text(curves_svg(made.steps, before), encoding="utf-8")
    return True
