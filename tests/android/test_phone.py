"""The app on a phone, without one: Android's answers as it writes them, and a real adbd with a script in place of `am`."""

import json
import shlex
from pathlib import Path

import pytest

from exporter.app import phone
from exporter.app.phone import Asked, answer
from exporter.devices.adb import Adb
from exporter.errors import DeviceError, DiskError, EngineError, IntegrityError
from tests.android.test_results import REPORT, RESULT
from tests.emulated.phone_kit import Container

HERE = Adb("SERIAL")
GOOD = json.dumps({**REPORT, "results": [{**RESULT, "artifact_sha256": "0" * 64}]})


def transcript(*pieces: str, end: str = "-1") -> str:
    """What `am instrument -w` writes (activity manager's Instrument.java)."""
    status = "".join(f"INSTRUMENTATION_STATUS: json={p}\nINSTRUMENTATION_STATUS_CODE: -1\n" for p in pieces)
    return f"{status}INSTRUMENTATION_RESULT: file=/storage/emulated/0/latest.json\nINSTRUMENTATION_CODE: {end}\n"


def test_a_report_comes_in_pieces() -> None:
    assert answer(HERE, transcript(GOOD[:100], GOOD[100:101], GOOD[101:])) == GOOD


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        ("android.util.AndroidException: INSTRUMENTATION_FAILED: dev.mexport.demo/.Headless", DeviceError, "the app is not on SERIAL"),
        ("INSTRUMENTATION_RESULT: error=this app has no model nobody\nINSTRUMENTATION_CODE: 0\n", EngineError, "no model nobody"),
        ("INSTRUMENTATION_RESULT: shortMsg=Process crashed.\nINSTRUMENTATION_CODE: 0\n", EngineError, "ended too early: Process crashed."),
        (transcript(GOOD).replace("INSTRUMENTATION_CODE: -1", ""), EngineError, "ended too early"),
        ("", EngineError, "ended too early: nothing"),
    ],
    ids=["not installed", "refused", "crashed", "cut off", "silent"],
)
def test_what_android_says_instead(said: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        answer(HERE, said)


def test_only_what_was_asked_for_is_said() -> None:
    assert Asked().words() == ["-e", "model", "all", "-e", "what", "all"]
    assert Asked(runs=9, minutes=1.5).words()[6:] == ["-e", "runs", "9", "-e", "minutes", "1.5"]


def place(device: Container, name: str, script: str) -> None:
    """Put a script where the container's shell finds it."""
    words = f"printf %s {shlex.quote(script)} > /usr/bin/{name} && chmod 755 /usr/bin/{name}"
    assert device.container.exec_run(["sh", "-c", words]).exit_code == 0


def test_run_pull_and_screenshot_through_a_real_adbd(adb_device: Container, tmp_path: Path) -> None:
    here = Adb(adb_device.serial)
    place(adb_device, "am", f"#!/bin/sh\nprintf %s {shlex.quote(transcript(GOOD[:500], GOOD[500:]))}\n")
    place(adb_device, "screencap", '#!/bin/sh\nprintf "\\211PNG" > "$2"\n')
    assert phone.run_app(here, Asked())["results"][0]["ms"] == [1.0, 2.0, 3.0]
    folder = str(Path(phone.RESULTS).parent)
    adb_device.container.exec_run(["sh", "-c", f"mkdir -p {folder} && printf %s {shlex.quote(GOOD)} > {phone.RESULTS}"])
    assert phone.pull_results(here, tmp_path / "results.json")["device"]["model"] == "Phone 8"
    phone.screenshot(here, tmp_path / "screen.png")
    assert (tmp_path / "screen.png").read_bytes() == b"\x89PNG"
    assert "mexport-screen.png" not in adb_device.files()
    adb_device.container.exec_run(["sh", "-c", f"printf half > {phone.RESULTS}"])
    with pytest.raises(IntegrityError, match="no JSON"):
        phone.pull_results(here, tmp_path / "results.json")


@pytest.mark.parametrize(
    ("refusal", "error", "words"),
    [
        ("INSTALL_FAILED_UPDATE_INCOMPATIBLE: signatures do not match", DeviceError, "another computer's key"),
        ("INSTALL_FAILED_NO_MATCHING_ABIS: res=-113", DeviceError, "no engines for"),
        ("INSTALL_FAILED_INSUFFICIENT_STORAGE", DiskError, "is full"),
        ("INSTALL_PARSE_FAILED_NO_CERTIFICATES: odd", DeviceError, "refuses the app: INSTALL_PARSE_FAILED_NO_CERTIFICATES"),
    ],
)
def test_refused_installs_are_explained(
    adb_device: Container, tmp_path: Path, refusal: str, error: type[Exception], words: str
) -> None:  # fmt: skip
    apk = tmp_path / "demo.apk"
    apk.write_bytes(b"PK" * 1000)
    for name in ("pm", "cmd"):
        place(adb_device, name, f"#!/bin/sh\necho 'Failure [{refusal}]'\nexit 1\n")
    with pytest.raises(error, match=words):
        phone.install(Adb(adb_device.serial), apk)


def test_an_install_that_works(adb_device: Container, tmp_path: Path) -> None:
    apk = tmp_path / "demo.apk"
    apk.write_bytes(b"PK" * 1000)
    for name in ("pm", "cmd"):
        place(adb_device, name, "#!/bin/sh\necho Success\n")
    phone.install(Adb(adb_device.serial), apk)
