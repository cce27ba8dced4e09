"""Our own files, made by the real command line in a process of its own."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
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

    @property
    def runtime_options(self) -> dict[str, Any]:
        """What the engine is opened with, but for its threads."""
        return {k: v for k, v in self.manifest["runtime_options"].items() if k != "threads"}

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


def mexport(*words: str | Path, cache: Path | None = None, may_fail: bool = False) -> str:
    """Run our command; returns its standard output.

    Args:
        words: Of the command line.
        cache: Its store; None for one that all benchmarks share.
        may_fail: The answer tells what failed.

    Raises:
        RuntimeError: With the last lines of its standard error, when it fails.
    """
    env = {**os.environ, "MEXPORT_CACHE": str((cache or work_folder() / "cache").resolve()), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "exporter", *map(str, words)]
    done = subprocess.run(command, env=env, timeout=TIMEOUT_S, capture_output=True, text=True, check=False)
    if done.returncode != 0 and not may_fail:
        raise RuntimeError(f"exit code {done.returncode}: {' | '.join(done.stderr.strip().splitlines()[-3:])}"[:600])
    return done.stdout


def build_all(
    source: Path, *flags: str, formats: Sequence[str] = tuple(TARGETS), precision: str = "fp32", fresh: bool = False
) -> dict[str, Built | str]:
    """Build a source: format to its bundle, or to what went wrong.

    Args:
        source: The model.
        flags: More words.
        formats: Of "onnx", "tflite" and "ncnn".
        precision: The word after `--precision`.
        fresh: With an empty store, so that nothing is saved by an earlier run.
    """
    targets = [word for f in formats for word in ("--target", TARGETS[f])]
    words: tuple[str | Path, ...] = ("build", source, *targets, "--precision", precision, "-o", work_folder() / "ours", "--force", "--json")
    with tempfile.TemporaryDirectory(dir=work_folder()) as empty:
        answer = mexport(*words, *flags, cache=Path(empty) if fresh else None, may_fail=True)
    told = json.JSONDecoder().raw_decode(answer)[0]  # a failed target adds an error of its own
    if "error" in told and "outcomes" not in told:
        return dict.fromkeys(formats, f"{told['error']['message']}")
    by_target = {outcome["target"]: outcome for outcome in told["outcomes"]}
    return {f: _built(by_target[TARGETS[f]]) for f in formats}


def build(source: Path, file_format: str, *flags: str, precision: str = "fp32", fresh: bool = False) -> Built:
    """Build a source for one format.

    Raises:
        RuntimeError: Where `build_all` tells what went wrong.
    """
    built = build_all(source, *flags, formats=[file_format], precision=precision, fresh=fresh)[file_format]
    if isinstance(built, str):
        raise RuntimeError(built)
    return built


def _built(outcome: dict[str, Any]) -> Built | str:
    if outcome["path"] is None:
        return str(outcome["error"]["message"])
    folder = Path(outcome["path"])
    return Built(folder, json.loads((folder / "manifest.json").read_text()))
