"""Our own files, made by the real command line in a process of its own."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.sources import work_folder

TARGETS = {"onnx": "onnx-arm64", "tflite": "tflite-arm64", "ncnn": "ncnn-arm64"}
"""Format to the target that writes it."""

TIMEOUT_S = 1800


@dataclass(frozen=True)
class Built:
    """A finished bundle.

    Attributes:
        folder: Where it lies.
        manifest: Its manifest.
    """

    folder: Path
    manifest: dict[str, Any]

    @property
    def artifact(self) -> Path:
        """The file that an engine is pointed to."""
        return next(p for p in sorted(self.folder.iterdir()) if p.suffix in (".onnx", ".tflite", ".param"))

    def number(self, name: str) -> float:
        """One of the manifest's numbers."""
        return float(next(n["value"] for n in self.manifest["numbers"] if n["name"] == name))

    def rel(self, kind: str = "fidelity") -> float:
        """Largest `rel` over all outputs, also before their final softmax or sigmoid."""
        return max(_rels(self.manifest[kind]))


def _rels(facts: Any) -> list[float]:
    """Every value under a key `rel`, however deep."""
    if isinstance(facts, dict):
        return [v for k, v in facts.items() if k == "rel"] + [r for v in facts.values() for r in _rels(v)]
    return [r for v in facts for r in _rels(v)] if isinstance(facts, list) else []


def mexport(*words: str | Path, cache: Path | None = None) -> str:
    """Run our command; returns its standard output.

    Args:
        words: Of the command line.
        cache: Its store; None for one that all benchmarks share.

    Raises:
        RuntimeError: With the last lines of its standard error, when it fails.
    """
    env = {**os.environ, "MEXPORT_CACHE": str((cache or work_folder() / "cache").resolve()), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "exporter", *map(str, words)]
    done = subprocess.run(command, env=env, timeout=TIMEOUT_S, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"exit code {done.returncode}: {' | '.join(done.stderr.strip().splitlines()[-3:])}"[:600])
    return done.stdout


def build(source: Path, file_format: str, *flags: str, fresh: bool = False) -> Built:
    """Build a source for one format at fp32.

    Args:
        source: The model.
        file_format: "onnx", "tflite" or "ncnn".
        flags: More words.
        fresh: With an empty store, so that nothing is saved by an earlier run.
    """
    with tempfile.TemporaryDirectory(dir=work_folder()) as empty:
        words = (
            "build",
            source,
            "--target",
            TARGETS[file_format],
            "--precision",
            "fp32",
            "-o",
            work_folder() / "ours",
            "--force",
            "--json",
        )
        told = json.loads(mexport(*words, *flags, cache=Path(empty) if fresh else None))
    folder = Path(told["outcomes"][0]["path"])
    return Built(folder, json.loads((folder / "manifest.json").read_text()))
