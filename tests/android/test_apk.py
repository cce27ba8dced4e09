"""The APK as other tools see it."""

import json
import os
import re
import struct
import subprocess
import zipfile
from pathlib import Path

import pytest
from androguard.core import apk as androguard

from exporter.app.archive import misaligned, write_archive
from exporter.app.build import Apk, app_jars, build_apk
from exporter.app.checks import PACKAGE, check_apk
from exporter.app.compiled import FRAMEWORK
from exporter.app.engines import check_elf
from exporter.app.tools import Tools
from exporter.bundle import Bundle
from exporter.errors import IntegrityError, UsageError
from tests.android.conftest import ABI, QUIET, TESTS, needed

MIB = 2**20


def entry(apk: Path, name: str) -> bytes:
    with zipfile.ZipFile(apk) as archive:
        return archive.read(name)


def test_it_is_what_a_phone_takes(tools: Tools, apk: Apk) -> None:
    check_apk(tools, apk.path, apk.abis)
    assert apk.bytes < 21 * MIB
    assert apk.engines == ("ncnn", "onnx", "tflite")


def test_zipalign_agrees(apk: Apk) -> None:
    subprocess.run([needed("zipalign"), "-c", "-p", "4", apk.path], check=True, capture_output=True)


def test_arts_own_reader_takes_the_code(apk: Apk, tmp_path: Path) -> None:
    """No `invoke-custom`, which no phone runs for lambdas; JavaCPP, which finds its libraries by annotations, still has them."""
    for name in ("classes.dex", "classes2.dex"):
        (tmp_path / name).write_bytes(entry(apk.path, name))
    code, notes = (
        subprocess.run([needed("dexdump"), flag, tmp_path / name], check=True, capture_output=True, text=True).stdout
        for flag, name in (("-d", "classes.dex"), ("-a", "classes2.dex"))
    )
    assert f"'L{PACKAGE.replace('.', '/')}/ui/MainActivity;'" in code
    assert "invoke-custom" not in code
    assert "Lorg/bytedeco/javacpp/annotation/Properties;" in notes


def test_the_manifest_asks_for_nothing(tools: Tools, apk: Apk) -> None:
    said = subprocess.run(
        [tools.aapt2, "dump", "xmltree", apk.path, "--file", "AndroidManifest.xml"], check=True, capture_output=True, text=True
    )
    assert "uses-permission" not in said.stdout
    assert re.search(r"allowBackup\(0x\w+\)=false", said.stdout)
    assert len(re.findall(r"exported\(0x\w+\)=true", said.stdout)) == 1, "only the list of models can be started from outside"
    assert "debuggable" not in said.stdout


def test_the_same_bytes_again(apk: Apk, app_bundles: list[Bundle], tmp_path: Path) -> None:
    again = build_apk(app_bundles, tmp_path / "again.apk", console=QUIET)
    assert again.sha256 == apk.sha256


def test_the_bundles_decide_which_engines_go_in(apk: Apk, app_bundles: list[Bundle], tmp_path: Path) -> None:
    small = build_apk(one(app_bundles, "tflite"), tmp_path / "tflite.apk", console=QUIET)
    assert small.engines == ("tflite",)
    assert small.bytes < 6 * MIB
    with zipfile.ZipFile(small.path) as archive:
        libraries = [n for n in archive.namelist() if n.startswith("lib/")]
    assert libraries == ["lib/arm64-v8a/libjnijavacpp.so", "lib/arm64-v8a/libjnitensorflowlite.so"]


def test_the_models_are_the_bundles(apk: Apk, app_bundles: list[Bundle]) -> None:
    index = json.loads(entry(apk.path, "assets/models/index.json"))
    assert [m["name"] for m in index["models"]] == sorted(b.path.name for b in app_bundles)
    for bundle in app_bundles:
        for name in bundle.manifest["artifact"]["files"]:
            assert entry(apk.path, f"assets/models/{bundle.path.name}/{name}") == (bundle.path / name).read_bytes()


def test_an_independent_reader_sees_the_same(apk: Apk) -> None:
    seen = androguard.APK(str(apk.path))
    assert seen.get_package() == "dev.mexport.demo"
    assert (seen.get_min_sdk_version(), seen.get_target_sdk_version()) == ("26", "34")
    assert seen.get_permissions() == []
    assert seen.get_main_activity() == "dev.mexport.demo.ui.MainActivity"
    assert seen.is_signed_v2()
    assert seen.is_signed_v3()


def one(bundles: list[Bundle], file_format: str) -> list[Bundle]:
    return [b for b in bundles if b.manifest["target"]["format"] == file_format]


@pytest.mark.parametrize(("file_format", "abi"), [("tflite", "x86_64"), ("onnx", "x86_64"), ("onnx", "armeabi-v7a")])
def test_other_processors_get_what_the_engines_have(
    parts: None, app_bundles: list[Bundle], tmp_path: Path, file_format: str, abi: str
) -> None:
    made = build_apk(one(app_bundles, file_format), tmp_path / "other.apk", abis=[abi], console=QUIET)  # check_apk reads its `native-code`
    with zipfile.ZipFile(made.path) as archive:
        libraries = [n for n in archive.namelist() if n.startswith("lib/")]
    assert made.abis == (abi,)
    assert len(libraries) == 2
    assert {name.split("/")[1] for name in libraries} == {abi}


def test_an_sdks_tools_make_the_same_app(
    apk: Apk, app_bundles: list[Bundle], tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An SDK as far as one can be had here: its folders, with Debian's programs and the framework's jar in them."""
    build_tools, platform = tmp_path / "sdk/build-tools/34.0.0", tmp_path / "sdk/platforms/android-34"
    for folder in (build_tools, platform):
        folder.mkdir(parents=True)
    for name in ("aapt2", "apksigner"):
        (build_tools / name).symlink_to(needed(name))
    (platform / "android.jar").symlink_to(app_jars(tools, ("tflite",), ABI, TESTS, console=QUIET)[FRAMEWORK])
    monkeypatch.setenv("ANDROID_HOME", str(tmp_path / "sdk"))
    made = build_apk(app_bundles, tmp_path / "sdk.apk", console=QUIET)
    assert made.tools == f"Android SDK {tmp_path / 'sdk'}"
    assert made.sha256 == apk.sha256


def test_thirty_two_bits_lack_tflite(app_bundles: list[Bundle], tools: Tools, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no library for armeabi-v7a"):
        build_apk(app_bundles, tmp_path / "no.apk", abis=["armeabi-v7a"], console=QUIET)


def test_libraries_for_small_pages_are_refused() -> None:
    header = bytearray(64 + 56)
    header[:6] = b"\x7fELF\x02\x01"
    struct.pack_into("<H", header, 18, 183)
    struct.pack_into("<Q", header, 32, 64)
    struct.pack_into("<HH", header, 54, 56, 1)
    struct.pack_into("<I", header, 64, 1)
    for align in (4096, 16384):
        struct.pack_into("<Q", header, 64 + 48, align)
        if align == 16384:
            check_elf("lib.so", bytes(header), "arm64-v8a")
        else:
            with pytest.raises(IntegrityError, match="aligned to 4096"):
                check_elf("lib.so", bytes(header), "arm64-v8a")
    with pytest.raises(IntegrityError, match="no ELF file for x86_64"):
        check_elf("lib.so", bytes(header), "x86_64")


def test_stored_entries_are_aligned_and_the_bytes_are_the_same(tmp_path: Path) -> None:
    entries = {"a.txt": b"x" * 7, "lib/arm64-v8a/b.so": os.urandom(100), "resources.arsc": b"y" * 33, "z.bin": b"z"}
    stored = frozenset({"lib/arm64-v8a/b.so", "resources.arsc"})
    for name in ("one.zip", "two.zip"):
        write_archive(tmp_path / name, dict(reversed(entries.items())) if name == "two.zip" else entries, stored=stored)
    assert misaligned(tmp_path / "one.zip") == []
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.testzip() is None
        assert {n: archive.read(n) for n in archive.namelist()} == entries
