"""`mexport runner native`: what runs files that are not for this computer."""

from typing import Annotated

import typer

from exporter.cli.command import Settings, add

app = typer.Typer(no_args_is_help=True, help="What runs files that are not for this computer: made once, kept in the cache.")
Abis = Annotated[list[str] | None, typer.Option("--abi", help="arm64-v8a, armeabi-v7a, x86_64; repeatable.", show_default="arm64-v8a")]
Layers = Annotated[
    str | None, typer.Option("--layers", help="Only these kinds of ncnn layer: convolution,pooling; default: all.", show_default=False)
]


def run_native(settings: Settings, abi: Abis = None, layers: Layers = None) -> None:
    """Build the program that runs ncnn files on a phone: some ten minutes on two cores, once."""
    from exporter.cli.text import facts_text
    from exporter.devices.abi import find_abi
    from exporter.devices.native import build_runner
    from exporter.store import Store

    kept = [word for word in (layers or "").split(",") if word]
    names = [find_abi(name).name for name in abi or ["arm64-v8a"]]
    with Store() as store:
        built = [build_runner(store, name, layers=kept, console=settings.console()) for name in names]
    facts = [{"path": str(b.path), **{k: v for k, v in b.facts.items() if k != "made_from"}} for b in built]
    settings.emit({"runners": facts}, "\n\n".join(facts_text(f) for f in facts))


add(app, run_native, "native", epilog="Example:\nmexport runner native --abi arm64-v8a --abi armeabi-v7a")
