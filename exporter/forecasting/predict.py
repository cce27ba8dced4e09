"""Latency on known devices, predicted from counts: what `mexport predict` calls."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from exporter.console import Console
from exporter.cost.counting import TIMEOUT_S, Tools
from exporter.cost.prediction.learned import own_devices
from exporter.cost.prediction.published import published
from exporter.errors import UsageError
from exporter.forecasting.caster import Forecaster, Where
from exporter.forecasting.learn import learn
from exporter.proving.subject import Subject, subjects
from exporter.store import Store

RUNTIME = "ncnn"
FLOATS = ("fp32", "fp16")
INTEGERS = ("int8", "mixed")

Shapes = Mapping[str | None, tuple[int, ...]]
Result = dict[str, Any]


def predict_path(
    path: Path,
    device: str,
    *,
    int8: Path | None = None,
    results: Path | None = None,
    core: str | None = None,
    input_shapes: Shapes | None = None,
    timeout_s: float = TIMEOUT_S,
    seed: int = 0,
    tools: Tools | None = None,
    store: Store | None = None,
    devices_folder: Path | None = None,
    console: Console | None = None,
) -> Result:
    """Predict the latency of ncnn files on one device or on all.

    Args:
        path: A bundle, a folder of bundles, or a bare `.param` file with its `.bin`.
        device: A name, an alias, or "all".
        int8: The same net in int8, to be compared.
        results: What `mexport bench --on adb:SERIAL --json` printed: learned of the device before anything is predicted.
        core: Of a new device that is learned of.
        input_shapes: Of a bare file that does not tell them.
        timeout_s: Limit of one run under emulation, in seconds.
        seed: Of the noise that bare files are fed.
        tools: What was built elsewhere.
        store: Where counts are kept; the user's when None.
        devices_folder: Where learned times are kept; the user's when None.
        console: Where progress goes.

    Returns:
        engine, kind, unit, threads, source; learned (what was, else None); results (predictions by file and device); int8 (answers by
        pair of files and device).

    Raises:
        UsageError: For a device that nothing is fitted for, and for files of engines without published tables.
        ToolError: If qemu, its plugin support or a C compiler is missing.
        EngineError: If a file cannot be counted.
    """
    every = [s for p in (path, *([int8] if int8 else ())) for s in subjects(p, threads=1, shapes=input_shapes or {})]
    wanted = only_ncnn(every)
    with store or Store() as kept:
        caster = Forecaster(kept, own_devices(devices_folder), tools, timeout_s, seed, console or Console(quiet=True))
        learned = learn(caster, results, wanted, device, core=core, folder=devices_folder) if results else None
        places = caster.devices(device)
        return {
            "engine": RUNTIME, "kind": "predicted", "unit": "ms", "threads": 1, "source": dict(published().source),
            "learned": learned, "results": [_result(caster, s, places) for s in wanted],
            "int8": [_answer(caster, a, b, places) for a, b in pairs(wanted)],
        }  # fmt: skip


def only_ncnn(every: Sequence[Subject]) -> list[Subject]:
    """The ncnn files; others are left out beside some, and refused alone.

    Raises:
        UsageError: If there is none.
    """
    found = [s for s in every if s.runtime == RUNTIME]
    if not found:
        engines = ", ".join(sorted({s.runtime for s in every}))
        raise UsageError(
            f"no latency is predicted for {engines}: no table of known devices is published for it",
            hint="build for an ncnn target, or time it: `mexport bench`",
        )
    return found


def precision(subject: Subject) -> str:
    """Of a bundle; of a bare file what its options say."""
    if subject.manifest is not None:
        return str(subject.manifest["precision"])
    return "fp16" if subject.options.get("use_fp16_arithmetic") else "fp32"


def pairs(every: Sequence[Subject]) -> Iterator[tuple[Subject, Subject]]:
    """Files of one source, in floats and in int8; two bare files are taken for a pair as they come."""
    for plain in every:
        for other in every:
            if precision(plain) in FLOATS and precision(other) in INTEGERS and _source(plain) == _source(other):
                yield plain, other


def _source(subject: Subject) -> Any:
    return None if subject.manifest is None else subject.manifest["source"]["sha256"]


def _result(caster: Forecaster, subject: Subject, places: Sequence[Where]) -> Result:
    rows = []
    for place in places:
        found = caster.predict(subject, place)
        own = len(caster.own[place.name].times) if place.name in caster.own else 0
        rows.append({**found.as_dict(), "published_as": place.published_as, "own_times": own})
    counts = {core: caster.counted(subject, core).whole.as_dict() for core in sorted({p.core for p in places})}
    return {"name": subject.name, "precision": precision(subject), "counts": counts, "predictions": rows}


def _answer(caster: Forecaster, plain: Subject, int8: Subject, places: Sequence[Where]) -> Result:
    rows = [caster.compare(plain, int8, place).as_dict() for place in places]
    return {"float": plain.name, "int8": int8.name, "precision": precision(plain), "answers": rows}
