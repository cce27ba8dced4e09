"""What is killed while it trains goes on where it was."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from exporter.disk import DRAFT
from exporter.sample import labels_path, model_path, pictures_path
from tests.command import start
from tests.e2e.compress_inputs import RECIPE
from tests.e2e.int8_words import QUICK, facts_of

LIMIT_S = 240.0


def test_compress(sample_npz: Path, tmp_path: Path) -> None:
    (tmp_path / "long.toml").write_text(RECIPE.replace("epochs = 2", "epochs = 12"))
    words = ("compress", model_path(), "--recipe", tmp_path / "long.toml", "--train", sample_npz, "-o", tmp_path / "small", "--json")
    before = killed(words, tmp_path / "cache", tmp_path / "small")
    assert len(before) < 13
    assert not (tmp_path / "small").exists()
    out = taken_up(words, tmp_path / "cache")
    history = json.loads(out)["record"]["steps"][2]["history"]
    assert [e["epoch"] for e in history] == list(range(13))


def test_training_with_rounded_numbers(tmp_path: Path) -> None:
    trained = ("--calibration", pictures_path(), "--train", pictures_path(), "--labels", labels_path(), "--qat", "0.5", *QUICK)
    words = ("build", "-t", "tflite-arm64", "--precision", "int8", *trained, "-o", tmp_path / "out")
    before = killed(words, tmp_path / "cache", tmp_path / "out")
    taken_up(words, tmp_path / "cache")
    history = facts_of(tmp_path / "out", "tflite-arm64")["steps"][-1]["history"]
    assert history[: len(before)] == before, "what was trained before the kill is not trained again"
    assert [e["epoch"] for e in history] == sorted({e["epoch"] for e in history})
    assert not list((tmp_path / "out").glob(f"{DRAFT}*"))
    assert len(history) > len(before)


def killed(words: tuple[str | Path, ...], cache: Path, out: Path) -> list[dict[str, Any]]:
    """Start a command, kill it when it has trained two epochs; the epochs that its checkpoint holds."""
    process = start(*words, MEXPORT_CACHE=str(cache))
    ends = time.monotonic() + LIMIT_S
    while len(epochs(cache)) < 3:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < ends
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not [path for path in out.glob("*") if not path.name.startswith(DRAFT)], "only a draft, which the next run sweeps"
    return epochs(cache)


def taken_up(words: tuple[str | Path, ...], cache: Path) -> str:
    """Run it to its end; what it prints."""
    process = start(*words, MEXPORT_CACHE=str(cache))
    out, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, err
    return out


def epochs(cache: Path) -> list[dict[str, Any]]:
    """The epochs in the checkpoint below a cache, the untrained net first; none before there is one."""
    for facts in cache.glob("model/**/checkpoint/facts.json"):
        try:
            return list(json.loads(facts.read_text())["facts"]["history"])
        except (OSError, ValueError):  # just being replaced
            return []
    return []
