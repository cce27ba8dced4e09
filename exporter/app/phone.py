"""The app on a phone: installed, run without a finger, its answers fetched; every command through adb, for one phone by its serial."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.app.checks import PACKAGE
from exporter.app.results import read_results
from exporter.devices.adb import Adb, devices, quoted
from exporter.errors import DeviceError, DiskError, EngineError, MexportError
from exporter.place import ADB, require_kind
from exporter.shell import run

INSTALL_LIMIT_S = 300.0
SLACK_S = 600.0
"""Beyond what is asked for: loading, warming up, resting, reference inputs of many models."""

RESULTS = f"/sdcard/Android/data/{PACKAGE}/files/results/latest.json"
SCREEN = "/data/local/tmp/mexport-screen.png"
HEADLESS = f"{PACKAGE}/.Headless"
PIECE = "INSTRUMENTATION_STATUS: json="

REFUSALS: tuple[tuple[str, type[MexportError], str, str], ...] = (
    ("UPDATE_INCOMPATIBLE", DeviceError, "has the app with another computer's key", f"adb uninstall {PACKAGE} (its results go too)"),
    ("NO_MATCHING_ABIS", DeviceError, "has a processor that the app has no engines for", "build it with --abi armeabi-v7a or x86_64"),
    ("OLDER_SDK", DeviceError, "is older than Android 8", "use a phone with Android 8 or newer"),
    ("INSUFFICIENT_STORAGE", DiskError, "is full", "free some space on the phone"),
    ("USER_RESTRICTED", DeviceError, "does not let adb install apps", "allow `Install via USB` in its developer options"),
    ("VERSION_DOWNGRADE", DeviceError, "has a newer version of the app", f"adb uninstall {PACKAGE}"),
)  # fmt: skip
"""What Android answers when it refuses an app, the error it is, and the remedy."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the app is to do; None where its own default holds.

    Attributes:
        model: A bundle's name, several with commas, or "all".
        what: "measure", "check" or "all".
        threads: Of the engines.
        runs: Timed inferences of each model.
        warmup: Untimed ones before.
        minutes: Sustained, each model.
    """

    model: str = "all"
    what: str = "all"
    threads: int | None = None
    runs: int | None = None
    warmup: int | None = None
    minutes: float | None = None

    def words(self) -> list[str]:
        """For `am instrument`."""
        given = {"model": self.model, "what": self.what, "threads": self.threads, "runs": self.runs, "warmup": self.warmup,
                 "minutes": self.minutes}  # fmt: skip
        return [word for key, value in given.items() if value is not None for word in ("-e", key, str(value))]


def chosen(on: str | None) -> Adb:
    """The phone that `--on adb:SERIAL` names; without it the only one there.

    Raises:
        DeviceError: If there is none, or more than one.
    """
    if on is not None:
        phone = Adb(require_kind(on, ADB, what="the app").name)
    else:
        there = devices()
        if len(there) != 1:
            what = "no phone is connected" if not there else f"{len(there)} phones are connected: {', '.join(there)}"
            hint = "--on adb:SERIAL" if there else "connect one and switch `USB debugging` on; `adb devices` must list it"
            raise DeviceError(what, hint=hint)
        phone = Adb(there[0])
    phone.require()
    return phone


def install(phone: Adb, apk: Path) -> None:
    """Install the app, or the newer one over the older.

    Raises:
        DeviceError: If the phone refuses it; says why and what helps.
        DiskError: If it is full.
    """
    ran = run(phone.words("install", "--no-streaming", "-r", apk), timeout_s=INSTALL_LIMIT_S, check=False, error=DeviceError)
    said = ran.stdout + ran.stderr
    if ran.code == 0 and "Success" in said:
        return
    for word, error, what, hint in REFUSALS:
        if f"INSTALL_FAILED_{word}" in said:
            raise error(f"{phone.serial} {what}", hint=hint)
    refused = re.search(r"INSTALL_\w+[^\]\n]*", said)
    if refused:
        raise DeviceError(f"{phone.serial} refuses the app: {refused[0]}", hint="report it, with the phone's model")
    phone.fail(said)


def run_app(phone: Adb, asked: Asked) -> dict[str, Any]:
    """Have the app do its work and give its report; blocks until it is over.

    Raises:
        DeviceError: If the app is not there, or the phone is lost.
        EngineError: If the app says that it cannot; its words.
    """
    limit_s = SLACK_S + (asked.minutes or 0) * 60 * 8
    phone.shell("input keyevent KEYCODE_WAKEUP; wm dismiss-keyguard", check=False)  # a phone that sleeps measures nothing
    _, said = phone.shell(quoted("am", "instrument", "-w", *asked.words(), HEADLESS), limit_s=limit_s, check=False)
    return read_results(answer(phone, said))


def answer(phone: Adb, said: str) -> str:
    """The report in what `am instrument` wrote.

    Raises:
        DeviceError: If the app is not installed, or ended too early.
        EngineError: If it says what went wrong.
    """
    if "INSTRUMENTATION_FAILED" in said or "Unable to find instrumentation" in said:
        raise DeviceError(f"the app is not on {phone.serial}", hint=f"mexport app install demo.apk --on adb:{phone.serial}")
    if failed := re.search(r"^INSTRUMENTATION_RESULT: error=(.*)$", said, re.MULTILINE):
        raise EngineError(f"the app on {phone.serial}: {failed[1]}", hint="build and install it again")
    pieces = [line.removeprefix(PIECE) for line in said.splitlines() if line.startswith(PIECE)]
    if not pieces or "INSTRUMENTATION_CODE: -1" not in said:
        crash = re.search(r"^INSTRUMENTATION_RESULT: (?:longMsg|shortMsg)=(.*)$", said, re.MULTILINE)
        why = crash[1] if crash else " | ".join(said.splitlines()[-3:]) or "nothing"
        raise EngineError(
            f"the app on {phone.serial} ended too early: {why}", hint=f"adb -s {phone.serial} logcat -d -s mexport AndroidRuntime"
        )
    return "".join(pieces)


def pull_results(phone: Adb, to: Path) -> dict[str, Any]:
    """Fetch the app's latest report.

    Raises:
        DeviceError: If there is none, or the phone does not let adb read it.
    """
    phone.pull(RESULTS, to)
    return read_results(to.read_text(encoding="utf-8"))


def screenshot(phone: Adb, to: Path) -> None:
    """What the phone shows now, as a PNG.

    Raises:
        DeviceError: If it cannot be taken.
    """
    phone.shell(f"screencap -p {SCREEN}")
    try:
        phone.pull(SCREEN, to)
    finally:
        phone.shell(f"rm -f {SCREEN}", check=False)


def failed_checks(report: Mapping[str, Any]) -> list[str]:
    """Models whose outputs are not right on the phone, with the reason."""
    return [f"{c['name']}: {c['error'] or _figures(c)}" for c in report["checks"] if not c["passed"]]


def _figures(check: Mapping[str, Any]) -> str:
    return f"rel {check['rel']:.1e}, {check['sqnr_db']:.0f} dB"
