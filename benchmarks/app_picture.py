"""The README's picture of the app: every screen in the light, in the dark and with a large font, drawn by Android's renderer on a JVM.

python -m benchmarks.app_picture
"""

import shutil
from pathlib import Path

from PIL import Image

from benchmarks.app import QEMU, folder, jvm, program
from exporter import pipeline
from exporter.app.engines import ncnn_layers
from exporter.bundle import Bundle, find_bundles
from exporter.sample import labels_path, model_path, pictures_path
from tests.android.jvm import prepare, run_tests

SCREENS = ("models", "run", "model", "compare", "classify")
LOOKS = ("light", "dark", "large")
SIZE = (288, 576)
GAP = 8
TARGET = Path(__file__).parent.parent / "docs" / "app.png"


def bundles() -> list[Bundle]:
    """The embedded sample's, in three formats."""
    out = folder() / "picture-bundles"
    for outcome in pipeline.build_all(
        model_path(), ["ncnn-arm64", "tflite-arm64", "onnx-arm64"], samples=str(pictures_path()), labels=labels_path(), output=out
    ):
        if outcome.error is not None:
            raise outcome.error
    return find_bundles(out)


def drawn() -> Path:
    """The folder of the screens, one file each."""
    place = folder() / "picture"
    shutil.rmtree(place, ignore_errors=True)
    sample = bundles()
    machine = jvm(place / "out", f"{QEMU} {program('arm64-v8a', ncnn_layers(sample)).path}")
    prepare(machine, sample, place / "jvm", {"pictures": [], "top1": {}})
    told = run_tests(machine, place / "jvm", machine.out, only=["dev.mexport.demo.ui.ScreensTest"])
    if failed := {name: trace for name, (verdict, trace) in told.items() if verdict == "failed"}:
        raise RuntimeError(str(failed))
    return machine.out


def together(screens: Path) -> Image.Image:
    """A row a look, a column a screen."""
    wide, high = SIZE
    sheet = Image.new("RGB", (len(SCREENS) * (wide + GAP) - GAP, len(LOOKS) * (high + GAP) - GAP), "white")
    for row, look in enumerate(LOOKS):
        for column, screen in enumerate(SCREENS):
            with Image.open(screens / f"{screen}-{look}.png") as shot:
                sheet.paste(shot.convert("RGB").resize(SIZE, Image.Resampling.LANCZOS), (column * (wide + GAP), row * (high + GAP)))
    return sheet


def main() -> None:
    """Draw, and write docs/app.png."""
    together(drawn()).quantize(128).save(TARGET, optimize=True)
    print(f"{TARGET.name}: {TARGET.stat().st_size / 1024:.0f} KB")


if __name__ == "__main__":
    main()
