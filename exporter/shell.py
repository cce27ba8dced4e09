"""The one door to outside programs: logged, bounded in time, the last lines of their output in the error."""

import contextlib
import logging
import os
import select
import shlex
import signal
import subprocess  # noqa: TID251 - this is the door
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter.errors import EngineError, MexportError, ToolError
from exporter.interrupt import uninterrupted

LOG = logging.getLogger(__name__)
LAST_LINES = 8


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program ended.

    Attributes:
        command: What was run.
        code: Its exit code; negative for a signal.
        stdout: All of it, as text.
        stderr: All of it, as text.
        seconds: Wall time.
    """

    command: tuple[str, ...]
    code: int
    stdout: str
    stderr: str
    seconds: float


def run(
    command: Sequence[str | Path],
    *,
    timeout_s: float = 600.0,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    check: bool = True,
    hint: str | None = None,
    error: type[MexportError] = EngineError,
) -> Ran:
    """Run a program to its end; it and all its children are ended when the time is up or we are interrupted.

    Args:
        command: The program and its words; no shell.
        timeout_s: Limit in seconds.
        cwd: Folder it runs in.
        env: Extra environment variables.
        stdin: Its input, as text.
        check: Whether an exit code other than 0 is an error.
        hint: The next step to name in an error.
        error: The class of error for a failure or a time-out.

    Raises:
        ToolError: If the program is missing or cannot be run.
        MexportError: Of class `error`, with the last lines of its output, if it fails or takes too long.
    """
    words = tuple(map(str, command))
    LOG.info("run: %s", shlex.join(words))
    started = time.monotonic()
    with _started(words, cwd, env) as process:
        try:
            stdout, stderr = process.communicate(stdin, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            tail = _tail(*_end(process))
            raise error(f"{words[0]}: not done within {timeout_s:g} s, stopped{tail}", hint=hint or "give it more time") from None
    ran = Ran(words, process.returncode, stdout, stderr, time.monotonic() - started)
    LOG.info("ended: %s with exit code %d after %.1f s", words[0], ran.code, ran.seconds)
    if check and ran.code != 0:
        raise error(f"{shlex.join(words)}: {_how(ran.code)}{_tail(stdout, stderr)}", hint=hint or "run again with -v")
    return ran


class Companion:
    """A program beside us that goes on until its standard input ends: with the block, or with this process, however that ends."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def line(self, limit_s: float) -> str | None:
        """Its next line; None where it has ended or the time is up."""
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], limit_s)[0]:
            return None
        return self._process.stdout.readline() or None

    def let_go(self, limit_s: float) -> tuple[int | None, str, str]:
        """End its standard input and wait.

        Returns:
            Its exit code, None where the time was up, and it was stopped; what it wrote since, to standard output and to standard error.
        """
        try:
            stdout, stderr = self._process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            return None, *_end(self._process)
        return self._process.returncode, stdout, stderr


@contextlib.contextmanager
def companion(command: Sequence[str | Path]) -> Iterator[Companion]:
    """Start a program that stays beside us; it is ended with the block.

    Raises:
        ToolError: If the program is missing or cannot be run.
    """
    words = tuple(map(str, command))
    LOG.info("beside us: %s", shlex.join(words))
    with _started(words) as process:
        yield Companion(process)


@contextlib.contextmanager
def _started(words: tuple[str, ...], cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Iterator["subprocess.Popen[str]"]:
    """A program, ended with the block."""
    with contextlib.ExitStack() as ending:
        with uninterrupted():
            process = _start(words, cwd, env)
            ending.callback(_stop, process)
        yield process


def _start(words: tuple[str, ...], cwd: Path | None, env: Mapping[str, str] | None) -> "subprocess.Popen[str]":
    try:
        return subprocess.Popen(
            words, cwd=cwd, env={**os.environ, **(env or {})}, text=True, errors="replace", start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
    except FileNotFoundError as problem:
        if cwd is not None and not cwd.is_dir():
            raise ToolError(f"the folder {cwd} does not exist", hint="check the path") from problem
        raise ToolError(f"the program {words[0]} is not installed", hint="install it; `mexport doctor` tells what is missing") from None
    except OSError as problem:
        raise ToolError(f"the program {words[0]} cannot be run: {problem.strerror}", hint="check its permissions and its kind") from None


def _stop(process: "subprocess.Popen[str]") -> None:
    """End it and its children, unless it was waited for."""
    if process.stdout is not None and not process.stdout.closed:
        _end(process)


def _end(process: "subprocess.Popen[str]") -> tuple[str, str]:
    """Kill the whole process group, and take what it wrote."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()
    return process.communicate()


def _how(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _tail(stdout: str, stderr: str) -> str:
    lines = (stderr.strip() or stdout.strip()).splitlines()[-LAST_LINES:]
    return "; it last wrote: " + " | ".join(lines) if lines else ""
