"""Counts files on cores, each pair once, and knows each core's model and each device's name."""

from dataclasses import dataclass, field
from pathlib import Path

from exporter.array import Array
from exporter.console import Console
from exporter.cost.counting import TIMEOUT_S, Counter, Tools
from exporter.cost.load import Counted
from exporter.cost.prediction.learned import OwnDevice
from exporter.cost.prediction.model import CoreModel, Part, core_model, cost
from exporter.cost.prediction.predict import Comparison, Prediction, compare, predict
from exporter.cost.prediction.published import Published, published, slug
from exporter.proving.subject import Subject
from exporter.store import Store

ALL = "all"


@dataclass(frozen=True, slots=True)
class Where:
    """A device that is asked about: its name, its core, the name it is published under."""

    name: str
    core: str
    published_as: str | None


@dataclass(slots=True)
class Forecaster:
    """Counts files on cores, each pair once, and knows each core's model.

    Attributes:
        store: Where counts are kept.
        own: Devices with times of one's own, by name.
        tools: What was built elsewhere.
        timeout_s: Limit of one run under emulation.
        seed: Of the noise that bare files are fed.
        console: Where progress goes.
    """

    store: Store
    own: dict[str, OwnDevice]
    tools: Tools | None = None
    timeout_s: float = TIMEOUT_S
    seed: int = 0
    console: Console = field(default_factory=lambda: Console(quiet=True))
    _counted: dict[tuple[Path, str], Counted] = field(default_factory=dict)
    _models: dict[str, CoreModel] = field(default_factory=dict)

    def counted(self, subject: Subject, core: str) -> Counted:
        """One inference of a file on a core, layer by layer, with misses of its caches."""
        key = subject.path, core
        if key not in self._counted:
            counter = Counter(self.store, core, caches=True, tools=self.tools, timeout_s=self.timeout_s, console=self.console)
            with self.console.stage(f"counting {subject.name} on {core}"):
                self._counted[key] = counter.count(subject.load(self.seed), layers=True)
        return self._counted[key]

    def remember(self, subject: Subject, core: str, found: Counted) -> None:
        """What a file counts, known from elsewhere."""
        self._counted[subject.path, core] = found

    def predict(self, subject: Subject, place: Where) -> Prediction:
        """A file's time on a device."""
        return predict(self.model(place.core), place.name, self.cost(subject, place.core))

    def compare(self, plain: Subject, int8: Subject, place: Where) -> Comparison:
        """The time of an int8 file on a device, of that of the same net in floats."""
        return compare(self.model(place.core), place.name, self.cost(plain, place.core), self.cost(int8, place.core))

    def parts(self, subject: Subject, core: str) -> tuple[Part, ...]:
        """Its layers, and the work beside them."""
        found = self.counted(subject, core)
        return (*(Part(layer.counts, layer.tensor_work) for layer in found.layers), Part(found.beside, tensor_work=False))

    def cost(self, subject: Subject, core: str) -> Array:
        """What the model weighs of it."""
        return cost(self.parts(subject, core), core)

    def model(self, core: str) -> CoreModel:
        """The core's model, with what was learned."""
        if core not in self._models:
            self._models[core] = core_model(core, [d.learned() for d in self.own.values()])
        return self._models[core]

    def learned(self, device: OwnDevice) -> None:
        """A device is known better from now on."""
        self.own[device.name] = device
        self._models.clear()

    def devices(self, name: str) -> list[Where]:
        """The devices that a name stands for; ALL for every one that something is fitted for.

        Raises:
            UsageError: For a device that nothing is fitted for, or an unknown one.
        """
        tables = published()
        if name == ALL:
            every = [*tables.devices, *(n for n in self.own if n not in tables.devices)]
            return [self._where(tables, n) for n in every]
        return [self._where(tables, slug(name) if slug(name) in self.own else tables.device(name).name)]

    def _where(self, tables: Published, name: str) -> Where:
        if name in tables.devices:
            device = tables.devices[name]
            return Where(name, device.core, device.published_as)
        return Where(name, self.own[name].core, None)
