"""`mexport compress`."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any

from exporter.cli import options as o
from exporter.cli.command import Settings
from exporter.cli.flags import CompressionFlags, SourceFlags
from exporter.interrupt import uninterrupted

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "compress"
EXAMPLES = """
Examples:
mexport compress model.keras --macs 0.5 --train train/ --minutes 30 -o small
mexport compress net.onnx --latency 0.5x --train train/ --data test/ -o small
mexport compress model.keras --macs 0.8 --samples pictures/ -o small
mexport compress model.keras --recipe small.toml --train train/ -o small
"""


def run(
    settings: Settings,
    *,
    model: o.Model,
    origin: SourceFlags,
    compression: CompressionFlags,
    output: o.CompressOutput = o.COMPRESSED,
    samples: o.RepairSamples = None,
    data: o.OptionalData = None,
    labels: o.Labels = None,
    force: o.Force = False,
) -> None:
    """Make a model smaller and faster: channels pruned, the rest repaired and trained again; written as .keras and .onnx.

    Without --train nothing is trained: channels are pruned lightly, and the rest is repaired on --samples.
    """
    with uninterrupted():
        from exporter.building.ahead import open_ahead
        from exporter.building.options import BuildOptions
        from exporter.cli import parse
        from exporter.cli.text import facts_text

    given = {
        **origin.given(), **compression.given(), "output": output, "samples": samples, "data": data, "labels": labels, "force": force,
        "seed": settings.seed, "threads": settings.threads, "command": shlex.join(["mexport", *sys.argv[1:]]),
    }  # fmt: skip
    with open_ahead(parse.existing(model, "model"), BuildOptions.of(given).load_options()) as source:
        with uninterrupted():
            from exporter import pipeline

        done = pipeline.compress(source, compression.as_recipe(always=True), console=settings.console(), **given)
    written = "up to date, nothing done\n" if done.up_to_date else ""
    notes = "\n".join(f"note: {note}" for note in done.record["notes"])
    text = f"{table_text(done.record['compression']['table'])}\n\n{written}{facts_text(done.as_dict()['files'])}\n{notes}".rstrip()
    settings.emit(done.as_dict(), text)


def table_text(rows: Sequence[dict[str, Any]]) -> str:
    """The model before and after each step."""
    from exporter.cli.text import size, table

    engines = list(dict.fromkeys(engine for row in rows for engine in row["latency"]))
    right = any(row["top1"] for row in rows)
    head = ["step", "params", "MACs", "memory access", "bytes", *(["top-1"] if right else []), *engines]
    body = [
        [
            row["step"], *(f"{row[name]:,} ({row['ratio'][name]:.2f}x)" for name in ("params", "macs", "memory_access")),
            size(row["bytes"]),
            *([f"{100 * row['top1']['value']:.2f} %" if row["top1"] else ""] if right else []),
            *(_time(row["latency"].get(engine)) or _start(rows, engine) for engine in engines),
        ]
        for row in rows
    ]  # fmt: skip
    return table(head, body)


def _start(rows: Sequence[dict[str, Any]], engine: str) -> str:
    """The model as it came is timed beside each step."""
    found = [row["latency"][engine]["start_ms"] for row in rows if engine in row["latency"]]
    return f"{found[-1]:.3g} ms (1.00x)"


def _time(found: dict[str, Any] | None) -> str:
    return f"{found['ms']:.3g} ms ({found['ratio']:.2f}x)" if found else ""
