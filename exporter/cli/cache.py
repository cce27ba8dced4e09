"""`mexport cache ls|gc`."""

from typing import Annotated

import typer

from exporter.cli.command import Settings, add

app = typer.Typer(no_args_is_help=True, help="What is kept between builds: loaded graphs, reference outputs.")
Limit = Annotated[float, typer.Option("--limit-gib", min=0, help="Keep at most so much; the least recently used goes first.")]


def run_ls(settings: Settings) -> None:
    """List what is cached."""
    from dataclasses import asdict

    from exporter.cli.text import size, table
    from exporter.store import Store

    store = Store()
    entries = store.ls()
    rows = [(e.kind, e.key[:12], size(e.bytes)) for e in entries]
    text = f"{store.root}\n{table(('kind', 'key', 'size'), rows)}" if rows else f"{store.root}: empty"
    settings.emit({"root": str(store.root), "entries": [asdict(e) for e in entries]}, text)


def run_gc(settings: Settings, limit_gib: Limit = 0.0) -> None:
    """Remove what is cached, down to a limit."""
    from dataclasses import asdict

    from exporter.cli.text import size
    from exporter.store import Store

    freed = Store().gc(int(limit_gib * 1024**3))
    said = f"{freed.entries} entries removed, {size(freed.bytes)} freed"
    settings.emit(asdict(freed), said + (f"; {freed.in_use} in use and kept" if freed.in_use else ""))


add(app, run_ls, "ls")
add(app, run_gc, "gc", epilog="Example:\nmexport cache gc --limit-gib 2")
