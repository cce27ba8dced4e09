"""The engines' libraries for a phone: the bundles decide which go in."""

import struct
import zipfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from exporter.app.jars import Jars, onnxruntime_libraries
from exporter.app.tools import Tools
from exporter.bundle import Bundle
from exporter.console import Console
from exporter.devices.native import build_runner, find_runner
from exporter.errors import IntegrityError, UsageError
from exporter.store import Store

PAGE = 16384
"""Phones of Android 15 and up may have pages of 16 KiB: libraries are aligned to them."""

NCNN_PROGRAM = "libncnn_runner.so"
"""A program; only what is named like a library is unpacked where an app may execute it."""

TFLITE_ABIS = {"arm64-v8a": "android-arm64", "x86_64": "android-x86_64"}
"""ABI to the word in the jar's name. There is none for 32-bit ARM."""

MACHINES = {"arm64-v8a": 183, "x86_64": 62, "armeabi-v7a": 40}
"""ABI to ELF's number of the machine."""

ARM64 = 183
LOAD = 1


def needed(bundles: Sequence[Bundle]) -> tuple[str, ...]:
    """Which engines the bundles need: of "ncnn", "onnx", "tflite"."""
    return tuple(sorted({b.manifest["target"]["format"] for b in bundles}))


def ncnn_layers(bundles: Sequence[Bundle]) -> list[str]:
    """Kinds of layer in the ncnn bundles, by the names of ncnn's source files: a program that has them will do."""
    params = [b.path / b.manifest["artifact"]["files"][0] for b in bundles if b.manifest["target"]["format"] == "ncnn"]
    return sorted({line.split()[0].lower() for p in params for line in p.read_text().splitlines()[2:] if line.strip()})


def profiles(engines: Collection[str], abi: str) -> tuple[str, ...]:
    """Profiles of the pom that the engines need.

    Raises:
        UsageError: If an engine has no library for the ABI.
    """
    if "tflite" not in engines:
        return ()
    if abi not in TFLITE_ABIS:
        raise UsageError(
            f"TensorFlow Lite has no library for {abi}", hint=f"--abi {' or '.join(TFLITE_ABIS)}, or leave the TFLite bundles out"
        )
    return (f"tflite-{abi}",)


def libraries(bundles: Sequence[Bundle], abi: str, *, tools: Tools, jars: Jars, console: Console) -> dict[str, bytes]:
    """Entries of an APK: `lib/ABI/NAME.so` to bytes.

    Args:
        bundles: What is to run.
        abi: Which processors.
        tools: To fetch onnxruntime's with.
        jars: Where TensorFlow Lite's are.
        console: Where progress goes.

    Raises:
        IntegrityError: If a library is for another processor, or not aligned.
    """
    engines = needed(bundles)
    found: dict[str, bytes] = {}
    if "tflite" in engines:
        for name in ("javacpp", "tensorflow-lite"):
            found |= _packed(jars[f"org.bytedeco:{name}:{TFLITE_ABIS[abi]}"], abi)
    if "onnx" in engines:
        found |= onnxruntime_libraries(tools, abi, console=console)
    if "ncnn" in engines:
        with Store() as store:
            runner = find_runner(store, abi, ncnn_layers(bundles)) or build_runner(store, abi, console=console)
            found[NCNN_PROGRAM] = runner.path.read_bytes()
    for name, data in found.items():
        check_elf(name, data, abi)
    return {f"lib/{abi}/{name}": data for name, data in sorted(found.items())}


def _packed(jar: Path, abi: str) -> Mapping[str, bytes]:
    with zipfile.ZipFile(jar) as packed:
        names = [n for n in packed.namelist() if n.startswith(f"lib/{abi}/") and n.endswith(".so")]
        return {Path(n).name: packed.read(n) for n in names}


def check_elf(name: str, data: bytes, abi: str) -> None:
    """The right machine, and on arm64 every loadable segment aligned to 16 KiB.

    Raises:
        IntegrityError: Says what is wrong.
    """
    wide = data[4:5] == b"\x02"
    if data[:4] != b"\x7fELF" or struct.unpack_from("<H", data, 18)[0] != MACHINES[abi]:
        raise IntegrityError(f"{name} is no ELF file for {abi}", hint="remove it from the cache: `mexport cache gc --limit 0`")
    if MACHINES[abi] != ARM64 or not wide:  # no other phone has pages of 16 KiB
        return
    (offset,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    for at in range(offset, offset + size * count, size):
        (kind,), (align,) = struct.unpack_from("<I", data, at), struct.unpack_from("<Q", data, at + 48)
        if kind == LOAD and align % PAGE:
            raise IntegrityError(f"{name} has a segment aligned to {align} bytes, phones need {PAGE}", hint="take a newer engine")
