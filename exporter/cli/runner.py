"""`mexport runner build|setup|status|native`: what runs files that are not for this computer."""

from typing import Annotated

import typer

from exporter.cli.command import Settings, add

app = typer.Typer(no_args_is_help=True, help="What runs files that are not for this computer: made once, kept in the cache.")
Abis = Annotated[list[str] | None, typer.Option("--abi", help="arm64-v8a, armeabi-v7a, x86_64; repeatable.", show_default="arm64-v8a")]
Layers = Annotated[
    str | None, typer.Option("--layers", help="Only these kinds of ncnn layer: convolution,pooling; default: all.", show_default=False)
]


Platforms = Annotated[list[str] | None, typer.Option("--platform", help="arm64 or armv7; repeatable.", show_default="arm64")]
Registry = Annotated[bool, typer.Option("--registry/--no-registry", help="Whether Debian's own base image is asked for.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without, it is only told.")]


def run_build(settings: Settings, platform: Platforms = None, registry: Registry = True) -> None:
    """Build the image that ARM files run in: from debian:bookworm-slim, or from Debian's packages where no registry is reached."""
    from exporter.devices.engine import require_engine
    from exporter.devices.images import build_image
    from exporter.devices.platforms import find_platform

    chosen = [find_platform(name) for name in platform or ["arm64"]]
    console, docker = settings.console(), require_engine()
    built = [build_image(docker, p, console.say, registry=registry) for p in chosen]
    lines = [f"{b.reference}  {b.bytes / 2**20:.0f} MiB, from {b.base}, {b.seconds:.0f} s" for b in built]
    settings.emit({"images": [b.as_dict() for b in built]}, "\n".join(lines))


def run_setup(settings: Settings, yes: Yes = False, platform: Platforms = None) -> None:
    """Set this computer up for emulated ARM (Debian, Ubuntu; root): packages, the Docker engine, the kernel's entry, the image."""
    from exporter.devices.platforms import find_platform
    from exporter.devices.setup import require_debian, steps

    chosen, console = [find_platform(name) for name in platform or ["arm64"]], settings.console()
    if yes:
        require_debian()
    done = []
    for step in steps(chosen, console.say):
        if yes:
            with console.stage(step.what):
                step.do()
        done.append({"what": step.what, "command": step.command, "done": yes})
    lines = [f"{s['what']}" if yes else f"would {s['what']}: {s['command']}" for s in done]
    text = "\n".join(lines) or "everything is there"
    settings.emit({"steps": done}, text if yes or not done else f"{text}\nmexport runner setup --yes does it")


def run_status(settings: Settings) -> None:
    """Say what is there to run ARM files and to count their instructions: engine, emulators, images, compilers."""
    from exporter.cli.text import table
    from exporter.doctor import arm

    found = list(arm())
    rows = [("ok" if f.ok else "absent", f.name, f.found) for f in found]
    remedies = [f"{f.name}: {f.remedy}" for f in found if f.remedy]
    settings.emit({"findings": [f.as_dict() for f in found]}, "\n".join([table(("", "what", "found"), rows), *remedies]))


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


add(app, run_build, "build", epilog="Example:\nmexport runner build --platform arm64 --platform armv7")
add(app, run_setup, "setup", epilog="Example:\nmexport runner setup --yes")
add(app, run_status, "status")
add(app, run_native, "native", epilog="Example:\nmexport runner native --abi arm64-v8a --abi armeabi-v7a")
