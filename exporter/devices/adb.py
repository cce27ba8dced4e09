"""The one door to adb: always one phone by its serial, bounded in time, every failure a typed error with its remedy.

All that we do on a phone happens in a folder of ours there (`phone_folder`), which is gone afterwards however the work ends.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from exporter.errors import DeviceError, DiskError, MexportError, ToolError
from exporter.shell import Ran, run

ADB = "adb"
INSTALL = "install Android's platform-tools (Debian: `apt-get install adb`): https://developer.android.com/tools/adb"
ANSWER_LIMIT_S = 30.0
"""For what a phone answers at once."""

SLOWEST_BYTES_PER_S = 500_000.0
"""A transfer slower than this counts as stuck."""

FAILURES: tuple[tuple[str, type[MexportError], str, str], ...] = (
    (r"unauthori[sz]ed", DeviceError, "has not authorised this computer", "unlock the phone and accept `Allow USB debugging?`"),
    (r"device offline|^offline$", DeviceError, "is offline", "unplug it and plug it in again, or `adb reconnect`"),
    (r"No space left on device", DiskError, "is full", "free some space on the phone"),
    (r"Read-only file system|Permission denied", DeviceError, "does not let us write", "use a phone whose /data/local/tmp is writable"),
    (
        r"cannot connect to daemon|failed to start daemon|failed to check server version|protocol fault|could not read ok from ADB Server"
        r"|server is out of date",
        DeviceError, "cannot be reached: adb's server does not answer", "`adb kill-server && adb start-server`, then run again",
    ),
    (r"connection reset|error: closed|device .*not found|no devices/emulators found", DeviceError, "is not there", ""),
)  # fmt: skip
"""What adb writes, the error it is, what the phone is or does, and the remedy."""


@dataclass(frozen=True, slots=True)
class Adb:
    """One phone behind adb.

    Attributes:
        serial: As `adb devices` names it: a USB serial, or HOST:PORT.
    """

    serial: str

    @property
    def is_network(self) -> bool:
        """Whether it is reached by `adb connect`."""
        return re.fullmatch(r"[^:]+:\d+", self.serial) is not None

    def require(self) -> None:
        """Check that adb is there and the phone ready.

        Raises:
            ToolError: If adb is missing.
            DeviceError: If the phone is not there, offline or not authorised.
        """
        ran = self._adb("get-state")
        if ran.code != 0 or ran.stdout.strip() != "device":
            self.fail(ran.stderr + ran.stdout)

    def shell(self, script: str, *, limit_s: float = ANSWER_LIMIT_S, check: bool = True) -> tuple[int, str]:
        """Run a script in the phone's shell: its exit code, and what it wrote.

        Args:
            script: For `sh`.
            limit_s: Time limit.
            check: Whether another exit code than 0 is an error.

        Raises:
            DeviceError: If the connection fails before the script has ended.
        """
        ran = self._adb("shell", f"( {script}\n) 2>&1; code=$?; echo; echo exit $code", limit_s=limit_s)
        told = re.search(r"\n?exit (\d+)\s*$", ran.stdout)  # adb's own exit code does not tell its failures from the script's
        if told is None:
            self.fail(ran.stderr + ran.stdout)
        code, said = int(told[1]), ran.stdout[: told.start()].strip()
        if check and code != 0:
            self.fail(said)
        return code, said

    def push(self, file: Path, to: str) -> None:
        """Copy a file to the phone.

        Raises:
            DeviceError: If the connection fails.
            DiskError: If the phone is full.
        """
        limit_s = ANSWER_LIMIT_S + file.stat().st_size / SLOWEST_BYTES_PER_S
        ran = self._adb("push", file, to, limit_s=limit_s)
        if ran.code != 0:
            self.fail(ran.stderr + ran.stdout)

    def pull(self, file: str, to: Path, *, limit_s: float = 120.0) -> None:
        """Copy a file from the phone.

        Raises:
            DeviceError: If the connection fails, or there is no such file.
        """
        ran = self._adb("pull", file, to, limit_s=limit_s)
        if ran.code != 0 or not to.is_file():
            self.fail(ran.stderr + ran.stdout)

    def connect_again(self) -> None:
        """Wait for a phone that was there a moment ago; one in the network is also called again, as a new server does not do it itself."""
        if self.is_network:
            self._adb("disconnect", self.serial, serial=False, limit_s=10.0)
            self._adb("connect", self.serial, serial=False, limit_s=10.0)
        self._adb("wait-for-device", limit_s=10.0)

    def words(self, *words: str | Path) -> list[str]:
        """A command line of adb's for this phone."""
        return [ADB, "-s", self.serial, *map(str, words)]

    def fail(self, said: str) -> NoReturn:
        """Raise what adb's words stand for."""
        for pattern, error, what, hint in FAILURES:
            if re.search(pattern, said, re.IGNORECASE | re.MULTILINE):
                raise error(f"{self.serial} {what}", hint=hint or self._seen())
        last = " | ".join(said.strip().splitlines()[-3:])
        words = f"; adb last wrote: {last}" if last else ""
        raise DeviceError(f"the connection to {self.serial} broke off{words}", hint="look at the cable and `adb devices`, then run again")

    def _seen(self) -> str:
        """What to do about a phone that is not there."""
        others = devices()
        if self.is_network:
            return f"`adb connect {self.serial}`"
        return f"adb sees {', '.join(others)}" if others else "connect the phone and switch `USB debugging` on; `adb devices` must list it"

    def _adb(self, *words: str | Path, limit_s: float = ANSWER_LIMIT_S, serial: bool = True) -> Ran:
        command = self.words(*words) if serial else [ADB, *map(str, words)]
        try:
            return run(command, timeout_s=limit_s, check=False, error=DeviceError)
        except DeviceError:
            hint = "give it more time, or `adb reconnect` where it hangs"
            raise DeviceError(f"{self.serial} gave no answer within {limit_s:g} s", hint=hint) from None
        except ToolError:
            raise ToolError("adb is not installed", hint=INSTALL) from None


def devices() -> list[str]:
    """Serials that adb knows, ready or not."""
    lines = run([ADB, "devices"], timeout_s=ANSWER_LIMIT_S, check=False, error=DeviceError).stdout.splitlines()
    return [line.split("\t")[0] for line in lines if "\t" in line]


def quoted(*words: str | Path) -> str:
    """Words for the phone's shell."""
    return shlex.join(map(str, words))
