"""What adb writes about phones that we cannot have here; each line was written by adb itself, or stands in its source."""

import pytest

from exporter.devices.abi import ABIS, abi_of_machine
from exporter.devices.adb import Adb, quoted
from exporter.devices.phone import Phone
from exporter.errors import DeviceError, DiskError, MexportError, UsageError


@pytest.mark.parametrize(
    ("said", "kind", "message", "hint"),
    [
        (
            "error: device unauthorized.\nThis adb server's $ADB_VENDOR_KEYS is not set\nTry 'adb kill-server' if that seems wrong.\n"
            "Otherwise check for a confirmation dialog on your device.",
            DeviceError, "has not authorised this computer", "Allow USB debugging",
        ),
        ("error: device offline", DeviceError, "is offline", "plug it in again"),
        ("offline\n", DeviceError, "is offline", "plug it in again"),
        (
            "adb: error: failed to copy 'a' to '/data/local/tmp/a': remote write failed: No space left on device",
            DiskError, "is full", "free some space",
        ),
        (
            "adb: error: failed to copy 'a' to '/data/local/tmp/a': remote couldn't create file: Permission denied",
            DeviceError, "does not let us write", "writable",
        ),
        (
            "* daemon not running; starting now at tcp:5037\n* failed to start daemon",
            DeviceError, "cannot be reached: adb.s server does not answer", "start-server",
        ),
        (
            "* daemon not running; starting now at tcp:5037\n* daemon started successfully\nerror: device unauthorized.",
            DeviceError, "has not authorised this computer", "unlock",
        ),
        ("something never seen", DeviceError, "broke off; adb last wrote: something never seen", "cable"),
        ("", DeviceError, "broke off$", "cable"),
    ],
)  # fmt: skip
def test_each_has_its_error_and_remedy(said: str, kind: type[MexportError], message: str, hint: str) -> None:
    with pytest.raises(kind, match=f"R58M12 {message}") as caught:
        Adb("R58M12").fail(said)
    assert hint in str(caught.value.hint)


def test_serials_of_the_network() -> None:
    assert Adb("192.168.0.7:5555").is_network
    assert not Adb("R58M12").is_network


def test_words_reach_the_phones_shell_whole() -> None:
    assert quoted("./a", "x y", "it's") == """./a 'x y' 'it'"'"'s'"""


def phone(*abis: str) -> Phone:
    return Phone("R58M12", "Maker One", abis, "14", "", "5.10", (), emulated=False)


def test_another_abi_is_refused_by_name() -> None:
    phone("arm64-v8a", "armeabi-v7a").require_abi(ABIS["armeabi-v7a"], "net")
    with pytest.raises(DeviceError, match="net is for armeabi-v7a; Maker One runs arm64-v8a"):
        phone("arm64-v8a").require_abi(ABIS["armeabi-v7a"], "net")


def test_abis_by_what_uname_says() -> None:
    assert abi_of_machine("aarch64") is ABIS["arm64-v8a"]
    assert abi_of_machine("armv8l") is ABIS["armeabi-v7a"]
    assert abi_of_machine("riscv64") is None


def test_an_unknown_abi_suggests_the_nearest() -> None:
    from exporter.devices.abi import find_abi

    with pytest.raises(UsageError, match="unknown ABI: arm64") as caught:
        find_abi("arm64")
    assert "arm64-v8a" in str(caught.value.hint)
