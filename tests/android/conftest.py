"""The tool chain, the sample's bundles, one APK and one run of the app on a JVM, made once for all tests here."""

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from exporter.app.build import Apk, app_jars, build_apk
from exporter.app.compiled import compile_app
from exporter.app.jars import fetch_jars, onnxruntime_libraries
from exporter.app.tools import Tools, find_tools
from exporter.bundle import Bundle, find_bundles
from exporter.console import Console
from exporter.devices.native import Runner
from exporter.errors import ToolError
from exporter.sample import pictures_path
from exporter.store import Store
from tests.android.jvm import Jvm, Told, prepare, run_tests
from tests.android.pictures import answers
from tests.conftest import require
from tests.emulated.phone_kit import adb_device, adb_engine, native_runner

__all__ = ["adb_device", "adb_engine", "native_runner"]

QUIET = Console(quiet=True)
ABI = ("arm64-v8a",)
OTHER = "x86_64"
TESTS = ("test", "framework")
LINT = ("framework", "lint")


def needed(program: str) -> Path:
    """A program that looks at a finished app, or the reason to skip; `.ci/android` installs them."""
    where = shutil.which(program)
    if where is None:
        require(f"{program} is not installed", "android")
    return Path(str(where))


@pytest.fixture(scope="session")
def tools() -> Tools:
    """The programs that make an APK."""
    try:
        return find_tools()
    except ToolError as problem:
        require(problem.message, "android")
        raise


@pytest.fixture(scope="session")
def app_bundles(tmp_path_factory: pytest.TempPathFactory, private_cache: Path) -> list[Bundle]:
    """The sample in all three formats."""
    from exporter import pipeline
    from exporter.sample import labels_path, model_path, pictures_path

    out = tmp_path_factory.mktemp("app-bundles")
    known = {"samples": str(pictures_path()), "labels": labels_path(), "output": out}
    for outcome in pipeline.build_all(model_path(), ["ncnn-arm64", "tflite-arm64", "onnx-arm64"], **known):
        assert outcome.error is None
    return find_bundles(out)


@pytest.fixture(scope="session")
def parts(tools: Tools, private_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What every app is made of, in the cache: made once a run, by whichever process comes first, then linked into each cache."""
    common = tmp_path_factory.getbasetemp().parent / "app-parts"
    common.mkdir(exist_ok=True)
    with (common / "lock").open("w") as lock, pytest.MonkeyPatch.context() as patch:
        fcntl.flock(lock, fcntl.LOCK_EX)
        patch.setenv("MEXPORT_CACHE", str(common))
        jars = app_jars(tools, ("tflite",), ABI, TESTS, console=QUIET)
        for engines, abi in ((("tflite",), *ABI), (("tflite",), OTHER), ((), OTHER)):
            app_jars(tools, engines, (abi,), console=QUIET)
        fetch_jars(tools, LINT, console=QUIET)
        onnxruntime_libraries(tools, *ABI, console=QUIET)
        with Store() as store:
            compile_app(tools, jars, store, console=QUIET)
        for entry in (common / "tool").iterdir():
            if not (place := private_cache / "tool" / entry.name).exists():
                shutil.copytree(entry, place, copy_function=os.link)


@pytest.fixture(scope="session")
def lint_jars(tools: Tools, parts: None) -> Mapping[str, Path]:
    """Android Lint, and what it reads the app's classes with."""
    return fetch_jars(tools, LINT, console=QUIET)


@pytest.fixture(scope="session")
def apk(tools: Tools, parts: None, app_bundles: list[Bundle], native_runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Apk:
    """The app with the sample in it."""
    return build_apk(app_bundles, tmp_path_factory.mktemp("apk") / "demo.apk", console=QUIET)


@pytest.fixture(scope="session")
def jvm(tools: Tools, parts: None, native_runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jvm]:
    """What runs the app on this computer's JVM; its ncnn program under qemu, as a core without half precision: four times as fast."""
    qemu, out = needed("qemu-aarch64"), tmp_path_factory.mktemp("shots")
    jars = app_jars(tools, ("tflite",), ABI, TESTS, console=QUIET)
    with Store() as store:
        yield Jvm(tools, jars, compile_app(tools, jars, store, console=QUIET), f"{qemu} -cpu cortex-a53 {native_runner.path}", out)


@pytest.fixture(scope="session")
def prepared(jvm: Jvm, app_bundles: list[Bundle], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tests' classes, and the app's resources and bundles as Robolectric wants them."""
    folder = tmp_path_factory.mktemp("jvm")
    pictures = sorted(pictures_path().glob("*/*.png"))[::25]
    prepare(jvm, app_bundles, folder, answers(app_bundles, pictures))
    return folder


@pytest.fixture(scope="session")
def told(jvm: Jvm, prepared: Path) -> Told:
    """What JUnit told of every test."""
    return run_tests(jvm, prepared, jvm.out)
