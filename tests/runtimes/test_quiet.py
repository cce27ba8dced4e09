"""Engines do what they are asked, and nothing beside it."""

import os
import subprocess
import sys

COUNT = "import onnxruntime, os; print(len(os.listdir('/proc/self/task')))"


def threads(program: str, **env: str) -> int:
    """Threads of a fresh process at its end; numpy's own pool is left out."""
    kept = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    ran = subprocess.run(
        [sys.executable, "-c", program], env={**kept, "OPENBLAS_NUM_THREADS": "1", **env}, capture_output=True, text=True, check=True
    )
    return int(ran.stdout)


def test_onnxruntime_reports_nothing_home():
    """Its telemetry starts threads and asks for its server's address as soon as it is imported."""
    assert threads(f"import exporter; {COUNT}") == 1


def test_a_user_may_say_otherwise():
    said = "import exporter, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    assert threads(said, ORT_DISABLE_TELEMETRY="0") == 0
