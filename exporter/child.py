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
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from exporter.array import Array
from exporter.errors import BY_CODE, EngineError, MexportError

Reply = tuple[dict[str, Any], dict[str, Array]]


class Child:
    """Runs `exporter.<module>.Session(**setup)` elsewhere and calls its methods by name.

    Args:
        module: Where the `Session` class is, below `exporter`, e.g. "runtimes.ncnn".
        setup: JSON arguments of the session.
        what: What runs there, for error messages, e.g. "ncnn on model.ncnn.param".
        timeout_s: Limit of one call, in seconds.
        error: The class of error for a crash or time-out.
        env: Extra environment variables.
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
    ) -> None:
        self.what, self.timeout_s, self.error = what, timeout_s, error
        self.folder = tempfile.TemporaryDirectory(prefix="mexport-")
        self.log = Path(self.folder.name, "stderr")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "exporter.worker", module],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env={**os.environ, **(env or {})},
            )  # fmt: skip
        self.count = 0
        try:
            self.facts, _ = self.call("__init__", **setup)
        except BaseException:
            self.close()
            raise

    def call(self, verb: str, arrays: dict[str, Array] | None = None, *, timeout_s: float | None = None, **args: Any) -> Reply:
        """Call one method; returns its facts (JSON) and its arrays.

        Raises:
            MexportError: What the method raised if it is one of ours, else `error` naming `what`, for a crash or time-out too.
        """
        self.count += 1
        request: dict[str, Any] = {"verb": verb, "args": args}
        if arrays is not None:
            request["arrays"] = str(Path(self.folder.name, f"in{self.count}.npz"))
            np.savez(request["arrays"], allow_pickle=False, **arrays)
        request["reply"] = str(Path(self.folder.name, f"out{self.count}.npz"))
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise self._died() from None
        limit = timeout_s or self.timeout_s
        if not select.select([self.process.stdout], [], [], limit)[0]:
            self.close()
            raise self.error(f"{self.what}: no answer within {limit:g} s, stopped", hint="give it more time or a smaller input")
        line = self.process.stdout.readline()
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
        code = self.process.wait()
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        last = self.log.read_text(errors="replace").strip().splitlines()[-3:]
        tail = "; it last wrote: " + " | ".join(last) if last else ""
        self.close()
        return self.error(f"{self.what}: the process was {how}{tail}", hint="the file may be damaged; build it again, or run with -v")

    def close(self) -> None:
        """End the process and remove its folder; safe to call twice."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self.folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
