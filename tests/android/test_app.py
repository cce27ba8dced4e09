"""The app's screens and engines on a JVM, a test here for each of JUnit's."""

import json
from pathlib import Path

import pytest
from PIL import Image

from exporter.app.results import read_results
from exporter.bundle import Bundle
from tests.android.conftest import needed
from tests.android.jvm import Jvm, Told, from_dex, junit_tests, run_tests

SCREENS = ("models", "run", "model", "compare", "classify")
LOOKS = ("light", "dark", "large", "turned")


@pytest.mark.parametrize(("name", "method"), junit_tests(), ids=lambda word: word.rpartition(".")[2])
def test_on_a_jvm(told: Told, name: str, method: str) -> None:
    verdict, trace = told.get((name, method), ("missing", "the JVM ended before it"))
    if verdict == "skipped":
        pytest.skip(trace)
    assert verdict == "ok", trace


def test_every_screen_was_drawn_in_every_look(told: Told, jvm: Jvm) -> None:
    for look in LOOKS:
        for screen in SCREENS:
            with Image.open(jvm.out / f"{screen}-{look}.png") as shot:
                wide, high = shot.size
                assert (wide > high) == (look == "turned")
                assert len(shot.convert("RGB").getcolors(1 << 24) or ()) > 20, f"{screen}-{look} is empty"


def test_dark_is_dark(told: Told, jvm: Jvm) -> None:
    light, dark = (Image.open(jvm.out / f"models-{look}.png").convert("L").resize((1, 1)).getpixel((0, 0)) for look in ("light", "dark"))
    assert isinstance(light, int)
    assert isinstance(dark, int)
    assert dark < 80 < light


def test_the_headless_report_fits_its_schema(told: Told, jvm: Jvm, app_bundles: list[Bundle]) -> None:
    report = read_results((jvm.out / "results.json").read_text())
    assert {r["name"] for r in report["results"]} == {b.path.name for b in app_bundles}
    assert all(c["passed"] for c in report["checks"])
    engines = {r["name"].rpartition("--")[2]: r["engine"] for r in report["results"]}
    assert {name: words.split()[0] for name, words in engines.items()} == {
        "ncnn-arm64": "ncnn", "onnx-arm64": "onnxruntime", "tflite-arm64": "tflite",
    }  # fmt: skip
    assert json.dumps(report)


def test_the_dex_passes_the_same_tests(jvm: Jvm, prepared: Path, tmp_path: Path) -> None:
    """The app's classes translated back from what a phone loads, under the JVM's full verifier: what D8 made of them runs."""
    classes = from_dex(needed("enjarify"), jvm.compiled.dex, tmp_path / "from-dex.jar")
    told = run_tests(jvm, prepared, tmp_path, classes=classes)
    assert set(told) == set(junit_tests())
    assert not {key: trace for key, (verdict, trace) in told.items() if verdict == "failed"}
