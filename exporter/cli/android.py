"""`mexport app …`: the Android app, made from bundles, and driven on a phone."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exporter.cli.command import Settings, add

if TYPE_CHECKING:
    from exporter.bundle import Bundle

app = typer.Typer(no_args_is_help=True, help="The Android app: made from bundles without an Android SDK, installed and run through adb.")

SAMPLE_TARGETS = ("ncnn-arm64", "tflite-arm64", "onnx-arm64")
Folders = Annotated[
    list[Path] | None, typer.Argument(help="Bundles or folders of bundles. Without: the embedded sample.", show_default=False)
]
Apk = Annotated[Path, typer.Option("--output", "-o", help="The APK.")]
Abis = Annotated[list[str] | None, typer.Option("--abi", help="arm64-v8a, armeabi-v7a, x86_64; repeatable.", show_default="arm64-v8a")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Install packages without asking.")]


def run_setup(settings: Settings, yes: Yes = False) -> None:
    """Install what makes the app: packages of Debian or Ubuntu, jars through Maven into its own cache."""
    from exporter.app.setup import set_up

    done = set_up(agreed=yes, console=settings.console())
    facts = {"packages": list(done.packages), "jars": done.jars, "tools": done.origin}
    said = f"installed {', '.join(done.packages)}; " if done.packages else ""
    settings.emit(facts, f"{said}{done.jars} jars are there; tools: {done.origin}")


def run_build(settings: Settings, *, bundles: Folders = None, output: Apk = Path("demo.apk"), abi: Abis = None) -> None:
    """Put bundles into a signed APK: ncnn, TFLite and ONNX in any mix; they decide which engines go in."""
    from exporter.app.build import build_apk

    found = found_bundles(settings, bundles)
    done = build_apk(found, output, abis=abi or ["arm64-v8a"], console=settings.console())
    what = f"{', '.join(done.abis)}; {', '.join(done.engines)}; {len(done.models)} model(s)"
    words = f"{output}  {done.bytes / 2**20:.1f} MiB, {what}, {done.seconds:.0f} s"
    settings.emit(done.as_dict(), words)


def found_bundles(settings: Settings, paths: list[Path] | None) -> "list[Bundle]":
    """The bundles that are named, or those of the sample, built where the cache folder lacks them."""
    from exporter.bundle import find_bundles
    from exporter.cli import parse
    from exporter.store import Store

    if paths:
        return [b for path in paths for b in find_bundles(parse.existing(path, "bundle"))]
    folder = Store().root / "sample"
    _build_sample(settings, folder)
    return find_bundles(folder)


def _build_sample(settings: Settings, folder: Path) -> None:
    from exporter import pipeline
    from exporter.cli.build import sample

    model, given = sample({"samples": None, "labels": None}, settings)
    given = {**given, "output": folder, "force": True, "command": "mexport app build"}
    for outcome in pipeline.build_all(model, list(SAMPLE_TARGETS), console=settings.console(), **given):
        if outcome.error is not None:
            raise outcome.error


BUILD_EXAMPLES = """
Examples:
mexport app build
mexport app build out -o demo.apk
mexport app build out/model--ncnn-arm64 --abi arm64-v8a --abi x86_64
"""

add(app, run_setup, "setup", epilog="Example:\nmexport app setup --yes")
add(app, run_build, "build", epilog=BUILD_EXAMPLES)
