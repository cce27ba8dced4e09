"""From a bundle back to the Graph it was written from: out of the store, or from the source again."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from exporter.array import Array
from exporter.building.deliver import LABELS
from exporter.building.describe import describe
from exporter.building.quantized import REAL, ROUNDED, graph_key
from exporter.building.stages import finished_graph, folded_graph, input_specs, raw_graph, reference
from exporter.building.versions import source_key
from exporter.bundle import Bundle, Reference, sha256_file
from exporter.compression.kept import Kept
from exporter.data import open_data
from exporter.disk import Scratch
from exporter.errors import IntegrityError, UsageError
from exporter.formats import Artifact, WriteOptions, load_writer
from exporter.graph import Graph
from exporter.graph.evaluate import evaluate
from exporter.graph.files import load_graph
from exporter.graph.ports import to_graph, to_source
from exporter.preprocessing import Preprocessing
from exporter.proving.equalised import unrounded
from exporter.proving.layers import Layer, compare_layers
from exporter.proving.subject import Subject
from exporter.sources.open import LoadOptions, Source, open_source
from exporter.store import Store


@dataclass(frozen=True, slots=True)
class Written:
    """What a bundle's file was written from.

    Attributes:
        graph: The finished float Graph.
        written: What was written: the same, or the Graph with rounded numbers.
        real: Of a rounded one, that before rounding.
        artifact: The file written again, with its taps.
    """

    graph: Graph
    written: Graph
    real: Graph | None
    artifact: Artifact


MOST_SAMPLES = 16
"""Of the user's samples, at most so many are used."""


@contextlib.contextmanager
def file_again(bundle: Bundle, source: Path | None, trust: bool) -> Iterator[Written]:
    """What a bundle's file was written from, and the file written again.

    Args:
        bundle: The bundle.
        source: Where the source is now, when it has moved.
        trust: Run code that the source brings along.
    """
    with Store() as store, Scratch() as folder:
        graph = graph_of(bundle, source, trust, store)
        rounding = rounded_of(bundle, store)
        written, real = rounding if rounding else (graph, None)
        yield Written(graph, written, real, _written_again(bundle, written, Path(folder)))


def layers_of(bundle: Bundle, source: Path | None, inputs: dict[str, Array], trust: bool, subject: Subject) -> list[Layer]:
    """Every layer that survived in a bundle's file, against the Graph; of rounded files also against the Graph without rounding.

    Args:
        bundle: The bundle.
        source: Where the source is now, when it has moved.
        inputs: By source name, in the source's layout.
        trust: Run code that the source brings along.
        subject: The bundle's file and engine.
    """
    with file_again(bundle, source, trust) as made, subject.open() as engine:
        real = unrounded(made.graph, made.real) if made.real is not None else None
        inner = to_graph(made.graph.inputs, inputs)
        return compare_layers(made.graph, made.artifact, engine, inner, written=made.written, real=real)


def outputs_on(bundle: Bundle, source: Path | None, samples: str, trust: bool) -> Reference:
    """Other samples than the bundle's own, with the source's and the Graph's outputs on them."""
    with Store() as store, _source(bundle, source, trust) as opened:
        options, graph = _options(bundle, trust), graph_of(bundle, source, trust, store)
        rounding = rounded_of(bundle, store)
        written = rounding[0] if rounding else graph
        prep = {name: Preprocessing.from_dict(facts) for name, facts in bundle.manifest["preprocessing"].items()}
        inputs, _ = open_data(samples, input_specs(graph), prep, trust=trust).pick(MOST_SAMPLES)
        values = to_source(graph.outputs, evaluate(written, to_graph(graph.inputs, inputs)))
        return Reference(inputs, reference(opened, options, inputs, store), values)


def graph_of(bundle: Bundle, source: Path | None, trust: bool, store: Store) -> Graph:
    """The finished float Graph of a bundle's source.

    Raises:
        UsageError: If neither the source nor its graph in the store is there.
        IntegrityError: If the source is another file by now.
    """
    options, compression = _options(bundle, trust), bundle.manifest.get("compression")
    if compression is not None:
        return compressed_of(bundle, compression["key"], store)
    found = store.get("graph", source_key(bundle.manifest["source"]["sha256"], options, store))
    if found is not None:
        return finished_graph(load_graph(found))[0]
    with _source(bundle, source, trust) as opened:
        return finished_graph(raw_graph(opened, options, store))[0]


def compressed_of(bundle: Bundle, key: str, store: Store) -> Graph:
    """The finished Graph of a bundle whose source was compressed.

    Raises:
        UsageError: If the store no longer has it.
    """
    found = store.get("model", key)
    made = None if found is None else Kept(found).load(len(bundle.manifest["identity"]["recipe"]) - 1)
    if made is None:
        raise _forgotten(bundle, "compressed", "the same data")
    return folded_graph(made[0].graph)[0]


def _forgotten(bundle: Bundle, what: str, data: str) -> UsageError:
    command = bundle.manifest["command"]
    again = f"`{command} --force`" if command else f"build(..., force=True) on {data}"
    return UsageError(f"the {what} graph of {bundle.path.name} is no longer in the cache", hint=f"{again} makes bundle and graph again")


def rounded_of(bundle: Bundle, store: Store) -> tuple[Graph, Graph] | None:
    """The rounded Graph that a bundle's file was written from, and that before rounding; None where nothing was rounded.

    Raises:
        UsageError: If the store no longer has them: they came from calibration data that a bundle does not hold.
    """
    if bundle.manifest.get("quantization") is None:
        return None
    facts = bundle.manifest
    found = store.get("graph", store.key("graph", **graph_key(facts["build_key"], facts["precision"])))
    if found is None:
        raise _forgotten(bundle, "rounded", "the same calibration data")
    return load_graph(found / ROUNDED), load_graph(found / REAL)


def _options(bundle: Bundle, trust: bool) -> LoadOptions:
    """How the source was read; that it was trusted then is no leave to run its code now."""
    options = LoadOptions.from_json(bundle.manifest["load"])
    if options.trust and not trust:
        raise UsageError(f"{bundle.path.name} was built with --trust", hint="add --trust to run the source's own code again")
    return replace(options, trust=trust)


def _source(bundle: Bundle, moved: Path | None, trust: bool) -> Source:
    facts = bundle.manifest["source"]
    path = moved or (bundle.path / facts["path"])
    if not path.exists():
        raise UsageError(f"the source of {bundle.path.name} is not at {path}", hint="say where it is with --source PATH")
    opened = open_source(path, _options(bundle, trust))
    if opened.info.sha256 != facts["sha256"]:
        raise IntegrityError(f"{path} is not the source of {bundle.path.name}: its sha256 differs", hint="give the right one with --source")
    return opened


def _written_again(bundle: Bundle, graph: Graph, folder: Path) -> Artifact:
    """The same graph gives the same bytes: so the writer's word on which tensor is which layer holds for the bundle's file."""
    facts = bundle.manifest
    artifact = load_writer(facts["target"]["format"]).write(graph, folder, WriteOptions(**facts["write"]))
    labels = bundle.path / LABELS
    prep = {name: Preprocessing.from_dict(said) for name, said in facts["preprocessing"].items()}
    describe(artifact, graph.inputs, prep, labels.read_text(encoding="utf-8").splitlines() if labels.exists() else ())
    known = {f["path"]: f["sha256"] for f in facts["files"]}
    if any(sha256_file(f) != known.get(f.name) for f in artifact.files):
        raise UsageError(f"{bundle.path.name} was written by another version of mexport", hint="build it again, then verify --layers")
    return artifact
