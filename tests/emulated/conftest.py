"""Fixtures of the tests on emulated ARM."""

from tests.emulated.phone_kit import adb_device, adb_engine, native_runner

__all__ = ["adb_device", "adb_engine", "native_runner"]
