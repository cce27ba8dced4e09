"""A folder of ours on a phone that is gone when we are, however we go.

A keeper on the phone makes the folder and waits for the end of its standard input: that comes when we let go, when this process is
killed, when adb's server dies, when the cable is pulled. Then it kills what still runs there and removes the folder. What a phone that lost
its power kept is removed by the next run.
"""

import contextlib
import fcntl
import hashlib
import os
import secrets
import shlex
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from exporter.devices.adb import ADB, ANSWER_LIMIT_S, Adb
from exporter.disk import Scratch
from exporter.errors import DeviceError, IntegrityError, MexportError
from exporter.shell import Companion, companion

PARENT = "/data/local/tmp"
NAME = "mexport-"
MACHINE_ID = Path("/etc/machine-id")

KEEPER = """trap '' HUP INT PIPE TERM
umask 077
mkdir {folder} || exit 9
echo ready
cat > /dev/null
{remove} && echo removed"""

REMOVE = """if [ -f {folder}/pid ]; then kill -9 $(cat {folder}/pid) 2> /dev/null; fi
rm -rf {folder}
[ ! -e {folder} ]"""


@dataclass(frozen=True, slots=True)
class PhoneFolder:
    """The folder.

    Attributes:
        phone: Where.
        path: Its path there.
    """

    phone: Adb
    path: str

    def push(self, file: Path, name: str, *, program: bool = False) -> None:
        """Copy a file in; its sha256 is compared on the phone.

        Raises:
            IntegrityError: If another file arrived.
            DiskError: If the phone is full.
            DeviceError: If the connection fails.
        """
        self.phone.push(file, f"{self.path}/{name}")
        wanted = hashlib.sha256(file.read_bytes()).hexdigest()
        mode = f"chmod {'700' if program else '600'} {self.path}/{name}"
        _, said = self.phone.shell(f"{mode} && sha256sum {self.path}/{name}", limit_s=ANSWER_LIMIT_S + file.stat().st_size / 1e7)
        got = said.split()[0] if said else "nothing"
        if got != wanted:
            raise IntegrityError(
                f"{name} arrived on {self.phone.serial} with sha256 {got}, must have {wanted}",
                hint="try another cable or port, and run again",
            )

    def run(self, words: str, *, limit_s: float) -> int:
        """Run a program in the folder, its output in the files `out` and `errors` there: its exit code.

        Raises:
            DeviceError: If the connection fails before it has ended, or it takes too long.
        """
        inner = shlex.quote(f"echo $$ > pid; exec {words} > out 2> errors")
        script = f"cd {self.path} && sh -c {inner} < /dev/null; code=$?; rm -f pid; exit $code"
        return self.phone.shell(script, limit_s=limit_s, check=False)[0]

    def read(self, name: str) -> bytes:
        """What a file holds."""
        with Scratch() as here:
            self.phone.pull(f"{self.path}/{name}", Path(here, "pulled"))
            return Path(here, "pulled").read_bytes()


@contextlib.contextmanager
def phone_folder(phone: Adb) -> Iterator[PhoneFolder]:
    """Take a phone for us alone, with a new folder there.

    Raises:
        DeviceError: If another run holds the phone, or it cannot be reached; also where the folder could not be removed at the end.
    """
    owner = _owner(phone.serial)
    with _only_one(phone.serial, owner):
        phone.require()
        _sweep(phone, owner)
        folder = PhoneFolder(phone, f"{PARENT}/{NAME}{owner}-{secrets.token_hex(4)}")
        script = KEEPER.format(folder=folder.path, remove=REMOVE.format(folder=folder.path))
        with companion(phone.words("shell", script)) as keeper:
            if keeper.line(ANSWER_LIMIT_S) is None:
                phone.fail(keeper.let_go(5.0)[2])
            try:
                yield folder
            except BaseException as problem:
                _leave(keeper, folder, problem)
                raise
            _leave(keeper, folder, None)


def _leave(keeper: Companion, folder: PhoneFolder, problem: BaseException | None) -> None:
    """Have the folder removed; where the keeper does not answer, look ourselves."""
    if keeper.let_go(ANSWER_LIMIT_S)[1].strip() == "removed":  # of a lost connection adb's exit code is 0 too
        return
    try:
        folder.phone.connect_again()
        folder.phone.shell(REMOVE.format(folder=folder.path))
    except MexportError as again:
        left = f"its folder {folder.path} may still be there; the next run removes it"
        if problem is None:
            raise DeviceError(f"{again.message}; {left}", hint=again.hint) from again
        if isinstance(problem, MexportError):
            problem.message += f"; {left}"
        else:
            problem.add_note(left)


def _sweep(phone: Adb, owner: str) -> None:
    """Remove what earlier runs of ours left, which are dead: we hold their lock. Another computer's is alive for all we know."""
    _, said = phone.shell(f"ls -d {PARENT}/{NAME}* 2> /dev/null; [ -d {PARENT} ]")
    for folder in said.split():
        if not folder.startswith(f"{PARENT}/{NAME}{owner}-"):
            raise DeviceError(
                f"another computer measures on {phone.serial}: {folder} is there",
                hint=f"wait until it has ended; if it has, `{ADB} -s {phone.serial} shell rm -rf {folder}`",
            )
        phone.shell(REMOVE.format(folder=folder))


def _owner(serial: str) -> str:
    """This computer on that connection."""
    here = MACHINE_ID.read_text() if MACHINE_ID.is_file() else os.uname().nodename
    return hashlib.sha256(f"{here}\0{os.uname().nodename}\0{serial}".encode()).hexdigest()[:8]


@contextlib.contextmanager
def _only_one(serial: str, owner: str) -> Iterator[None]:
    """A lock on this computer, which the kernel drops when we die."""
    file = Path(tempfile.gettempdir(), f"mexport-adb-{owner}.lock")
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DeviceError(f"another run measures on {serial}", hint="wait until it has ended: two at once spoil both") from None
        yield
    finally:
        os.close(handle)
