"""The commands under one name, and the process's exit code."""

import logging
import signal
import sys
import warnings
from collections.abc import Sequence
from types import FrameType
from typing import Any

import typer

from exporter.cli import (
    android,
    bench,
    build,
    cache,
    compress,
    doctor,
    evaluate,
    inspect,
    plan,
    predict,
    profile,
    report,
    runner,
    sweep,
    targets,
    to_keras,
    verify,
)
from exporter.cli.command import Settings, Version, add
from exporter.quick import start_quickly

app = typer.Typer(
    name="mexport",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: mexport build model.keras --target ncnn-arm64 -o out",
)
for module in (build, compress, plan, inspect, verify, evaluate, bench, profile, predict, sweep, to_keras, report, doctor):
    add(app, module.run, module.NAME, epilog=module.EXAMPLES)
app.add_typer(targets.app, name="targets")
app.add_typer(cache.app, name="cache")
app.add_typer(runner.app, name="runner")
app.add_typer(android.app, name="app")


@app.callback()
def about(version: Version = False) -> None:
    """A trained model comes in; a phone-ready model comes out, with the proof that it is still the same model."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit code."""
    start_quickly()
    signal.signal(signal.SIGTERM, _interrupt)
    if not {"-v", "--verbose"} & set(sys.argv):
        logging.getLogger().addHandler(logging.NullHandler())  # other projects' remarks are for -v
        warnings.simplefilter("ignore")
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))  # noqa: TID251 - this is the end of the process


def run(arguments: Sequence[str]) -> int:
    """Run the command line; returns the exit code."""
    from exporter.cli.command import ending
    from exporter.errors import UsageError

    settings = Settings(json="--json" in arguments, verbose=bool({"-v", "--verbose"} & set(arguments)))
    result = 0

    def work() -> None:
        nonlocal result
        try:
            result = app(args=list(arguments), standalone_mode=False, prog_name="mexport") or 0
        except Exception as problem:
            if not hasattr(problem, "format_message"):
                raise
            if type(problem).__name__ == "NoArgsIsHelpError":
                typer.echo(problem.format_message())
                raise typer.Exit(2) from None
            raise UsageError(problem.format_message(), hint=_hint(problem)) from None

    return ending(work, settings) or result


def _hint(problem: Exception) -> str:
    """What to do about a command line that cannot be parsed."""
    option, context = getattr(problem, "option_name", None), getattr(problem, "ctx", None)
    if context is not None and context.parent is None and option in _options(context.command):
        return f"options stand behind the command: mexport COMMAND {option}"
    return f"see `{context.command_path if context is not None else 'mexport COMMAND'} --help`"


def _options(group: Any) -> set[str]:
    """What the commands of a group take."""
    return {name for command in getattr(group, "commands", {}).values() for p in command.params for name in p.opts}


def _interrupt(number: int, frame: FrameType | None) -> None:
    """A polite request to end is answered like Ctrl-C: children ended, temporary files removed."""
    raise KeyboardInterrupt
