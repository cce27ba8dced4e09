"""`mexport to-keras`."""

from pathlib import Path
from typing import Annotated

import typer

from exporter.cli import options as o
from exporter.cli.command import Settings
from exporter.cli.flags import LoadFlags

NAME = "to-keras"
EXAMPLES = """
Examples:
mexport to-keras net.onnx net.keras
mexport to-keras small/model.onnx small.keras --name small
mexport to-keras detector.onnx backbone.keras --outputs features
"""

File = Annotated[Path, typer.Argument(help="The .keras file to write.", show_default=False)]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that is there.")]


def run(
    settings: Settings,
    *,
    model: o.Model,
    file: File,
    load: LoadFlags,
    name: o.Name = None,
    force: Force = False,
) -> None:
    """Write any model as a Keras model of standard layers, to be trained by your own code; `mexport build` takes it back.

    The file loads without mexport, and batch norms are live. It is read again and compared before it is there. It is not compiled: say
    `compile(...)` before `fit(...)`.
    """
    from exporter import exchange
    from exporter.cli import parse

    source = parse.existing(model, "model")
    facts = exchange.to_keras(source, file, **load.reading(), name=name, force=force, console=settings.console())
    settings.emit(facts, _text(dict(facts)))


def _text(facts: dict[str, object]) -> str:
    from exporter.cli.text import facts_text

    notes = facts.pop("notes")
    assert isinstance(notes, list)
    return "\n".join([facts_text(facts), *(f"note: {note}" for note in notes)])
