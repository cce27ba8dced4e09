"""What all targets of one build share; each part is made when first asked for, and once."""

from dataclasses import replace
from functools import cached_property

import numpy as np

from exporter.accuracy import Accuracy, score
from exporter.array import Array
from exporter.building.basis import Basis
from exporter.building.calibrated import Calibrated, calibrated
from exporter.building.clock import Clock
from exporter.building.compressed import Aim, Compressed, compressed, teacher_of
from exporter.building.inputs import preprocessing_of
from exporter.building.options import BuildOptions
from exporter.building.stages import Step, cleaned_graph, finished_graph, folded_graph, input_specs, raw_graph, reference
from exporter.console import Console
from exporter.data import Dataset, InputSpec, open_data, synthetic
from exporter.data.labels import read_labels
from exporter.data.synthetic import input_range_known
from exporter.errors import ParityError
from exporter.formats.points import Points
from exporter.graph import Graph
from exporter.graph.carry import carry
from exporter.graph.conditioning import AMPLIFIED, rounding_floor
from exporter.graph.evaluate import evaluate
from exporter.graph.ports import to_graph, to_source
from exporter.graph.qdq import Quantization, insert
from exporter.graph.strip import is_quantized, strip
from exporter.parity import Limits
from exporter.passes import Phase
from exporter.passes.run import checked
from exporter.preprocessing import Preprocessing
from exporter.proving.proof import Findings, breached, endings, fidelity, require
from exporter.proving.subject import only_scores
from exporter.recipe import Recipe
from exporter.sources.open import Source
from exporter.store import Store

SAMPLES = 8
"""Samples that every file is verified with, when the user gives none."""

MOST_SAMPLES = 16
"""Of the user's samples, at most so many are used and kept in the bundle."""

CHAOTIC = 2e-5
"""A rounding floor above it makes the limit of 1e-4 a matter of luck: right engines differ by some five times the floor."""

WIDEST = 1e-3
"""No limit is widened beyond it: where float32 tells less, better samples are needed."""

USUAL = 1e-4
"""The limit of an exact float32 stage."""

EXACT = Limits(max_rel=USUAL)
"""Cleaning and folding change nothing but float rounding; so does reading a source."""


class Common:
    """The common stages of a build: raw and finished graph, samples, reference, the graph's own outputs."""

    def __init__(
        self, source: Source, options: BuildOptions, store: Store, clock: Clock, console: Console, *, recipe: Recipe, aim: Aim
    ) -> None:
        self.source, self.options, self.store, self.clock, self.console = source, options, store, clock, console
        self.recipe, self.aim = recipe, aim
        self.load_options = options.load_options()
        self.steps: list[Step] = []
        self.notes: list[str] = []
        self.bases: dict[str, Basis] = {}
        self.carried: dict[str, tuple[Graph, Quantization, Points] | None] = {}

    def remark(self, text: str) -> None:
        """Something that a reader must know, said once."""
        if text not in self.notes:
            self.notes.append(text)
            self.console.say(text)

    @cached_property
    def raw(self) -> Graph:
        """The source as it is read."""
        with self.clock.stage("load"), self.console.stage(f"reading {self.source.info.path.name}"):
            return raw_graph(self.source, self.load_options, self.store)

    @cached_property
    def graph(self) -> Graph:
        """The Graph that files are written from."""
        if not self.recipe.passes:
            return self.finished
        made = self.compressed
        assert made is not None
        graph, fold = folded_graph(made.graph)
        self.steps = [self._cleaned[1], *made.steps, fold]
        return graph

    @cached_property
    def finished(self) -> Graph:
        """The source's own Graph, cleaned and folded."""
        raw = self.raw
        with self.clock.stage("passes"), self.console.stage("cleaning and folding"):
            graph, self.steps = finished_graph(raw)
        return graph

    @cached_property
    def _cleaned(self) -> tuple[Graph, Step]:
        return cleaned_graph(self.raw)

    @cached_property
    def cleaned(self) -> Graph:
        """What compression begins with: batch norms live."""
        return self._cleaned[0]

    @cached_property
    def compressed(self) -> Compressed | None:
        """What the recipe's passes make of it; None where it has none."""
        return compressed(self) if self.recipe.passes else None

    @cached_property
    def specs(self) -> tuple[InputSpec, ...]:
        """What each input takes."""
        return input_specs(self.finished)

    @cached_property
    def preprocessing(self) -> dict[str, Preprocessing]:
        """By source name, for every input."""
        return preprocessing_of(self.raw, self.specs, self.options.pixels, self.recipe.inputs)

    @cached_property
    def data(self) -> Dataset | None:
        """The user's samples; None when there are none."""
        return self._opened(self.options.samples)

    @cached_property
    def calibration_data(self) -> Dataset | None:
        """What int8 takes its ranges from; None when nothing is given."""
        return self._opened(self.options.calibration)

    @cached_property
    def train_data(self) -> Dataset | None:
        """What is trained on; None when nothing is given."""
        return self._opened(self.options.train)

    def _opened(self, given: str | None) -> Dataset | None:
        options = self.options
        if given is None:
            return None
        return open_data(given, self.specs, self.preprocessing, labels=options.labels, trust=options.trust)

    @cached_property
    def teacher(self) -> Graph | None:
        """Another model to learn from; None for the source itself."""
        return teacher_of(self)

    @cached_property
    def calibrated(self) -> Calibrated:
        """The finished Graph with the statistics of its values, from data that passed the linter."""
        data = self.calibration_data
        assert data is not None
        return calibrated(self, data)

    @cached_property
    def quantized_source(self) -> bool:
        """Whether the source itself is quantized, as an ONNX file can be."""
        return self.source.info.format == "onnx" and is_quantized(self.raw)

    @cached_property
    def own(self) -> Quantization | None:
        """What the source itself stores in integers, in terms of the finished Graph; None for a float source."""
        if not self.quantized_source:
            return None
        plain, rounding = strip(self.raw)
        return carry(rounding, self.graph, plain)

    @cached_property
    def written(self) -> Graph:
        """The finished Graph as the source means it: with its own rounding, if it has any."""
        return insert(self.graph, self.own) if self.own is not None else self.graph

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """In the order of the outputs, from the labels file or else the class folders of data; empty when unknown."""
        if self.options.labels is not None:
            return read_labels(self.options.labels)
        found = (data.class_names for data in (self.data, self.calibration_data, self.train_data) if data is not None)
        return next(filter(None, found), None) or ()

    @cached_property
    def samples(self) -> dict[str, Array]:
        """Verification inputs by source name, preprocessed, in the source's layout: the user's, else some to calibrate or train with."""
        data = self.data or self.calibration_data or self.train_data
        return self._synthetic() if data is None else data.pick(MOST_SAMPLES)[0]

    def _synthetic(self) -> dict[str, Array]:
        """Random pixels, or numbers in the range that a quantized source tells; of mean 0 and deviation 1 where a net is chaotic on pixels:
        nothing can be proved there."""
        pixels = synthetic(self.specs, self.preprocessing, SAMPLES, self.options.seed, self._own_ranges())
        if not input_range_known(self.specs, self.preprocessing) or (floor := self._floor(pixels)) <= CHAOTIC:
            return pixels
        plain = synthetic(self.specs, {}, SAMPLES, self.options.seed)
        if self._floor(plain) >= floor:
            return pixels
        self.notes.append(
            f"on random pixels one rounding step of its numbers moves the outputs by {floor:.1e}, so no two engines agree there: "
            "verified on random numbers of mean 0 and deviation 1; better give --samples"
        )
        return plain

    def _own_ranges(self) -> dict[str, tuple[float, float]]:
        """What the inputs of a quantized source take: all that its integers can say. By source name."""
        rounded = self.own.values if self.own is not None else {}
        ends = {p.source_name: rounded[p.name] for p in self.graph.inputs if p.name in rounded}
        spans = {name: how.dequantize(np.array(how.limits)) for name, how in ends.items()}
        return {name: (float(low), float(high)) for name, (low, high) in spans.items()}

    def fair(self, asked: Limits, found: Findings) -> Limits:
        """`asked` where it holds; else widened to what float32 can tell on these samples, and said so. A tighter one than usual stands."""
        if asked.max_rel is None or asked.max_rel < USUAL or not breached(found, asked):
            return asked
        wide = min(AMPLIFIED * self.floor, WIDEST)
        if wide <= asked.max_rel:
            return asked
        said = f"one rounding step of this model's numbers moves its outputs by {self.floor:.1e}: rel up to {wide:.1e} counts as equal"
        if said not in self.notes:
            self.notes.append(said)
        return replace(asked, max_rel=wide)

    @cached_property
    def floor(self) -> float:
        """How far one rounding step moves the outputs on these samples; of a compressed model, its own."""
        made = self.compressed
        return max(self._floor(self.samples), 0.0 if made is None else self._floor(self.samples, made.graph))

    def _floor(self, samples: dict[str, Array], graph: Graph | None = None) -> float:
        graph = graph or self.raw
        return max(rounding_floor(graph, to_graph(graph.inputs, samples)).values())

    @cached_property
    def labelled(self) -> Dataset:
        """The user's labelled data; asked for only where there are some."""
        data = self._opened(self.options.data)
        assert data is not None
        return data

    @cached_property
    def accuracy(self) -> Accuracy:
        """The source's own on the user's labelled data."""
        data = self.labelled
        with self.console.progress(f"evaluating {self.source.info.path.name}", len(data)) as tick:
            return score(lambda x: only_scores(self.source.reference(x), None), data, tick=tick)

    @cached_property
    def reference(self) -> dict[str, Array]:
        """The untouched source's outputs on the samples, by source name and layout."""
        samples = self.samples
        with self.clock.stage("reference"), self.console.stage(f"reference outputs by {self.source.info.framework}"):
            return reference(self.source, self.load_options, samples, self.store)

    @cached_property
    def values(self) -> dict[str, Array]:
        """The finished graph's outputs and what goes into their final activations, by value name, in Graph layout; as the source rounds."""
        graph = self.graph
        inputs, wanted = to_graph(graph.inputs, self.samples), [p.name for p in graph.outputs]
        wanted += [e.value for e in endings(graph).values() if e.value not in wanted]
        with self.clock.stage("evaluate"):
            values = evaluate(self.written, inputs, wanted)
        with self.clock.stage("check"):
            self._check_passes(values)
        return values

    def outputs(self) -> dict[str, Array]:
        """The finished graph's outputs, by source name and layout."""
        return to_source(self.graph.outputs, self.values)

    def _check_passes(self, values: dict[str, Array]) -> None:
        """First graph against last; on failure, pass by pass. Without the rounding of a quantized source: passes are exact, and one
        integer that flips moves more than they may."""
        raw = self.raw if self.compressed is None else self.compressed.graph
        if self.own is not None:
            raw, values = strip(raw)[0], evaluate(self.graph, to_graph(self.graph.inputs, self.samples))
        before = evaluate(raw, to_graph(raw.inputs, self.samples))
        found = fidelity(self.graph, to_source(raw.outputs, before), to_source(self.graph.outputs, values))
        limits = self.fair(EXACT, found)
        if not breached(found, limits):
            return
        halfway = checked(raw, Phase.CLEAN, to_graph(raw.inputs, self.samples))
        checked(halfway, Phase.FOLD, to_graph(halfway.inputs, self.samples))
        against = "the graph as read" if self.compressed is None else "the compressed graph"
        require(found, limits, what=f"the finished graph of {raw.name}", against=against)

    def blame_reading(self) -> ParityError | None:
        """The error that says the source was misread, when the raw graph itself leaves the reference."""
        raw = self.raw
        read = to_source(raw.outputs, evaluate(raw, to_graph(raw.inputs, self.samples)))
        try:
            require(fidelity(raw, self.reference, read), EXACT, what=f"the graph read from {self.source.info.path.name}",
                    against=f"{self.source.info.framework}'s own outputs")  # fmt: skip
        except ParityError as problem:
            return problem
        return None
