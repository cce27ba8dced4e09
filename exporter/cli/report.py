"""`mexport report`."""

from pathlib import Path
from typing import Annotated

import typer

from exporter.cli.command import Settings

NAME = "report"
EXAMPLES = """
Examples:
mexport report out/
mexport report out/model--ncnn-arm64 --json
"""

Bundle = Annotated[Path, typer.Argument(help="A bundle or a folder of bundles.", show_default=False)]


def run(settings: Settings, bundle: Bundle) -> None:
    """Print a bundle's report: Markdown, or its manifest with --json."""
    from exporter.bundle import find_bundles
    from exporter.cli import parse
    from exporter.report import render

    bundles = find_bundles(parse.existing(bundle, "bundle"))
    facts = {"bundles": [{"path": str(b.path), "manifest": b.manifest} for b in bundles]}
    settings.emit(facts, "\n\n".join(render(b.manifest).strip() for b in bundles))
