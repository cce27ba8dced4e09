"""A phone without a phone: a real adbd in an arm64 container, and a small build of the program that runs ncnn files on it.

Its shell and its small programs are Android's: mksh and toybox, from Debian. There is no `getprop`, and `uname -m` says aarch64.
"""

import contextlib
import fcntl
import itertools
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from exporter.devices.adb import Adb
from exporter.devices.engine import Docker, find_engine
from exporter.devices.native import Runner, build_runner, find_runner
from exporter.errors import DeviceError
from exporter.store import Store
from tests.conftest import require

IMAGE = "mexport-test/adbd:trixie-2"
PACKAGES = "adbd,mksh,toybox,dash,coreutils,procps,libc-bin,base-files"
HOOKS = "/usr/share/mmdebstrap/hooks/maybe-merged-usr"
APPLETS = "cat chmod echo head ls mkdir ps rm rmdir sha256sum sleep touch uname"
START = f"""mkdir -p /data/local/tmp /tmp
ln -sf /usr/bin/mksh /usr/bin/sh
for name in {APPLETS}; do ln -sf /usr/bin/toybox /usr/local/bin/$name; done
exec /usr/sbin/adbd"""
PORTS = itertools.count(5600 + (os.getpid() % 200) * 20)
"""Above 5585: below, adb takes a port for an emulator too."""

LAYERS = ("convolution", "convolutiondepthwise", "innerproduct", "pooling", "softmax", "relu")
"""Those of the nets here, and of the embedded sample."""
FOLDER = "/data/local/tmp"


@dataclass(frozen=True)
class Container:
    """The phone.

    Attributes:
        serial: As adb names it.
        container: Of the docker SDK.
    """

    serial: str
    container: Any

    def files(self) -> list[str]:
        """What lies in the folder for temporary files, asked past adb."""
        return str(self.container.exec_run(["ls", FOLDER]).output.decode()).split()

    def processes(self) -> list[str]:
        """What runs there, asked past adb; without the dead whom nobody waits for, as an init would."""
        told = self.container.exec_run(["ps", "-A", "-o", "args"]).output.decode().splitlines()
        return [line for line in told if "ncnn_runner" in line and not re.search("ps -A|<defunct>", line)]

    def wait_until(self, what: Callable[[], bool], limit_s: float = 60.0) -> None:
        """Until something is so on the phone."""
        ends = time.monotonic() + limit_s
        while not what():
            assert time.monotonic() < ends, f"not so within {limit_s:g} s; {self.files()} {self.processes()}"
            time.sleep(0.2)

    def runs(self) -> bool:
        """Whether the program runs there."""
        return any(self.container.exec_run(["test", "-e", f"{FOLDER}/{f}/pid"]).exit_code == 0 for f in self.files())

    def is_clean(self) -> bool:
        """Nothing of ours is left, neither file nor process."""
        return not self.files() and not self.processes()

    def require_clean(self) -> None:
        """Nothing of ours is left, at the latest in a moment."""
        self.wait_until(self.is_clean, 20.0)


def mirror() -> list[str]:
    """Where this computer's apt has Debian from; nothing where mmdebstrap's own default has to do."""
    told = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(ORIGIN) $(COMPONENT) $(CODENAME) $(REPO_URI)", "Created-By: Packages"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    rows = [line.split() for line in told.stdout.splitlines()]
    found = [r[3] for r in rows if len(r) == 4 and r[:2] == ["Debian", "main"] and "-" not in r[2]]
    return [f"deb {found[0]} trixie main"] if found else []


def make_image(docker: Docker) -> None:
    """Debian's adbd for arm64, unpacked by the host."""
    with tempfile.TemporaryDirectory(prefix="mexport-adbd-") as folder:
        hooks = [f"--hook-dir={HOOKS}"] if Path(HOOKS).is_dir() else []
        made = subprocess.run(
            ["mmdebstrap", "--quiet", "--variant=extract", "--architectures=arm64", *hooks, f"--include={PACKAGES}", "trixie",
             f"{folder}/root.tar", *mirror()],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if made.returncode != 0:
            require(f"adbd for arm64 cannot be had: {made.stderr.strip().splitlines()[-1:]}", "adb")
        docker.load(Path(folder, "root.tar"), IMAGE, "linux/arm64")


def start_phone(docker: Docker, *, disk_mib: int = 64) -> Container:
    """A phone with a disk of its own, and adb connected to it."""
    port = next(PORTS)
    container = docker.client.containers.run(
        IMAGE, ["/bin/sh", "-c", START], detach=True, platform="linux/arm64", mem_limit="1g",
        ports={"5555/tcp": ("127.0.0.1", port)}, tmpfs={FOLDER: f"size={disk_mib}m,mode=1777,exec"},
    )  # fmt: skip
    phone = Container(f"127.0.0.1:{port}", container)
    connect(phone)
    return phone


def connect(phone: Container, limit_s: float = 120.0) -> None:
    """Have adb's server know it."""
    ends = time.monotonic() + limit_s
    while True:
        with contextlib.suppress(DeviceError):  # it accepts connections before it answers
            Adb(phone.serial).connect_again()
        state = subprocess.run(["adb", "-s", phone.serial, "get-state"], capture_output=True, text=True, check=False, timeout=30)
        if state.stdout.strip() == "device":
            return
        assert time.monotonic() < ends, f"adbd does not answer: {state.stderr} {phone.container.logs(tail=5)}"
        time.sleep(0.5)


@pytest.fixture(scope="session")
def adb_engine() -> Iterator[Docker]:
    """An engine that holds adbd's image, and a server of adb for these tests alone."""
    docker = find_engine()
    if docker is None:
        require("no Docker engine answers; adbd runs in a container", "adb")
    for program in ("adb", "mmdebstrap"):
        if shutil.which(program) is None:
            require(f"{program} is not installed", "adb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANDROID_ADB_SERVER_PORT", str(15000 + os.getpid() % 10000))
        if not docker.has(IMAGE):
            make_image(docker)
        yield docker
        subprocess.run(["adb", "kill-server"], capture_output=True, check=False)


@pytest.fixture(scope="session")
def adb_device(adb_engine: Docker) -> Iterator[Container]:
    """A phone that all tests of a session share; each leaves it clean."""
    phone = start_phone(adb_engine)
    yield phone
    phone.container.remove(force=True)


@pytest.fixture(scope="session")
def native_runner(tmp_path_factory: pytest.TempPathFactory, private_cache: Path) -> Runner:
    """The program for arm64 with few kinds of layer: built once a run, by whichever process comes first, then copied to each cache."""
    common = tmp_path_factory.getbasetemp().parent / "native-runner"
    common.mkdir(exist_ok=True)
    with (common / "lock").open("w") as lock, Store(common) as store:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = build_runner(store, "arm64-v8a", layers=LAYERS)
        shutil.copytree(built.path.parent, private_cache / "tool" / built.path.parent.name, dirs_exist_ok=True)
    with Store() as store:
        found = find_runner(store, "arm64-v8a", LAYERS)
    assert found is not None
    return found
