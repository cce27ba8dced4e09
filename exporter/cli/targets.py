"""`mexport targets list|show|validate`."""

from pathlib import Path
from typing import Annotated

import typer

from exporter.cli import options as o
from exporter.cli.command import Settings, add

app = typer.Typer(no_args_is_help=True, help="The targets: which ship, what they say, whether yours is right.")
One = Annotated[str, typer.Argument(help="A target's name or TOML file.", autocompletion=o.complete_targets, show_default=False)]
Several = Annotated[list[Path], typer.Argument(help="TOML files.", show_default=False)]


def run_list(settings: Settings) -> None:
    """List the shipped targets."""
    from exporter.cli.text import table
    from exporter.target import list_targets, load_target

    found = [load_target(name) for name in list_targets()]
    rows = [(t.name, t.precision, t.summary) for t in found]
    settings.emit({"targets": [t.as_dict() for t in found]}, table(("name", "precision", "summary"), rows))


def run_show(settings: Settings, target: One) -> None:
    """Show what a target says."""
    from exporter.cli.text import facts_text
    from exporter.target import load_target

    facts = load_target(target).as_dict()
    settings.emit(facts, facts_text(facts))


def run_validate(settings: Settings, files: Several) -> None:
    """Check target files of your own."""
    from exporter.target import load_target

    names = [load_target(file).name for file in files]
    settings.emit({"valid": names}, "\n".join(f"{name}: valid" for name in names))


add(app, run_list, "list")
add(app, run_show, "show", epilog="Example:\nmexport targets show ncnn-arm64")
add(app, run_validate, "validate", epilog="Example:\nmexport targets validate my-phone.toml")
