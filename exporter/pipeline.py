"""The whole flow on one page: plan(), compress() and build().

source -> raw Graph -> cleaned and folded -> checked by every writer -> per target: written, run in its engine, compared, bundled.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from exporter.building import deliver, fastest, model_files
from exporter.building.arm import check_engine
from exporter.building.clock import Clock, process_age_s
from exporter.building.common import Common
from exporter.building.compressed import Aim, compressed_key
from exporter.building.deliver import Outcome
from exporter.building.limits import check_checkable
from exporter.building.model_files import ModelFiles
from exporter.building.options import BuildOptions
from exporter.building.order import Order, identity, order
from exporter.building.quantized import check_layers
from exporter.building.record import source_facts
from exporter.bundle import check_place
from exporter.console import Console
from exporter.disk import as_disk_error
from exporter.errors import MexportError, UnsupportedOpError, UsageError
from exporter.formats import load_writer
from exporter.formats.artifact import Problem
from exporter.place import DOCKER, HOST, require_kind
from exporter.recipe import Recipe
from exporter.sources.open import Source, open_source
from exporter.store import Store
from exporter.target import Target, load_target

ModelSource = str | Path | Source
"""A .keras, .h5 or .onnx file, a SavedModel folder, or one of them opened with the load options of the call, which closes it."""

OneTarget = str | Path | Target
Targets = Sequence[OneTarget]


def build(
    source: ModelSource, target: OneTarget, recipe: Recipe | None = None, *, console: Console | None = None, **settings: Any
) -> Outcome:
    """Build for one target.

    Args:
        source: The model.
        target: A shipped target's name, a TOML file, or a Target.
        recipe: How inputs are made, and compression passes.
        console: Where progress goes; None for nowhere.
        settings: Fields of `BuildOptions`.

    Raises:
        MexportError: What went wrong, each kind its own class.
    """
    outcome = build_all(source, [target], recipe, console=console, **settings)[0]
    if outcome.error is not None:
        raise outcome.error
    return outcome


def build_all(
    source: ModelSource,
    targets: Sequence[str | Path | Target],
    recipe: Recipe | None = None,
    *,
    console: Console | None = None,
    **settings: Any,
) -> list[Outcome]:
    """Build for several targets, which share the common stages and stand alone: one that fails leaves the others' bundles.

    Raises:
        MexportError: If a common stage fails; a target's own failure is in its Outcome.
    """
    options, chosen, recipe = BuildOptions.of(settings), _chosen(targets), recipe or Recipe()
    voice = console or Console(quiet=True)
    clock = Clock(process_age_s() if options.command else 0.0)
    require_kind(options.on, HOST, DOCKER, what="build")
    _require_use(options, recipe)
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(Store())
        with clock.stage("open"):
            opened = stack.enter_context(_opened(source, options))
        common = Common(opened, options, store, clock, voice, recipe=recipe, aim=Aim.of(chosen, options.threads))
        orders = [ordered(common, target, recipe) for target in chosen]
        outcomes = {o.target.name: done for o, *_ in orders if (done := deliver.present(common, o)) is not None}
        rest = [tried for tried in orders if tried[0].target.name not in outcomes]
        for tried in rest:
            if (error := refused(common, tried)) is not None:
                outcomes[tried[0].target.name] = Outcome(tried[0].target.name, error=error)
        rest = [tried for tried in rest if tried[0].target.name not in outcomes]
        if any(o.quantize is not None for tried in rest for o in tried):
            common.calibrated  # noqa: B018 - data that cannot calibrate end the whole build
        for tried in rest:
            outcomes[tried[0].target.name] = _attempt(common, tried)
    return [outcomes[t.name] for t in chosen]


def compress(source: ModelSource, recipe: Recipe, *, console: Console | None = None, **settings: Any) -> ModelFiles:
    """The first half of a build: a smaller model in the form it came in, to be trained on, exported, or given to `build`.

    Args:
        source: The model.
        recipe: The passes.
        console: Where progress goes; None for nowhere.
        settings: Fields of `BuildOptions`; `output` is the folder of `MODEL.keras`, `MODEL.onnx` and `record.json`.

    Raises:
        MexportError: What went wrong, each kind its own class.
    """
    options, voice = BuildOptions.of(settings), console or Console(quiet=True)
    if not recipe.passes:
        raise UsageError("nothing to do: the recipe has no passes", hint='name one: `[[pass]]`, `name = "PruneChannels"`, `macs = 0.5`')
    with Store() as store, _opened(source, options) as opened:
        common = Common(opened, options, store, Clock(), voice, recipe=recipe, aim=Aim(threads=options.threads or 1))
        if not options.force and (there := model_files.present(options.output, compressed_key(common))) is not None:
            return there
        model_files.check_place(common)
        made = common.compressed
        assert made is not None
        return model_files.write(common, made)


def ordered(common: Common, target: Target, recipe: Recipe) -> list[Order]:
    """What is to be made for a target: one order, or with --fastest one for each precision that is tried."""
    return fastest.orders(common, target, recipe) if common.options.fastest else [order(common, target, recipe)]


def problems_of(common: Common, order: Order) -> Sequence[Problem]:
    """Layers that the order's format cannot express, or that are slow there.

    Raises:
        UsageError: If a layer is to stay float that is not in the graph, for any target.
    """
    check_layers(common.finished, frozenset(common.options.keep_float))
    return load_writer(order.target.format).check(common.finished)


def refused(common: Common, tried: Sequence[Order]) -> MexportError | None:
    """Why a target's file cannot be made, as far as it is known before anything slow is done; or None."""
    order = tried[0]
    try:
        check_place(order.folder, identity(common, order), force=common.options.force)
        check_checkable(common, order)
        check_engine(common.options, order)
    except MexportError as problem:
        return problem
    return unsupported(order.target, problems_of(common, order))


def plan(source: ModelSource, targets: Targets, recipe: Recipe | None = None, **settings: Any) -> dict[str, Any]:
    """What `build` would do, without doing it: settings as they come out of target, recipe and flags, passes, problems, bundles."""
    options, chosen, recipe = BuildOptions.of(settings), _chosen(targets), recipe or Recipe()
    require_kind(options.on, HOST, DOCKER, what="build")
    _require_use(options, recipe)
    with Store() as store, _opened(source, options) as opened:
        common = Common(opened, options, store, Clock(), Console(quiet=True), recipe=recipe, aim=Aim.of(chosen, options.threads))
        return {
            "source": source_facts(common),
            "targets": [plan_of(common, ordered(common, target, recipe)) for target in chosen],
            "notes": common.notes,
        }


def plan_of(common: Common, tried: Sequence[Order]) -> dict[str, Any]:
    """One target's part of a plan."""
    order = tried[0]
    problems = problems_of(common, order)
    there = deliver.present(common, order)
    return {
        "target": order.target.name, "format": order.target.format, "precision": order.precision, "write": asdict(order.options),
        "quantize": order.quantize and {**asdict(order.quantize), "keep_float": sorted(order.quantize.keep_float)},
        "fastest_of": [o.precision for o in tried] if len(tried) > 1 else None,
        "threads": order.threads, "runtime_options": order.runtime_options, "folder": str(order.folder), "up_to_date": there is not None,
        "passes": [*common.steps[:1], *_asked(order.recipe), *common.steps[1:]],
        "preprocessing": {name: prep.as_dict() for name, prep in common.preprocessing.items()},
        "problems": [asdict(p) for p in problems],
    }  # fmt: skip


def _asked(recipe: Recipe) -> list[dict[str, Any]]:
    """A recipe's passes as steps to come."""
    return [{"pass": p["name"], "settings": {k: v for k, v in p.items() if k != "name"}} for p in recipe.as_dict()["passes"]]


def unsupported(target: Target, problems: Sequence[Problem]) -> UnsupportedOpError | None:
    """The error that names all layers that a format cannot express, or None."""
    fatal = [p for p in problems if p.fatal]
    if not fatal:
        return None
    named = "; ".join(f"{p.layer} ({p.op}): {p.reason}" for p in fatal)
    count = f"{len(fatal)} layer{'s' if len(fatal) > 1 else ''}"
    return UnsupportedOpError(f"{target.format} cannot express {count}: {named}", hint="cut the model before them with --outputs A,B")


def _opened(source: ModelSource, options: BuildOptions) -> Source:
    return source if isinstance(source, Source) else open_source(Path(source), options.load_options())


def _require_use(options: BuildOptions, recipe: Recipe) -> None:
    """Data that nothing is trained with are a mistake."""
    if options.train is not None and not recipe.passes and options.qat is None:
        raise UsageError(
            f"--train {options.train}: nothing is trained", hint="--macs 0.5 prunes and trains, --minutes 10 trains, --qat 10 trains int8"
        )


def _chosen(targets: Targets) -> list[Target]:
    chosen = [t if isinstance(t, Target) else load_target(t) for t in targets]
    if not chosen:
        raise UsageError("no target given", hint="--target ncnn-arm64; `mexport targets list` shows all")
    names = [t.name for t in chosen]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise UsageError(f"target given twice: {', '.join(twice)}", hint="name each target once")
    return chosen


def _attempt(common: Common, tried: Sequence[Order]) -> Outcome:
    """One target's own work; its failure is its own."""
    order = tried[0]
    try:
        return fastest.deliver_fastest(common, tried) if common.options.fastest else deliver.deliver(common, order)
    except MexportError as problem:
        return Outcome(order.target.name, error=problem)
    except Exception as problem:
        ours = as_disk_error(problem) if isinstance(problem, OSError) else None
        said = (str(problem).strip() or "no message").splitlines()[0]
        error = ours or MexportError(f"{type(problem).__name__}: {said}", hint="this is a defect of mexport: run with -v and report it")
        error.__cause__ = problem
        return Outcome(order.target.name, error=error)
