"""What the static ncnn program is asked and what it answers; the words are those of `native/ncnn-runner/README.md`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.errors import EngineError

NOT_OPTIONS = ("threads", "input_shapes", "packed_outputs")
"""What stands among a file's options and is none of ncnn's."""

CRASHES = {132: "an instruction that this processor lacks", 134: "an abort", 137: "killed, perhaps for want of memory", 139: "a bad access"}
"""Exit code of a shell to what a signal means."""


@dataclass(frozen=True, slots=True)
class NcnnModel:
    """A file and what it is fed.

    Attributes:
        name: For messages.
        param: The `.param` file.
        weights: The `.bin` file; None for weights of zero.
        feeds: By input, without batch axis.
        outputs: Blobs that are read.
        options: The manifest's `runtime_options`.
    """

    name: str
    param: Path
    weights: Path | None
    feeds: Mapping[str, Array]
    outputs: Sequence[str]
    options: Mapping[str, Any] = field(default_factory=dict)

    def layers(self) -> set[str]:
        """Kinds of layer, by the names of ncnn's source files."""
        lines = self.param.read_text(errors="replace").splitlines()[2:]
        return {line.split()[0].lower() for line in lines if line.strip()}

    def write(self, folder: Path, prefix: str) -> dict[str, Path]:
        """Write the inputs: every file that the program reads, by its name where that runs."""
        files = {f"{prefix}.param": self.param} | ({f"{prefix}.bin": self.weights} if self.weights else {})
        for i, array in enumerate(self.feeds.values()):
            name = f"{prefix}.in{i}"
            np.ascontiguousarray(array, np.float32).tofile(folder / name)
            files[name] = folder / name
        return files

    def words(self, prefix: str) -> list[str]:
        """The program's words about this model, where its files have these names."""
        words = ["--param", f"{prefix}.param", *(["--bin", f"{prefix}.bin"] if self.weights else ["--zero-weights"])]
        for i, (name, array) in enumerate(self.feeds.items()):
            words += ["--input", f"{name}={','.join(map(str, array.shape))}", "--data", f"{name}={prefix}.in{i}"]
        for i, name in enumerate(self.outputs):
            words += ["--output", name, "--out", f"{name}={prefix}.out{i}"]
        for name, value in self.options.items():
            words += [] if name in NOT_OPTIONS else ["--option", f"{name}={str(bool(value)).lower()}"]
        return words


def answer(what: str, code: int, out: str, errors: str) -> dict[str, Any]:
    """The program's JSON.

    Raises:
        EngineError: If it failed: says how.
    """
    if code == 0:
        facts: dict[str, Any] = json.loads(out)
        return facts
    said = next((line.removeprefix("error: ") for line in reversed(errors.splitlines()) if line.startswith("error: ")), None)
    how = said or CRASHES.get(code) or f"exit code {code}"
    hint = "check that the file runs on this computer: `mexport verify`" if code != 2 else "build the file again"
    raise EngineError(f"ncnn on {what}: {how}", hint=hint)
