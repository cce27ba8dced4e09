"""`mexport profile`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from exporter.cli import options as o
from exporter.cli.command import Settings

NAME = "profile"
EXAMPLES = """
Examples:
mexport profile out/model--ncnn-arm64
mexport profile out/model--tflite-arm64 --cpu cortex-a53,cortex-a76 --top 10
mexport profile net.onnx --picture cost.svg --trace trace.json
"""

Subject = Annotated[
    Path, typer.Argument(help="A bundle, a folder of bundles, or a bare .tflite, .onnx or .param file.", show_default=False)
]
On = Annotated[str, typer.Option("--on", help="Whose instructions: docker:arm64 or docker:armv7 (totals alone).")]
Cpu = Annotated[str | None, typer.Option("--cpu", help="Emulated cores: cortex-a53,cortex-a76; default cortex-a53.", show_default=False)]
Top = Annotated[int, typer.Option("--top", min=1, help="Layers in the table, the costliest first.")]
Caches = Annotated[bool, typer.Option("--caches", help="Simulate the core's caches too, and count their misses (slower).")]
Picture = Annotated[Path | None, typer.Option("--picture", help="Draw the layers, FILE.svg.", show_default=False)]
Trace = Annotated[Path | None, typer.Option("--trace", help="Write Chrome-trace JSON, FILE.json.", show_default=False)]


def run(
    settings: Settings,
    *,
    file: Subject,
    on: On = "docker:arm64",
    cpu: Cpu = None,
    top: Top = 20,
    caches: Caches = False,
    picture: Picture = None,
    trace: Trace = None,
    input_shape: o.InputShapes = None,
    time_limit: o.TimeLimit = 900.0,
) -> None:
    """Count the instructions of one inference on an emulated ARM core, exactly, layer by layer.

    One thread, in the steady state. Instructions are no time: `mexport predict` makes time of them for known devices.
    """
    from exporter import profiling
    from exporter.cli import parse

    for place, suffix in ((picture, ".svg"), (trace, ".json")):
        _check_place(place, suffix)
    cores = [word.strip() for word in cpu.split(",") if word.strip()] if cpu else []
    results = profiling.profile_path(
        parse.existing(file, "bundle or file"), on=on, cores=cores, caches=caches, input_shapes=parse.shapes(input_shape),
        timeout_s=time_limit, seed=settings.seed, console=settings.console(),
    )  # fmt: skip
    settings.emit({"results": results}, "\n\n".join(profile_text(r, top) for r in results))
    _draw(results, picture, trace)


def _check_place(place: Path | None, suffix: str) -> None:
    from exporter.errors import UsageError

    if place is None:
        return
    if place.suffix.lower() != suffix:
        raise UsageError(f"{place}: this is written as {suffix}", hint=f"give {place.with_suffix(suffix)}")
    if not place.parent.is_dir():
        raise UsageError(f"{place}: there is no folder {place.parent}", hint="make it, or give another one")


def _draw(results: list[dict[str, Any]], picture: Path | None, trace: Path | None) -> None:
    """One file, or one a result: name--core before the suffix."""
    from exporter.report.cost import cost_svg, cost_trace

    for facts in results:
        more = f"-{facts['name']}-{facts['core']}" if len(results) > 1 else ""
        if picture is not None:
            picture.with_stem(picture.stem + more).write_text(cost_svg(facts), encoding="utf-8")
        if trace is not None:
            trace.with_stem(trace.stem + more).write_text(json.dumps(cost_trace(facts)), encoding="utf-8")


def profile_text(facts: Mapping[str, Any], top: int) -> str:
    """The whole in three lines, then the costliest layers."""
    from exporter.cli.text import size, table
    from exporter.report.cost import by_cost

    whole = facts["whole"]
    lines = [
        f"{facts['name']}: {whole['total']:,} instructions an inference, counted on {facts['core']} by qemu {facts['qemu']}; "
        f"{facts['engine']} {facts['version']}, 1 thread, spread {100 * facts['spread']:.3f} %"
    ]
    if any(facts["shares"].values()):
        classes = ", ".join(f"{name.replace('_', '/')} {100 * share:.1f} %" for name, share in facts["shares"].items())
        lines.append(f"{classes}; {size(whole['bytes_loaded'])} loaded, {size(whole['bytes_stored'])} stored")
    if whole["l1_misses"]:
        lines.append(f"lines of 64 bytes that a cache lacked: first level {whole['l1_misses']:,}, second level {whole['l2_misses']:,}")
    kinds = ", ".join(f"{k['kind']} {100 * k['share']:.1f} % ({k['layers']})" for k in facts["kinds"][:MOST_KINDS])
    wide = len(_HEAD) if any(facts["shares"].values()) else len(_HEAD) - len(_CLASSES)
    rows = [_row(x)[:wide] for x in by_cost(facts["layers"])[:top]]
    lines += [_parts(facts), f"by kind (layers): {kinds}", table(_HEAD[:wide], rows)]
    left = len(facts["layers"]) - top
    return "\n".join([*lines, *([f"and {left} more; --top {len(facts['layers'])} shows all"] if left > 0 else [])])


MOST_KINDS = 8
_CLASSES = ("load_store", "branch", "simd_fp", "alu")
_HEAD = ("layer", "kind", "work", "instructions", "share %", *(name.replace("_", "/") for name in _CLASSES))


def _row(layer: Mapping[str, Any]) -> tuple[Any, ...]:
    counts = layer["counts"]
    classes = (counts[name] for name in _CLASSES)
    work = "tensor" if layer["tensor_work"] else "non-tensor"
    return _short(layer["name"]), _short(layer["kind"]), work, counts["total"], f"{100 * layer['share']:.2f}", *classes


def _short(text: str, longest: int = 40) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


METHODS = {"marks": "each layer between marks of its own", "prefixes": "differences of files cut behind each layer"}


def _parts(facts: Mapping[str, Any]) -> str:
    shares = ", ".join(f"{words} {round(100 * facts[key], 1) + 0.0:.1f} %" for words, key in _PARTS)
    return f"{shares}; layers are {METHODS[facts['method']]}, their sum is {100 * facts['layers_over_whole']:.1f} % of the whole"


_PARTS = (("tensor work", "tensor_share"), ("non-tensor work", "non_tensor_share"), ("beside the layers", "beside_share"))
