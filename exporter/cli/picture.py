"""`--picture FILE`: what can be drawn, and drawing it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from exporter.errors import UsageError


def check_picture(picture: Path | None, layers: bool) -> None:
    """Before any work: is there going to be something to draw, and can it be put there?

    Raises:
        UsageError: If not.
    """
    if picture is None:
        return
    if not layers:
        raise UsageError("--picture draws layers, and --layers is not given", hint="add --layers")
    if picture.suffix.lower() != ".svg":
        raise UsageError(f"--picture {picture}: pictures are written as SVG", hint=f"--picture {picture.with_suffix('.svg')}")
    if not picture.parent.is_dir():
        raise UsageError(f"--picture {picture}: there is no folder {picture.parent}", hint="make it, or give another one")


def draw(picture: Path | None, view: Sequence[Mapping[str, Any]]) -> None:
    """Write the picture.

    Raises:
        UsageError: If no bundle has rounded layers.
    """
    if picture is None:
        return
    from exporter.report.picture import layers_svg

    if not view:
        raise UsageError("no bundle here has rounded layers to draw", hint="build with --precision int8 or mixed")
    picture.write_text(layers_svg(view), encoding="utf-8")
