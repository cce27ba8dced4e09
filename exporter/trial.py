"""Try models: count right answers, and take times. What `mexport eval` and `mexport bench` call."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from exporter.accuracy import Run, score
from exporter.building.inputs import preprocessing_of
from exporter.building.options import PixelOptions
from exporter.building.stages import finished_graph, input_specs, raw_graph
from exporter.bundle import find_bundles
from exporter.console import Console
from exporter.data import InputSpec, open_data
from exporter.devices.container import ContainerLauncher, launchers
from exporter.errors import DataError, UsageError
from exporter.latency import Latency, measure, versus
from exporter.place import ADB, DOCKER, HOST, host_name, require_kind
from exporter.preprocessing import Preprocessing, make
from exporter.proving.phone import bench_on_phone
from exporter.proving.subject import BARE, Subject, only_scores, subjects
from exporter.sources.open import LoadOptions, open_source
from exporter.store import Store

Shapes = Mapping[str | None, tuple[int, ...]]
Result = dict[str, Any]


def evaluate_paths(
    what: Path,
    data: str,
    *,
    labels: Path | None = None,
    pixels: PixelOptions | None = None,
    scores: str | None = None,
    input_shapes: Shapes | None = None,
    trust: bool = False,
    custom_objects: str | None = None,
    signature: str | None = None,
    threads: int | None = None,
    on: str = HOST,
    cpu: Sequence[str] = (),
    console: Console | None = None,
) -> list[Result]:
    """Accuracy of a bundle, of every bundle in a folder, of a bare file in its engine, or of a source model in its framework.

    Args:
        what: Which.
        data: Labelled data.
        labels: File with one class name a line; a bundle's own where there is one.
        pixels: Overrides the bundle's preprocessing.
        scores: Name of the output that holds the scores, of several.
        input_shapes: For a model or file that does not tell.
        trust: Run code that the model or the data brings along.
        custom_objects: Module with a Keras model's own layers.
        signature: Which signature of a SavedModel.
        threads: Of the engine.
        on: Where: "host", "docker:arm64" or "docker:armv7"; elsewhere than here bundles and bare files only.
        cpu: Cores that are emulated; none for one of each kind of arithmetic.
        console: Where progress goes.

    Raises:
        DataError: If the data have no labels, or do not fit the model.
    """
    place = require_kind(on, HOST, DOCKER, what="eval")
    if place.is_host and cpu:
        raise UsageError("--cpu is for emulated ARM", hint="add --on docker:arm64")
    said, shapes, voice = pixels or PixelOptions(), input_shapes or {}, console or Console(quiet=True)
    trial = _Trial(data, labels, scores, trust, voice)
    if (what.suffix in BARE and what.suffix != ".onnx") or holds_bundles(what):
        found = subjects(what, threads=threads, shapes=shapes)
        cores = [None] if place.is_host else launchers(place.name, cpu, voice.say)
        return [trial.subject(s, said, core) for s in found for core in cores]
    if not place.is_host:
        raise UsageError(f"--on {on}: {what.name} is a source model, whose framework runs here only", hint="give a bundle")
    return [trial.source(what, said, LoadOptions(shapes, trust=trust, custom_objects=custom_objects, signature=signature))]


def holds_bundles(path: Path) -> bool:
    """Whether a folder is a bundle or holds some; a SavedModel folder is and holds none."""
    try:
        return path.is_dir() and bool(find_bundles(path, check=False))
    except UsageError:
        return False


class _Trial:
    """The data and the way to count, for one model after the other."""

    def __init__(self, data: str, labels: Path | None, scores: str | None, trust: bool, console: Console) -> None:
        self.data, self.labels, self.scores, self.trust, self.console = data, labels, scores, trust, console

    def subject(self, subject: Subject, said: PixelOptions, core: ContainerLauncher | None = None) -> Result:
        specs = subject.specs()
        prep = {s.name: self._preprocessing(subject, s, said) for s in specs}
        own = subject.path.parent / "labels.txt"
        if core is not None:
            core.platform.require_engine(subject.runtime)
        with subject.open(core) as engine:
            name = f"{engine.facts['engine']} {engine.facts['version']}"
            labels = own if self.labels is None and subject.manifest is not None and own.is_file() else self.labels
            return {
                "name": subject.name,
                "engine": name,
                **({} if core is None else {"on": f"docker:{core.platform.name}", "cpu": core.core and core.core.name}),
                **self._count(specs, prep, labels, lambda x: self._scores(subject.run(engine, x))),
            }

    def source(self, path: Path, said: PixelOptions, options: LoadOptions) -> Result:
        with Store() as store, open_source(path, options) as source:
            raw = raw_graph(source, options, store)
            specs = input_specs(finished_graph(raw)[0])
            prep = preprocessing_of(raw, specs, said)
            counted = self._count(specs, prep, self.labels, lambda x: self._scores(source.reference(x)))
            return {"name": path.name, "engine": f"{source.info.framework} {source.info.version}", **counted}

    def _count(self, specs: Sequence[InputSpec], prep: Mapping[str, Preprocessing], labels: Path | None, run: Run) -> Result:
        data = open_data(self.data, specs, prep, labels=labels, trust=self.trust)
        if any(p.assumed for p in prep.values()):
            self.console.warn("nothing tells the input's range: mean 0 and std 1 are assumed; say it with --mean and --std")
        with self.console.progress("evaluating", len(data)) as tick:
            accuracy = score(run, data, tick=tick).as_dict()
        return {**accuracy, "data": self.data, "preprocessing": {name: p.as_dict() for name, p in prep.items()}}

    def _scores(self, outputs: Mapping[str, Any]) -> Any:
        return only_scores(outputs, self.scores)

    def _preprocessing(self, subject: Subject, spec: InputSpec, said: PixelOptions) -> Preprocessing:
        """The bundle's, with what the flags say in its place."""
        if subject.manifest is None:
            return make(spec.channels, mean=said.mean, std=said.std, color=said.color, resize=said.resize)
        kept = Preprocessing.from_dict(subject.manifest["preprocessing"][spec.name])
        assumed = kept.assumed and not said.given
        return Preprocessing(said.mean or kept.mean, said.std or kept.std, said.color or kept.color, said.resize or kept.resize, assumed)


def bench_paths(
    paths: Sequence[Path],
    *,
    runs: int = 50,
    warmup: int = 5,
    pairs: int = 200,
    input_shapes: Shapes | None = None,
    threads: int | None = None,
    seed: int = 0,
    on: str = "host",
    console: Console | None = None,
) -> dict[str, Any]:
    """Times of files in their engines; the first of several against each other one, interleaved.

    Args:
        paths: Bundles, folders of bundles, bare files.
        runs: Timed runs of each.
        warmup: Untimed runs before.
        pairs: Interleaved pairs of a comparison.
        input_shapes: For files that do not tell.
        threads: Of the engines; None for each bundle's own, or 1.
        seed: Of the noise that is fed, and of the bootstrap.
        on: Where: "host", or "adb:SERIAL" for a phone.
        console: Where progress goes.

    Returns:
        on, kind, host, threads, runs, results (statistics and every sample of each file), comparisons (ratio, interval, every pair);
        from a phone also device and cores.
    """
    place = require_kind(on, HOST, ADB, what="bench")
    voice = console or Console(quiet=True)
    found = [s for path in paths for s in subjects(path, threads=threads, shapes=input_shapes)]
    if not found:
        raise DataError("nothing to time", hint="give bundles or files")
    if not place.is_host:
        return bench_on_phone(found, place.name, runs=runs, warmup=warmup, pairs=pairs, seed=seed, console=voice)
    results = [{"name": s.name, **_latency(s, runs, warmup, seed, voice).as_dict()} for s in found]
    comparisons = [_versus(found[0], other, pairs, seed, voice) for other in found[1:]]
    facts = {"on": HOST, "kind": "native", "host": host_name(), "threads": found[0].threads, "runs": runs}
    return {**facts, "results": results, "comparisons": comparisons}


def _latency(subject: Subject, runs: int, warmup: int, seed: int, console: Console) -> Latency:
    with console.stage(f"timing {subject.name}"):
        return measure(subject.open, subject.noise(seed), runs=runs, warmup=warmup, threads=subject.threads)


def _versus(a: Subject, b: Subject, pairs: int, seed: int, console: Console) -> dict[str, Any]:
    with console.progress(f"{a.name} against {b.name}", pairs) as tick:
        result = versus((a.open, a.noise(seed)), (b.open, b.noise(seed)), pairs=pairs, seed=seed, tick=tick)
    return {"a": a.name, "b": b.name, **result.as_dict()}
