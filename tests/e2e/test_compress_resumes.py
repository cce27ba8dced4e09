"""`compress` that is killed while it trains goes on where it was."""

import json
import os
import signal
import time
from pathlib import Path

from exporter.sample import model_path
from tests.command import start
from tests.e2e.compress_inputs import RECIPE


def test_killed_while_training_it_goes_on(sample_npz: Path, tmp_path: Path) -> None:
    (tmp_path / "long.toml").write_text(RECIPE.replace("epochs = 2", "epochs = 12"))
    words = ["compress", model_path(), "--recipe", tmp_path / "long.toml", "--train", sample_npz, "-o", tmp_path / "small", "--json"]
    cache = tmp_path / "cache"
    process = start(*words, MEXPORT_CACHE=str(cache))
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and _epoch(cache) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    reached = _epoch(cache)
    assert 2 <= reached < 12
    assert not (tmp_path / "small").exists()
    process = start(*words, MEXPORT_CACHE=str(cache))
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    history = json.loads(out)["record"]["steps"][2]["history"]
    assert [e["epoch"] for e in history] == list(range(13))


def _epoch(cache: Path) -> int:
    """The last epoch of which there is a checkpoint; -1 before the first."""
    for facts in cache.glob("model/*/checkpoints-*/checkpoint/facts.json"):
        try:
            return int(json.loads(facts.read_text())["facts"]["epoch"])
        except (OSError, ValueError):
            return -1
    return -1
