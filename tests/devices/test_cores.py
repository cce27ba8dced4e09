"""Cores that qemu has, and `/proc/cpuinfo` made from what they can do."""

import shutil
import subprocess

import pytest

from exporter.devices.cores import ARMV7_CORES, ARMV8_CORES, Core
from exporter.devices.platforms import TABLE, find_platform
from exporter.errors import EngineError, UsageError
from tests.conftest import require

EVERY = [*ARMV8_CORES.values(), *ARMV7_CORES.values()]


@pytest.mark.parametrize("core", EVERY, ids=lambda c: f"{c.bits}-{c.name}")
def test_qemu_has_them(core: Core) -> None:
    program = shutil.which("qemu-aarch64" if core.bits == 64 else "qemu-arm")
    if program is None:
        require("qemu-user is not installed", "qemu")
    assert core.name in subprocess.run([program, "-cpu", "help"], capture_output=True, text=True, check=False).stdout.split()


def test_half_precision_begins_with_the_a76() -> None:
    half = [name for name, core in ARMV8_CORES.items() if core.half]
    assert half == ["cortex-a76", "max", "neoverse-n1"]
    assert not any(core.half for core in ARMV7_CORES.values())


def test_cpuinfo_reads_as_linux_writes_it() -> None:
    text = ARMV8_CORES["cortex-a76"].cpuinfo(2)
    blocks = [dict(line.split("\t: ") for line in block.replace(": 8", "\t: 8").splitlines()) for block in text.strip().split("\n\n")]
    assert [b["processor"] for b in blocks] == ["0", "1"]
    assert blocks[0]["CPU part"] == "0xd0b"
    assert blocks[0]["CPU implementer"] == "0x41"
    assert {"asimd", "asimdhp", "asimddp", "atomics"} <= set(blocks[0]["Features"].split())


def test_32_bits_have_names_of_their_own() -> None:
    words = ARMV7_CORES["cortex-a15"].words()
    assert {"neon", "vfpv4", "idiva"} <= set(words)
    assert "asimd" not in words


def test_an_unknown_core_or_platform_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown arm64 core: cortex-a77") as caught:
        find_platform("arm64").core("cortex-a77")
    assert caught.value.hint == "did you mean `cortex-a76`?"
    with pytest.raises(UsageError, match="unknown platform: arm46"):
        find_platform("arm46")


def test_an_engine_that_nobody_makes_is_refused_by_that_sentence() -> None:
    for platform in TABLE.values():
        for runtime in ("ncnn", "litert"):
            platform.require_engine(runtime)
    with pytest.raises(EngineError, match="onnxruntime does not exist for linux/arm/v7"):
        find_platform("armv7").require_engine("onnxruntime")
