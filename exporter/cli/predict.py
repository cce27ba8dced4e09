"""`mexport predict`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from exporter.cli import options as o
from exporter.cli.command import Settings

NAME = "predict"
EXAMPLES = """
Examples:
mexport predict out/model--ncnn-arm64 --device snapdragon-855-plus
mexport predict out/model--ncnn-arm64 --device all --int8 out8/model--ncnn-arm64
mexport predict out/model--ncnn-arm64 --device my-phone --core cortex-a76 --learn results.json
"""


def complete_devices(incomplete: str) -> list[str]:
    """Names of fitted devices, for the shell's completion."""
    from exporter.cost.prediction.published import published

    return [name for name in ("all", *published().names()) if name.startswith(incomplete)]


File = Annotated[Path, typer.Argument(help="An ncnn bundle, a folder of bundles, or a bare .param file.", show_default=False)]
Device = Annotated[
    str, typer.Option("--device", "-d", help="A device's name, or all.", autocompletion=complete_devices, show_default=False)
]
Int8 = Annotated[Path | None, typer.Option("--int8", help="The same net in int8: is it faster there?", show_default=False)]
Learn = Annotated[
    Path | None,
    typer.Option("--learn", help="What `mexport bench OUT --on adb:SERIAL --json` printed: kept as calibration.", show_default=False),
]
Core = Annotated[str | None, typer.Option("--core", help="Of a new device that times are learned of.", show_default=False)]


def run(
    settings: Settings,
    *,
    file: File,
    device: Device = "all",
    int8: Int8 = None,
    learn: Learn = None,
    core: Core = None,
    input_shape: o.InputShapes = None,
    time_limit: o.TimeLimit = 900.0,
) -> None:
    """Predict an ncnn file's latency on known devices: one thread, from exact counts and published tables, with its error.

    The error printed is that of published nets that the fit had not seen. A phone's own times make it smaller: --learn.
    """
    from exporter.cli import parse
    from exporter.errors import UsageError
    from exporter.forecasting.predict import predict_path

    if settings.threads not in (None, 1):
        raise UsageError(f"latency is predicted for one thread, not for {settings.threads}", hint="leave --num-threads out")
    if core is not None and learn is None:
        raise UsageError("--core goes with --learn: a device's core is known", hint="leave it out")
    facts = predict_path(
        parse.existing(file, "bundle or file"), device, int8=parse.existing(int8, "bundle") if int8 else None,
        results=parse.existing(learn, "file of results") if learn else None, core=core,
        input_shapes=parse.shapes(input_shape), timeout_s=time_limit, seed=settings.seed, console=settings.console(),
    )  # fmt: skip
    settings.emit(facts, predict_text(facts))


def predict_text(facts: Mapping[str, Any]) -> str:
    """A table a file, then one for each pair of files."""
    parts = [_learned_text(facts["learned"])] if facts["learned"] else []
    parts += [_result_text(r) for r in facts["results"]]
    parts += [_answer_text(a) for a in facts["int8"]]
    return "\n\n".join(parts)


def _learned_text(learned: Mapping[str, Any]) -> str:
    rows = ", ".join(f"{r['name']} {r['ms']:.3g} ms" for r in learned["learned"])
    return f"learned of {learned['device']} ({learned['core']}): {rows}; {learned['times']} times in {learned['file']}"


def _result_text(result: Mapping[str, Any]) -> str:
    from exporter.cli.text import table

    head = ("device", "core", "predicted ms", "from", "to", "held-out error", "nets", "own times")
    rows = [
        (p["device"], p["core"], *(_ms(p[key]) for key in ("ms", "low", "high")), f"{100 * p['held_out_error']:.1f} %",
         p["held_out_nets"], p["own_times"])
        for p in sorted(result["predictions"], key=lambda p: p["ms"])
    ]  # fmt: skip
    return f"{result['name']} ({result['precision']}), one thread, predicted; four of five published nets lie in such a band\n" + table(
        head, _without_zeros(head, rows)
    )


def _ms(value: float) -> str:
    """Three digits, no more are known."""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def _without_zeros(head: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The last column empty where nothing was learned."""
    return [(*row[: len(head) - 1], row[-1] or "") for row in rows]


def _answer_text(answer: Mapping[str, Any]) -> str:
    from exporter.cli.text import table

    words = {True: "yes", False: "no", None: "too close to tell"}
    rows = [
        (a["device"], a["core"], f"{a['ratio']:.2f}", f"{a['low']:.2f}", f"{a['high']:.2f}", words[a["faster"]])
        for a in sorted(answer["answers"], key=lambda a: a["ratio"])
    ]
    head = ("device", "core", "int8 / float", "from", "to", "faster?")
    return f"is {answer['int8']} in int8 faster than {answer['float']} in {answer['precision']}? predicted\n" + table(head, rows)
