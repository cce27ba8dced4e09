"""What counting instructions needs and what is missing, each lack with the command that mends it: for `doctor` and `runner status`."""

from collections.abc import Callable, Iterator
from functools import partial

from exporter.cost.plugin import compiler, emulator
from exporter.devices.findings import Look
from exporter.devices.native import find_runner
from exporter.devices.platforms import TABLE, Platform
from exporter.errors import ToolError
from exporter.store import Store

PURPOSE = "counting instructions: profile, predict"
ABI = "arm64-v8a"


def looks() -> Iterator[Look]:
    """The C compiler of the plugin, an emulator that takes it for each platform, and the program that runs ncnn files."""
    yield _tried("C compiler", compiler)
    for platform in TABLE.values():
        yield _tried(f"{platform.qemu} with plugins", partial(_emulator, platform))
    with Store() as store:
        found = find_runner(store, ABI)
    said, mend = ("built", None) if found else ("not built yet", f"mexport runner native --abi {ABI}")
    yield Look(f"ncnn program for {ABI}", found is not None, said, f"{PURPOSE}; bench on a phone", mend)


def _emulator(platform: Platform) -> str:
    return " ".join(emulator(platform))


def _tried(name: str, look: Callable[[], str]) -> Look:
    try:
        return Look(name, True, look(), PURPOSE)
    except ToolError as problem:
        return Look(name, False, problem.message, PURPOSE, problem.hint)
