"""Our own files, made by the real command line in a process of its own."""

import json
import os
import subprocess
import sys
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


def mexport(*words: str | Path) -> str:
    """Run our command; returns its standard output.

    Raises:
        RuntimeError: With the last lines of its standard error, when it fails.
    """
    env = {"MEXPORT_CACHE": str(work_folder().resolve() / "cache"), **os.environ, "NO_COLOR": "1"}
    command = [sys.executable, "-m", "exporter", *map(str, words)]
    done = subprocess.run(command, env=env, timeout=TIMEOUT_S, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"exit code {done.returncode}: {' | '.join(done.stderr.strip().splitlines()[-3:])}"[:600])
    return done.stdout


def build(source: Path, file_format: str, *flags: str) -> Built:
    """Build a source for one format at fp32, afresh."""
    out, target = work_folder() / "ours", TARGETS[file_format]
    mexport("build", source, "--target", target, "--precision", "fp32", "-o", out, "--force", "--json", *flags)
    folder = max(out.glob(f"*--{target}"), key=lambda p: p.stat().st_mtime)
    return Built(folder, json.loads((folder / "manifest.json").read_text()))
