"""Time ncnn files on a phone behind adb."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.console import Console
from exporter.devices.abi import ABIS, Abi, abi_of_machine
from exporter.devices.adb import Adb, quoted
from exporter.devices.native import PROGRAM, build_runner, find_runner
from exporter.devices.ncnn_runner import NcnnModel, answer
from exporter.devices.phone_folder import PhoneFolder, phone_folder
from exporter.disk import Scratch
from exporter.errors import DeviceError
from exporter.store import Store

PROPERTIES = {
    "abis": "ro.product.cpu.abilist", "brand": "ro.product.manufacturer", "model": "ro.product.model",
    "android": "ro.build.version.release", "soc": "ro.soc.model", "board": "ro.board.platform", "emulator": "ro.boot.qemu",
}  # fmt: skip
X86_MAKERS = ("GenuineIntel", "AuthenticAMD")
RUN_LIMIT_S = 1800.0


@dataclass(frozen=True, slots=True)
class Phone:
    """What a phone says about itself.

    Attributes:
        serial: As adb names it.
        model: Maker and model, else the serial.
        abis: What it runs, the best first.
        android: Release; empty on other systems.
        soc: The chip's name, where it tells.
        kernel: Linux's release.
        parts: `CPU part` of each core, in order; 0xd05 is a Cortex-A55.
        emulated: Whether an emulator runs it, so that its times tell nothing.
    """

    serial: str
    model: str
    abis: tuple[str, ...]
    android: str
    soc: str
    kernel: str
    parts: tuple[str, ...]
    emulated: bool

    def require_abi(self, abi: Abi, what: str) -> None:
        """Refuse what cannot run there.

        Raises:
            DeviceError: Says what the phone runs.
        """
        if abi.name not in self.abis:
            hint = f"build for {self.abis[0]}" if self.abis else "use an ARM phone"
            raise DeviceError(f"{what} is for {abi.name}; {self.model} runs {', '.join(self.abis) or 'nothing known'}", hint=hint)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "abis": list(self.abis), "parts": list(self.parts)}


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be timed.

    Attributes:
        models: Files; the first of several is compared with each other one.
        abi: What the files were built for; None for whatever the phone runs best.
        runs: Timed runs of each.
        warmup: Untimed runs before.
        pairs: Interleaved pairs of a comparison.
        process_pairs: Fresh processes they are spread over.
        threads: Of the engine.
        cores: "all", "little" or "big": where the program may run.
    """

    models: Sequence[NcnnModel]
    abi: Abi | None
    runs: int
    warmup: int
    pairs: int
    process_pairs: int = 5
    threads: int = 1
    cores: str = "big"

    def words(self, runs: int, *models: int) -> str:
        """The program's command line for one model, or for a pair."""
        words = [f"./{PROGRAM}", "--threads", str(self.threads), "--cores", self.cores, "--warmup", str(self.warmup), "--runs", str(runs)]
        for turn, i in enumerate(models):
            words += [*(["--versus"] if turn else []), *self.models[i].words(f"m{i}")]
        return quoted(*words)


@dataclass(frozen=True, slots=True)
class PhoneTimes:
    """Answers of the program.

    Attributes:
        phone: Where.
        abi: What of.
        results: One a model.
        outputs: Of the first inference, by blob, one dictionary a model.
        pairs: For each model after the first, the answers of all process pairs.
    """

    phone: Phone
    abi: Abi
    results: list[dict[str, Any]]
    outputs: list[dict[str, Array]]
    pairs: list[list[dict[str, Any]]]


def time_on_phone(serial: str, task: Task, *, console: Console) -> PhoneTimes:
    """Push the program and the files, run, pull the answers, and leave nothing there.

    Args:
        serial: Which phone.
        task: What.
        console: Where progress goes.

    Raises:
        DeviceError: If the phone is not there, is in use, cannot run the files, or is lost meanwhile.
        DiskError: If it is full.
        IntegrityError: If a file arrives changed.
        EngineError: If ncnn cannot run a file.
    """
    adb = Adb(serial)
    adb.require()
    phone = ask(adb)
    abi = task.abi or _best(phone)
    phone.require_abi(abi, task.models[0].name)
    with Store() as store:
        layers = sorted(set[str]().union(*(m.layers() for m in task.models)))
        runner = find_runner(store, abi.name, layers) or build_runner(store, abi.name, console=console)
        with phone_folder(adb) as folder:
            with console.stage(f"copying to {phone.model}"):
                folder.push(runner.path, PROGRAM, program=True)
                for i, model in enumerate(task.models):
                    _push(folder, model, f"m{i}")
            return PhoneTimes(phone, abi, *_timed(folder, task, console))


def ask(adb: Adb) -> Phone:
    """What a phone says about itself."""
    properties = "; ".join(f'echo "{name}=$(getprop {key} 2> /dev/null)"' for name, key in PROPERTIES.items())
    _, said = adb.shell(f'{properties}; echo "machine=$(uname -m)"; echo "kernel=$(uname -r)"; cat /proc/cpuinfo')
    facts = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    own = abi_of_machine(facts["machine"].strip())
    abis = tuple(a for a in facts["abis"].strip().split(",") if a) or ((own.name,) if own else ())
    foreign = own is not None and own.name != "x86_64" and any(maker in said for maker in X86_MAKERS)
    model = f"{facts['brand']} {facts['model']}".strip() or adb.serial
    soc = facts["soc"] or facts["board"]
    parts = tuple(re.findall(r"^CPU part\s*: (\w+)", said, re.MULTILINE))
    return Phone(adb.serial, model, abis, facts["android"], soc, facts["kernel"], parts, foreign or facts["emulator"].strip() == "1")


def _best(phone: Phone) -> Abi:
    known = [ABIS[name] for name in phone.abis if name in ABIS]
    if not known:
        runs = ", ".join(phone.abis) or "nothing known"
        raise DeviceError(f"{phone.model} runs {runs}: no program for that", hint=f"there are programs for {', '.join(ABIS)}")
    return known[0]


def _push(folder: PhoneFolder, model: NcnnModel, prefix: str) -> None:
    with Scratch() as here:
        for name, file in model.write(Path(here), prefix).items():
            folder.push(file, name)


def _timed(
    folder: PhoneFolder, task: Task, console: Console
) -> tuple[list[dict[str, Any]], list[dict[str, Array]], list[list[dict[str, Any]]]]:  # fmt: skip
    results, outputs, pairs = [], [], []
    for i, model in enumerate(task.models):
        with console.stage(f"timing {model.name}"):
            results.append(_run(folder, model.name, task.words(task.runs, i)))
            outputs.append(_outputs(folder, f"m{i}", results[-1]))
    for i, other in enumerate(task.models[1:], 1):
        pairs.append(_pairs(folder, task, i, f"{task.models[0].name} against {other.name}", console))
    return results, outputs, pairs


def _pairs(folder: PhoneFolder, task: Task, other: int, what: str, console: Console) -> list[dict[str, Any]]:
    """The first model and another, turn by turn, in several processes one after the other."""
    share, rounds = -(-task.pairs // task.process_pairs), []
    with console.progress(what, task.pairs) as tick:
        for done in range(1, task.process_pairs + 1):
            rounds.append(_run(folder, what, task.words(share, 0, other)))
            tick(done * share)
    return rounds


def _outputs(folder: PhoneFolder, prefix: str, answered: Mapping[str, Any]) -> dict[str, Array]:
    found = {}
    for i, output in enumerate(answered["outputs"]):
        found[output["name"]] = np.frombuffer(folder.read(f"{prefix}.out{i}"), np.float32).reshape(output["shape"])
    return found


def _run(folder: PhoneFolder, what: str, words: str) -> dict[str, Any]:
    code = folder.run(words, limit_s=RUN_LIMIT_S)
    out = folder.read("out").decode(errors="replace") if code == 0 else ""
    return answer(what, code, out, folder.read("errors").decode(errors="replace"))
