"""Fixtures of the tests that count."""

import shutil

import pytest

from tests.conftest import require
from tests.cost.tiny import COMPILER


@pytest.fixture(scope="session")
def qemu() -> None:
    """qemu's user emulation, which counts, and a C compiler for the plugin."""
    if shutil.which("qemu-aarch64") is None:
        require("qemu-aarch64 is not installed", "qemu")
    if COMPILER is None:
        require("no C compiler is installed", "qemu")
