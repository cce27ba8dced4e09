"""`mexport plan`."""

from exporter.cli import options as o
from exporter.cli.command import Settings
from exporter.cli.flags import BuildFlags, CompressionFlags, SourceFlags

NAME = "plan"
EXAMPLES = """
Examples:
mexport plan model.keras --target ncnn-arm64 --precision fp32
mexport plan model.keras --target tflite-arm64 --calibration train/
"""


def run(
    settings: Settings, *, model: o.Model, target: o.Targets, flags: BuildFlags, origin: SourceFlags, compression: CompressionFlags
) -> None:
    """Show what `build` would do: passes, settings, files; nothing is written."""
    from exporter import pipeline
    from exporter.cli import parse
    from exporter.cli.text import plan_text

    given = {**flags.given(settings), **origin.given(), **compression.given()}
    facts = pipeline.plan(parse.existing(model, "model"), target, compression.as_recipe(), **given)
    settings.emit(facts, plan_text(facts))
