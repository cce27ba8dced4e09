"""A Python process of its own for work that may crash, hang or run foreign code: engines, frameworks.

The parent sends one request a line (JSON); arrays travel as `.npz` files in a private folder. A crash, a signal or a time-out
becomes one error of ours, with the last lines the child wrote.
"""

import json
import os
import select
import signal
import subprocess  # noqa: TID251 - the second door beside shell.run: a process that is spoken to
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np

from exporter.array import Array, save_arrays
from exporter.disk import Scratch
from exporter.errors import BY_CODE, EngineError, MexportError
from exporter.interrupt import uninterrupted

Reply = tuple[dict[str, Any], dict[str, Array]]


class Worker(Protocol):
    """A started `exporter.worker`, wherever it runs."""

    def send(self, line: bytes) -> None:
        """Write one line.

        Raises:
            BrokenPipeError: If it has ended.
        """

    def receive(self, limit_s: float) -> bytes | None:
        """Its next line; b"" when it has ended, None when the time is up."""

    def ending(self) -> str:
        """How it ended, in words: "killed by SIGSEGV; it last wrote: ..."."""

    def close(self) -> None:
        """End it; safe to call twice."""


class Launcher(Protocol):
    """Starts workers in one place."""

    @property
    def patience(self) -> float:
        """What time limits are multiplied with there."""

    def start(self, module: str, folder: Path, files: Sequence[Path], env: dict[str, str]) -> Worker:
        """Start a worker.

        Args:
            module: Where its `Session` class is, below `exporter`.
            folder: Where arrays go to and fro; the worker sees it under the same path.
            files: What else it must be able to read, under the same paths.
            env: Extra environment variables.
        """


class HostWorker:
    """A worker that is a child process of ours."""

    def __init__(self, module: str, folder: Path, env: dict[str, str]) -> None:
        self.log = folder / "stderr"
        env = {**os.environ, **env, "TMPDIR": str(folder)}  # what it unpacks goes with the folder, also when it is killed at that
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "exporter.worker", module],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=env,
            )  # fmt: skip

    def send(self, line: bytes) -> None:
        """Write one line."""
        assert self.process.stdin is not None
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def receive(self, limit_s: float) -> bytes | None:
        """Its next line; b"" when it has ended, None when the time is up."""
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], limit_s)[0]:
            return None
        return self.process.stdout.readline()

    def ending(self) -> str:
        """How it ended, in words."""
        code = self.process.wait()
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return how + last_words(self.log.read_text(errors="replace"))

    def close(self) -> None:
        """End the process; safe to call twice."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


class HostLauncher:
    """Starts workers as child processes of ours."""

    patience = 1.0

    def start(self, module: str, folder: Path, files: Sequence[Path], env: dict[str, str]) -> Worker:
        """Start a worker."""
        return HostWorker(module, folder, env)


def last_words(text: str) -> str:
    """The last lines that a program wrote, for an error."""
    last = text.strip().splitlines()[-3:]
    return "; it last wrote: " + " | ".join(last) if last else ""


class Child:
    """Runs `exporter.<module>.Session(**setup)` elsewhere and calls its methods by name.

    Args:
        module: Where the `Session` class is, below `exporter`, e.g. "runtimes.ncnn".
        setup: JSON arguments of the session.
        what: What runs there, for error messages, e.g. "ncnn on model.ncnn.param".
        timeout_s: Limit of one call, in seconds.
        error: The class of error for a crash or time-out.
        env: Extra environment variables.
        launcher: Where it runs; None for this computer.
        files: What it must be able to read there.
        wait: Until the session stands; else the first call waits for that, and raises what went wrong.

    Attributes:
        facts: What the session says of itself; empty until it stands.
    """

    def __init__(
        self,
        module: str,
        setup: dict[str, Any],
        *,
        what: str,
        timeout_s: float = 300.0,
        error: type[MexportError] = EngineError,
        env: dict[str, str] | None = None,
        launcher: Launcher | None = None,
        files: Sequence[Path] = (),
        wait: bool = True,
    ) -> None:
        launcher = launcher or HostLauncher()
        self.what, self.timeout_s, self.error = what, timeout_s * launcher.patience, error
        self.count = 0
        self.facts: dict[str, Any] = {}
        self.unanswered: dict[str, Any] | None = None
        self._ending = ExitStack()
        try:
            with uninterrupted():  # what is started here is ended by `close`, or by nobody
                self.folder = Path(self._ending.enter_context(Scratch()))
                self.worker = launcher.start(module, self.folder, files, env or {})
                self._ending.callback(self.worker.close)
            self.unanswered = self._ask("__init__", setup)
            if wait:
                self.stand()
        except BaseException:
            self.close()
            raise

    def stand(self) -> None:
        """Wait until the session stands.

        Raises:
            MexportError: As `call` does; the process is ended then.
        """
        if self.unanswered is None:
            return
        request, self.unanswered = self.unanswered, None
        try:
            self.facts, _ = self._answer(request, self.timeout_s)
        except BaseException:
            self.close()
            raise

    def call(self, verb: str, arrays: dict[str, Array] | None = None, *, timeout_s: float | None = None, **args: Any) -> Reply:
        """Call one method; returns its facts (JSON) and its arrays.

        Raises:
            MexportError: What the method raised if it is one of ours, else `error` naming `what`, for a crash or time-out too.
        """
        self.stand()
        return self._answer(self._ask(verb, args, arrays), timeout_s or self.timeout_s)

    def _ask(self, verb: str, args: dict[str, Any], arrays: dict[str, Array] | None = None) -> dict[str, Any]:
        """Send a request; returns it."""
        self.count += 1
        request: dict[str, Any] = {"verb": verb, "args": args}
        if arrays is not None:
            request["arrays"] = str(self.folder / f"in{self.count}.npz")
            save_arrays(request["arrays"], arrays)
        request["reply"] = str(self.folder / f"out{self.count}.npz")
        try:
            self.worker.send(json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            raise self._died() from None
        return request

    def _answer(self, request: dict[str, Any], limit: float) -> Reply:
        """Wait for a request's answer, at most so many seconds."""
        line = self.worker.receive(limit)
        if line is None:
            self.close()
            raise self.error(f"{self.what}: no answer within {limit:g} s, stopped", hint="give it more time or a smaller input")
        if not line:
            raise self._died()
        return self._unpack(json.loads(line), request)

    def _unpack(self, reply: dict[str, Any], request: dict[str, Any]) -> Reply:
        if "arrays" in request:
            Path(request["arrays"]).unlink()
        if "error" in reply:
            kind = BY_CODE.get(reply["code"], self.error)
            message = reply["error"] if kind is not self.error or reply["code"] else f"{self.what}: {reply['error']}"
            raise kind(message, hint=reply["hint"])
        arrays: dict[str, Array] = {}
        if reply["arrays"]:
            with np.load(request["reply"], allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            Path(request["reply"]).unlink()
        return reply["facts"], arrays

    def _died(self) -> MexportError:
        how = self.worker.ending()
        self.close()
        return self.error(f"{self.what}: the process was {how}", hint="the file may be damaged; build it again, or run with -v")

    def close(self) -> None:
        """End the process and remove its folder; safe to call twice."""
        self._ending.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
