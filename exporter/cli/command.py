"""What every command shares: the options that all accept, and how it ends - an exit code and a sentence, never a stack trace."""

import functools
import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from exporter.errors import MexportError

if TYPE_CHECKING:
    from exporter.console import Console

INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Settings:
    """The options that every command accepts.

    Attributes:
        json: Results as one JSON object on standard output.
        verbose: More words on standard error, stack traces too.
        quiet: No progress and no remarks.
        seed: Of everything random.
        threads: Threads of the engines; None for the target's or 1.
    """

    json: bool = False
    verbose: bool = False
    quiet: bool = False
    seed: int = 0
    threads: int | None = None

    def emit(self, facts: dict[str, Any], text: str) -> None:
        """Write the result: `facts` with --json, else `text`, if there is any."""
        if self.json or text:
            typer.echo(json.dumps(facts, indent=2, default=str) if self.json else text)

    def console(self) -> "Console":
        """Where progress goes."""
        from exporter.console import Console

        return Console(quiet=self.quiet, verbose=self.verbose)

    def remark(self, text: str) -> None:
        """Say something beside the result, on standard error."""
        if not self.quiet:
            typer.echo(text, err=True)


def _version(asked: bool) -> None:
    if asked:
        from exporter import __version__

        typer.echo(f"mexport {__version__}")
        raise typer.Exit


GLOBAL = "Everywhere"
Json = Annotated[bool, typer.Option("--json", help="Results as JSON.", rich_help_panel=GLOBAL)]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="More words; stack traces.", rich_help_panel=GLOBAL)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Results only.", rich_help_panel=GLOBAL)]
Seed = Annotated[int, typer.Option("--seed", help="Seed of everything random.", rich_help_panel=GLOBAL)]
Threads = Annotated[int | None, typer.Option("--num-threads", min=1, help="Threads of the engine.", rich_help_panel=GLOBAL)]
Version = Annotated[
    bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.", rich_help_panel=GLOBAL)
]

SHARED: dict[str, tuple[Any, Any]] = {
    "json": (Json, False), "verbose": (Verbose, False), "quiet": (Quiet, False), "seed": (Seed, 0),
    "threads": (Threads, None), "version": (Version, False),
}  # fmt: skip
"""Parameter name to (annotation, default) of the options that every command accepts."""


def add(app: typer.Typer, function: Callable[..., None], name: str, *, epilog: str = "") -> None:
    """Register `function(settings, ...)` as a command that also accepts the shared options.

    Args:
        app: Where to.
        function: Its first parameter gets the Settings; its docstring is the help. A parameter that is a dataclass stands for an
            option each field.
        name: Of the command.
        epilog: Examples, shown at the end of the help.
    """

    @functools.wraps(function)
    def command(**given: Any) -> int:
        shared = {key: given.pop(key) for key in SHARED}
        del shared["version"]
        settings = Settings(**shared)
        for parameter, group in groups.items():
            given[parameter] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        return ending(functools.partial(function, settings, **given), settings)

    signature = inspect.signature(function, eval_str=True)
    parameters = [p for p in signature.parameters.values() if p.name != "settings"]
    groups: dict[str, Any] = {p.name: p.annotation for p in parameters if is_dataclass(p.annotation)}
    own = [option for p in parameters for option in _options(p)]
    extra = [inspect.Parameter(k, inspect.Parameter.KEYWORD_ONLY, annotation=a, default=d) for k, (a, d) in SHARED.items()]
    keyword = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
    command.__signature__ = signature.replace(parameters=[*keyword, *extra], return_annotation=int)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in (*own, *extra)}
    del command.__wrapped__
    app.command(name, epilog=epilog.strip().replace("\n", "\n\n") or None)(command)


def _options(parameter: inspect.Parameter) -> list[inspect.Parameter]:
    """The parameter itself, or one for each field of a dataclass."""
    group = parameter.annotation
    if not is_dataclass(group):
        return [parameter]
    hints = get_type_hints(group, include_extras=True)
    return [inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, annotation=hints[f.name], default=f.default) for f in fields(group)]


def ending(work: Callable[[], None], settings: Settings) -> int:
    """Run a command's work; returns its exit code after saying what went wrong, if anything did."""
    try:
        work()
    except typer.Exit as wanted:
        return wanted.exit_code
    except KeyboardInterrupt:
        exec("pass")  # where it came through an exec, as in making a dataclass, CPython would end by SIGINT; the next exec undoes that
        typer.echo("interrupted", err=True)
        if settings.json:
            _tell_json("Interrupted", "interrupted", None, INTERRUPTED)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left: nothing more to say to it
        return 0
    except Exception as problem:
        return tell(problem, settings)
    return 0


def tell(problem: Exception, settings: Settings) -> int:
    """Say what went wrong, on standard error and with --json on standard output too; returns the exit code."""
    error = as_ours(problem)
    code = error.code if isinstance(error, MexportError) else 1
    message, hint = (error.message, error.hint) if isinstance(error, MexportError) else _unforeseen(error)
    if settings.verbose:
        traceback.print_exception(problem)
    typer.echo(f"error: {message}", err=True)
    if hint:
        typer.echo(f"hint: {hint}", err=True)
    if settings.json:
        _tell_json(type(error).__name__, message, hint, code)
    return code


def _tell_json(kind: str, message: str, hint: str | None, code: int) -> None:
    typer.echo(json.dumps({"error": {"type": kind, "message": message, "hint": hint, "exit_code": code}}, indent=2))


def as_ours(problem: Exception) -> Exception:
    """A full disk or a folder that cannot be written becomes a DiskError; everything else stays."""
    from exporter.disk import as_disk_error

    return (as_disk_error(problem) or problem) if isinstance(problem, OSError) else problem


def _unforeseen(problem: Exception) -> tuple[str, str]:
    first = (str(problem).strip() or "no message").splitlines()[0]
    return f"{type(problem).__name__}: {first}", "this is a defect of mexport; run again with -v and report what it prints"
