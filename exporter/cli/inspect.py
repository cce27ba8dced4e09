"""`mexport inspect`."""

from exporter.cli import options as o
from exporter.cli.command import Settings
from exporter.cli.flags import LoadFlags

NAME = "inspect"
EXAMPLES = """
Examples:
mexport inspect model.keras
mexport inspect net.onnx --json
mexport inspect model.tflite
"""


def run(
    settings: Settings,
    *,
    model: o.Model,
    load: LoadFlags,
) -> None:
    """Show a model's operators, shapes, parameters and costs by layer, and what each format makes of it."""
    from exporter import inspection
    from exporter.cli import parse
    from exporter.cli.text import inspection_text

    facts = inspection.inspect(parse.existing(model, "model"), **load.reading())
    settings.emit(facts, inspection_text(facts))
