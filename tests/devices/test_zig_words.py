"""zig.sh turns the words that ncnn's CMake files use for a processor into zig's."""

import subprocess

import pytest

from exporter.devices.abi import ABIS
from exporter.devices.native import source_folder


def words(*given: str, cpu: str = "generic") -> list[str]:
    """What zig would be called with, one word a line: printf stands in for it, its format being the language's word."""
    command = ["sh", source_folder() / "zig.sh", "printf", "%s\\n", "aarch64-linux-musl", cpu, *given]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return ran.stdout.splitlines()


@pytest.mark.parametrize(
    ("march", "cpu"),
    [
        ("-march=armv8-a", "generic"),
        ("-march=armv8.2-a+fp16", "generic+v8_2a+fullfp16"),
        ("-march=armv8.2-a+fp16+dotprod", "generic+v8_2a+fullfp16+dotprod"),
        ("-march=armv8.2-a+fp16+fp16fml", "generic+v8_2a+fullfp16+fp16fml"),
        ("-march=armv8.4-a+fp16+dotprod+i8mm", "generic+v8_4a+fullfp16+dotprod+i8mm"),
    ],
)
def test_features_of_64_bit_arm(march: str, cpu: str) -> None:
    got = words("-O3", march, "-c", "a b.cpp")
    assert f"-mcpu={cpu}" in got
    assert got[-3:] == ["-O3", "-c", "a b.cpp"], "all other words stay, in order, with their spaces"


def test_features_of_32_bit_arm() -> None:
    assert "-mcpu=generic+v7a+neon+vfp4+fp16" in words("-mfpu=neon-vfpv4", "-mfp16-format=ieee", cpu=ABIS["armeabi-v7a"].cpu)
    assert "-mfp16-format=ieee" not in words("-mfp16-format=ieee")


def test_a_processor_is_named_once() -> None:
    assert len([w for w in words("-march=armv8.2-a+fp16") if w.startswith("-mcpu")]) == 1


def test_words_of_x86_stay() -> None:
    assert words("-mavx2", "-mfma", cpu="x86_64")[-2:] == ["-mavx2", "-mfma"]


def test_cmakes_first_look_links_nothing() -> None:
    assert words("CMakeCXXCompilerId.cpp")[-4:] == ["-c", "-o", "a.out", "CMakeCXXCompilerId.cpp"]
