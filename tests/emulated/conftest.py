"""Fixtures of the tests on emulated ARM."""

from collections.abc import Iterator

import pytest

from exporter.devices.engine import Docker, find_engine
from exporter.devices.platforms import ARM64
from exporter.devices.probe import runs
from tests.conftest import require
from tests.emulated.phone_kit import adb_device, adb_engine, native_runner

__all__ = ["adb_device", "adb_engine", "native_runner"]


@pytest.fixture(scope="session")
def docker() -> Iterator[Docker]:
    """An engine that runs arm64 programs."""
    found = find_engine()
    if found is None:
        require("no Docker engine answers: `mexport runner setup --yes`", "docker")
    if not runs(found, ARM64):
        require("the Docker engine runs no linux/arm64 programs: `mexport runner setup --yes`", "docker")
    yield found
    found.client.close()
