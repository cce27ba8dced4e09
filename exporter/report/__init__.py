"""What people read beside a built model, made from its manifest alone: report.md and USE.md."""

from collections.abc import Mapping
from typing import Any

from exporter.report.report import render
from exporter.report.use import usage

__all__ = ["documents", "render", "usage"]


def documents(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The texts of a bundle by file name."""
    return {"report.md": render(manifest), "USE.md": usage(manifest)}
