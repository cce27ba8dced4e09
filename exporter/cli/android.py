"""`mexport app …`: the Android app, made from bundles, and driven on a phone."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exporter.cli.command import Settings, add
from exporter.disk import Scratch

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
    """Build what is not there; the folder is ours, so that what an earlier version left there is replaced."""
    from exporter import pipeline
    from exporter.cli.build import sample
    from exporter.errors import UsageError

    model, given = sample({"samples": None, "labels": None}, settings)
    for force in (False, True):
        known = {**given, "output": folder, "force": force, "command": "mexport app build"}
        outcomes = pipeline.build_all(model, list(SAMPLE_TARGETS), console=settings.console(), **known)
        error = next((o.error for o in outcomes if o.error is not None), None)
        if not isinstance(error, UsageError):
            break
    if error is not None:
        raise error


On = Annotated[str | None, typer.Option("--on", help="adb:SERIAL; without it the only phone that is connected.", show_default=False)]
ApkFile = Annotated[Path, typer.Argument(help="The APK.")]
Model = Annotated[str, typer.Option("--model", help="Bundles in the app, with commas between; all: every one.")]
Runs = Annotated[int | None, typer.Option("--num-runs", min=1, help="Timed runs of each model, at least.", show_default="50")]
Warmup = Annotated[int | None, typer.Option("--warmup-runs", min=0, help="Untimed runs first.", show_default="5")]
Minutes = Annotated[float | None, typer.Option("--minutes", min=0, max=60, help="Sustained: each model runs so long.", show_default=False)]
Report = Annotated[Path | None, typer.Option("--output", "-o", help="Keep the app's report in this file too.", show_default=False)]
Picture = Annotated[Path, typer.Option("--output", "-o", help="The PNG.")]


def run_install(settings: Settings, apk: ApkFile = Path("demo.apk"), on: On = None) -> None:
    """Install the app on a phone."""
    from exporter.app.phone import chosen, install
    from exporter.cli import parse

    file, phone = parse.existing(apk, "APK"), chosen(on)
    with settings.console().stage(f"installing on {phone.serial}"):
        install(phone, file)
    settings.emit({"on": f"adb:{phone.serial}", "apk": str(apk)}, f"installed on {phone.serial}")


def run_run(
    settings: Settings, *, model: Model = "all", num_runs: Runs = None, warmup_runs: Warmup = None, minutes: Minutes = None,
    output: Report = None, on: On = None,
) -> None:  # fmt: skip
    """Time the models in the installed app, its screen in front."""
    from exporter.app.phone import Asked, chosen, run_app

    asked = Asked(model, "measure", settings.threads, num_runs, warmup_runs, minutes)
    phone = chosen(on)
    with settings.console().stage(f"measuring on {phone.serial}"):
        _finish(settings, run_app(phone, asked), output)


def run_test(settings: Settings, *, model: Model = "all", output: Report = None, on: On = None) -> None:
    """Run the bundles' reference inputs on the phone and hold the outputs against this computer's."""
    from exporter.app.phone import Asked, chosen, run_app

    phone = chosen(on)
    with settings.console().stage(f"checking on {phone.serial}"):
        _finish(settings, run_app(phone, Asked(model, "check")), output)


def run_pull(settings: Settings, *, output: Report = None, on: On = None) -> None:
    """Fetch the app's latest report, also of what was measured by hand."""
    from exporter.app.phone import chosen, pull_results

    place = output or Path("results.json")
    _finish(settings, pull_results(chosen(on), place), None)


def run_screenshot(settings: Settings, *, output: Picture = Path("screen.png"), on: On = None) -> None:
    """Take a picture of what the phone shows."""
    from exporter.app.phone import chosen, screenshot

    screenshot(chosen(on), output)
    settings.emit({"path": str(output)}, str(output))


def run_bench(
    settings: Settings, *, bundles: Folders = None, num_runs: Runs = None, warmup_runs: Warmup = None, minutes: Minutes = None,
    output: Report = None, on: On = None,
) -> None:  # fmt: skip
    """Build, install, check and measure in one; times that count become the bundles' own, as measured."""

    from exporter.app.build import build_apk
    from exporter.app.phone import Asked, chosen, install, run_app
    from exporter.app.results import record

    phone, console, found = chosen(on), settings.console(), found_bundles(settings, bundles)
    with Scratch() as folder:
        apk = build_apk(found, Path(folder, "demo.apk"), abis=_abis(found), console=console)
        with console.stage(f"installing on {phone.serial}"):
            install(phone, apk.path)
    with console.stage(f"measuring on {phone.serial}"):
        report = run_app(phone, Asked("all", "all", settings.threads, num_runs, warmup_runs, minutes))
    recorded = record(report, found)
    console.say(f"written into {len(recorded)} of {len(found)} manifests")
    _finish(settings, report, output)


def _abis(bundles: "list[Bundle]") -> list[str]:
    return sorted({b.manifest["target"]["abi"] for b in bundles})


def _finish(settings: Settings, report: dict[str, Any], output: Path | None) -> None:
    """Show a report; outputs that are not right end the command with their exit code."""
    import json

    from exporter.app.phone import failed_checks
    from exporter.app.results import bench_facts
    from exporter.cli.text import app_text
    from exporter.errors import ParityError

    if output is not None:
        output.write_text(json.dumps(report) + "\n", encoding="utf-8")
    settings.emit({**bench_facts(report), "report": report}, app_text(report))
    if wrong := failed_checks(report):
        raise ParityError(f"not the same on the phone: {'; '.join(wrong)}", hint="mexport verify --on docker:arm64 shows whether it is ARM")


BUILD_EXAMPLES = """
Examples:
mexport app build
mexport app build out -o demo.apk
mexport app build out/model--ncnn-arm64 --abi arm64-v8a --abi x86_64
"""

add(app, run_setup, "setup", epilog="Example:\nmexport app setup --yes")
add(app, run_build, "build", epilog=BUILD_EXAMPLES)
add(app, run_install, "install", epilog="Example:\nmexport app install demo.apk --on adb:R58M12ABCDE")
add(app, run_run, "run", epilog="Example:\nmexport app run --model fashion--ncnn-arm64 --num-runs 200")
add(app, run_test, "test", epilog="Example:\nmexport app test --on adb:R58M12ABCDE")
add(app, run_pull, "pull", epilog="Example:\nmexport app pull -o results.json")
add(app, run_screenshot, "screenshot", epilog="Example:\nmexport app screenshot -o screen.png")
add(app, run_bench, "bench", epilog="Example:\nmexport app bench out --on adb:R58M12ABCDE")
