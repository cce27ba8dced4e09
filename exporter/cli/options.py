"""Options that several commands share, as annotations."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer


def complete_targets(incomplete: str) -> list[str]:
    """Names of shipped targets, for the shell's completion."""
    from exporter.target import list_targets

    return [name for name in list_targets() if name.startswith(incomplete)]


def complete_precisions(incomplete: str) -> list[str]:
    """Precisions, for the shell's completion."""
    from exporter.target import PRECISIONS

    return [name for name in PRECISIONS if name.startswith(incomplete)]


def complete_calibrators(incomplete: str) -> list[str]:
    """Calibrators, for the shell's completion."""
    from exporter.quantization.calibrators import CALIBRATORS

    return [name for name in ("auto", *CALIBRATORS) if name.startswith(incomplete)]


def _among(*names: str) -> Callable[[str], list[str]]:
    """Completion among a few fixed words."""
    return lambda incomplete: [name for name in names if name.startswith(incomplete)]


INT8 = "int8"
COMPRESSION = "Compression"

MODEL = "A .keras, .h5 or .onnx file or a SavedModel folder."

Model = Annotated[Path, typer.Argument(help=MODEL, show_default=False)]
OptionalModel = Annotated[Path | None, typer.Argument(help=f"{MODEL} Without it: the embedded sample.", show_default=False)]
Targets = Annotated[
    list[str],
    typer.Option("--target", "-t", help="A target's name or TOML file; repeatable.", autocompletion=complete_targets, show_default=False),
]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder for the bundles.")]
Precision = Annotated[
    str | None,
    typer.Option(
        "--precision",
        help="fp32, fp16, int8, mixed (int8 as far as it is worth it), int8-dynamic, int8-weights, int4-weights; default: the target's, "
        "with --calibration int8.",
        autocompletion=complete_precisions,
        show_default=False,
    ),
]
Calibration = Annotated[
    str | None,
    typer.Option(
        "--calibration", help="Pictures or arrays to take ranges from: some hundreds of training ones.", show_default=False,
        rich_help_panel=INT8,
    ),
]  # fmt: skip
AcceptCalibration = Annotated[
    bool, typer.Option("--accept-calibration", help="Use calibration data that looks wrong; it is recorded.", rich_help_panel=INT8)
]
Calibrator = Annotated[
    str,
    typer.Option(
        "--calibrator", help="How ranges are chosen; auto: for each value the one that loses least.",
        autocompletion=complete_calibrators, rich_help_panel=INT8,
    ),
]  # fmt: skip
Repair = Annotated[
    str,
    typer.Option(
        "--repair", help="none, default or thorough (slow on big nets): what is done against int8's loss.",
        autocompletion=_among("none", "default", "thorough"), rich_help_panel=INT8,
    ),
]  # fmt: skip
KeepFloat = Annotated[
    str | None, typer.Option("--keep-float", help="Layers that stay float: A,B.", show_default=False, rich_help_panel=INT8)
]
MinSqnrDb = Annotated[
    float | None,
    typer.Option(
        "--min-sqnr-db", help="Least signal over noise against the float model, in dB; default: the target's.", show_default=False,
        rich_help_panel=INT8,
    ),
]  # fmt: skip
Top1Drop = Annotated[
    float | None,
    typer.Option("--top1-drop", min=0, max=1, help="Most top-1 that may be lost, a share 0..1; needs --data.", show_default=False),
]


def complete_scores(incomplete: str) -> list[str]:
    """Scores of channels, for the shell's completion."""
    from exporter.compression.scoring import SCORERS

    return [name for name in SCORERS if name.startswith(incomplete)]


def _share(name: str, what: str) -> Any:
    """An option that says how much of something is left."""
    return typer.Option(name, min=0, max=1, help=f"Share of the {what} that is left, e.g. 0.5.", show_default=False,
                        rich_help_panel=COMPRESSION)  # fmt: skip


Macs = Annotated[float | None, _share("--macs", "multiply-accumulates")]
Params = Annotated[float | None, _share("--params", "parameters")]
Size = Annotated[float | None, _share("--size", "bytes")]
LatencyShare = Annotated[
    str | None,
    typer.Option(
        "--latency", help="Share of the time in the first target's engine that is left, measured on this host: 0.5x.", show_default=False,
        rich_help_panel=COMPRESSION,
    ),
]  # fmt: skip
Score = Annotated[
    str, typer.Option("--score", help="How much a channel matters.", autocompletion=complete_scores, rich_help_panel=COMPRESSION)
]
Scope = Annotated[
    str,
    typer.Option(
        "--scope",
        help="inner: one share for all layers, a larger one for residual streams; local: one for all; global: one threshold on scores.",
        autocompletion=_among("inner", "local", "global"),
        rich_help_panel=COMPRESSION,
    ),
]  # fmt: skip
Rounds = Annotated[int, typer.Option("--rounds", min=1, help="Prune in so many steps.", rich_help_panel=COMPRESSION)]
ChannelStep = Annotated[
    str | None,
    typer.Option(
        "--channel-step", help="Widths are multiples of it: a number, or what `mexport sweep` wrote; default: the target's.",
        show_default=False, rich_help_panel=COMPRESSION,
    ),
]  # fmt: skip
Skip = Annotated[
    str | None,
    typer.Option("--skip", help="Layers that keep their width: A,B.", show_default=False, rich_help_panel=COMPRESSION),
]
Minutes = Annotated[
    float | None,
    typer.Option(
        "--minutes", min=0, help="How long to train; 10 where --train is given, 0 for not at all.", show_default=False,
        rich_help_panel=COMPRESSION,
    ),
]  # fmt: skip
FreezeNorms = Annotated[
    bool,
    typer.Option(
        "--freeze-norms", help="Batch norms keep their statistics while training: nets fine-tuned with frozen norms need it.",
        rich_help_panel=COMPRESSION,
    ),
]  # fmt: skip
Train = Annotated[
    str | None,
    typer.Option(
        "--train", help="Pictures or arrays to train with: class folders, .npz, idx; a flat folder learns from the teacher alone.",
        show_default=False, rich_help_panel=COMPRESSION,
    ),
]  # fmt: skip
Teacher = Annotated[
    Path | None,
    typer.Option(
        "--teacher", help="Another model to learn from; default: the model as it came.", show_default=False, rich_help_panel=COMPRESSION
    ),
]
Qat = Annotated[
    float | None,
    typer.Option(
        "--qat", min=0, metavar="MINUTES", help="Train with rounded numbers for so long, where int8 loses too much; needs --train.",
        show_default=False, rich_help_panel=INT8,
    ),
]  # fmt: skip
Io = Annotated[
    str | None,
    typer.Option(
        "--io", help="Type of the inputs and outputs of an int8 file: float32 (default), int8 or uint8.",
        autocompletion=_among("float32", "int8", "uint8"), show_default=False, rich_help_panel=INT8,
    ),
]  # fmt: skip
Fastest = Annotated[bool, typer.Option("--fastest", help="Build every precision allowed; keep the fastest that holds its limits.")]
PLACES = ("host", "docker:arm64", "docker:armv7")
On = Annotated[
    str, typer.Option("--on", help="Where to run: host, docker:arm64, docker:armv7, adb:SERIAL.", autocompletion=_among(*PLACES))
]
Cpu = Annotated[
    str | None,
    typer.Option("--cpu", help="ARM cores to emulate: cortex-a53,cortex-a76; default: one of each kind of arithmetic.", show_default=False),
]
Layout = Annotated[str | None, typer.Option("--layout", help="nchw or nhwc, for onnx; default: the source's.", show_default=False)]
InputShapes = Annotated[
    list[str] | None, typer.Option("--input-shape", help="[NAME=]1,224,224,3 in the source's layout; repeatable.", show_default=False)
]
Inputs = Annotated[str | None, typer.Option("--inputs", help="Cut the model here: A,B become its inputs.", show_default=False)]
Outputs = Annotated[str | None, typer.Option("--outputs", help="Cut the model here: C,D become its outputs.", show_default=False)]
Signature = Annotated[
    str | None, typer.Option("--signature", help="Which signature of a SavedModel; default: serving_default.", show_default=False)
]
Name = Annotated[str | None, typer.Option("--name", help="The model's name.", show_default=False)]
Force = Annotated[bool, typer.Option("--force", help="Replace a bundle that holds another build.")]
Recipe = Annotated[
    Path | None,
    typer.Option(
        "--recipe", help="TOML file: how inputs are made (tables input.NAME), compression passes.", show_default=False,
        rich_help_panel=COMPRESSION,
    ),
]  # fmt: skip
Trust = Annotated[bool, typer.Option("--trust", help="Run code that the model or the data brings along.")]
CustomObjects = Annotated[
    str | None, typer.Option("--custom-objects", help="Module with the model's own layers; needs --trust.", show_default=False)
]
Samples = Annotated[str | None, typer.Option("--samples", help="Pictures or arrays to verify with.", show_default=False)]
RepairSamples = Annotated[
    str | None,
    typer.Option("--samples", help="Pictures or arrays to repair and verify with, where there is no --train.", show_default=False),
]
COMPRESSED = Path("compressed")
CompressOutput = Annotated[Path, typer.Option("--output", "-o", help="Folder for the model's files.")]
Data = Annotated[str, typer.Option("--data", help="Labelled pictures: class folders, .npz or idx.", show_default=False)]
OptionalData = Annotated[str | None, typer.Option("--data", help="Labelled pictures to count right answers on.", show_default=False)]
Labels = Annotated[Path | None, typer.Option("--labels", help="File with one class name a line.", show_default=False)]
Mean = Annotated[str | None, typer.Option("--mean", help="One number or one a channel, of pixels 0..255.", show_default=False)]
Std = Annotated[str | None, typer.Option("--std", help="One number or one a channel.", show_default=False)]
Color = Annotated[str | None, typer.Option("--color", help="rgb, bgr or gray.", show_default=False)]
Resize = Annotated[str | None, typer.Option("--resize", help="squash, crop:0.875 or letterbox.", show_default=False)]
WarmupRuns = Annotated[int, typer.Option("--warmup-runs", min=0, help="Untimed runs first.")]
NumRuns = Annotated[int, typer.Option("--num-runs", min=1, help="Timed runs.")]
TimeLimit = Annotated[float, typer.Option("--time-limit", min=1, help="Seconds that one emulated run may take.")]
