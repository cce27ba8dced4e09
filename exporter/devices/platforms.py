"""The ARM platforms that containers run: what they are called, by whom, and which engines exist there."""

import importlib.metadata
from dataclasses import dataclass

from exporter.devices.abi import ABIS, Abi
from exporter.devices.cores import ARMV7_CORES, ARMV8_CORES, Core
from exporter.errors import EngineError, unknown_name

PYTHON = "3.11"
"""Of Debian 12, which the images are made from."""

DEBIAN = "bookworm"
BASE = "debian:bookworm-slim"
"""What the images are made from where a registry can be reached."""


@dataclass(frozen=True, slots=True)
class Platform:
    """One platform.

    Attributes:
        name: Ours: "arm64" or "armv7".
        docker: Docker's.
        debian: Debian's.
        abi: The same by Android's name; also what `uname -m` says where its programs run without emulation.
        qemu: The emulator, and its entry in binfmt_misc.
        elf: The `e_machine` of its programs.
        wheels: Tags of Python wheels that run there.
        engines: Engine to the Python package that has it there.
        pinned: Packages whose version is not this computer's: the newest that was ever made for the platform.
        beside: More wheels, beside the engines.
        packages: More Debian packages, beside Python.
        library_path: Where libraries lie that Debian reaches by alternatives, which an image that was only unpacked has not set.
        cores: Those that qemu can be.
        usual: Those that run when nobody says: one of each kind of arithmetic.
    """

    name: str
    docker: str
    debian: str
    abi: Abi
    qemu: str
    elf: int
    wheels: tuple[str, ...]
    engines: dict[str, str]
    pinned: dict[str, str]
    beside: tuple[str, ...]
    packages: tuple[str, ...]
    library_path: str
    cores: dict[str, Core]
    usual: tuple[str, ...]

    def requirements(self) -> list[str]:
        """What pip is asked for: the engines in this computer's versions, so that both sides run the same."""
        versions = {p: self.pinned.get(p) or importlib.metadata.version(p) for p in self.engines.values()}
        return [*(f"{p}=={v}" for p, v in sorted(versions.items())), *self.beside]

    def require_engine(self, runtime: str) -> None:
        """Refuse an engine that is not made for this platform.

        Raises:
            EngineError: Says so.
        """
        if runtime not in self.engines:
            raise EngineError(
                f"{runtime} does not exist for {self.docker}: nobody publishes it",
                hint=f"there are {' and '.join(self.engines)}; or use arm64",
            )

    def core(self, name: str) -> Core:
        """A core by name.

        Raises:
            UsageError: If there is none of that name; suggests the nearest.
        """
        if name not in self.cores:
            raise unknown_name(f"{self.name} core", name, self.cores)
        return self.cores[name]


ARM64 = Platform(
    name="arm64", docker="linux/arm64", debian="arm64", abi=ABIS["arm64-v8a"], qemu="qemu-aarch64", elf=183,
    wheels=("manylinux2014_aarch64", *(f"manylinux_2_{minor}_aarch64" for minor in range(17, 37))),
    engines={"litert": "ai-edge-litert", "onnxruntime": "onnxruntime", "ncnn": "ncnn"}, pinned={}, beside=("numpy>=2", "onnx"),
    packages=(), library_path="", cores=ARMV8_CORES, usual=("cortex-a53", "cortex-a76"),
)  # fmt: skip
ARMV7 = Platform(
    name="armv7", docker="linux/arm/v7", debian="armhf", abi=ABIS["armeabi-v7a"], qemu="qemu-arm", elf=40,
    wheels=("manylinux2014_armv7l", *(f"manylinux_2_{minor}_armv7l" for minor in range(17, 37))),
    engines={"litert": "tflite-runtime", "ncnn": "ncnn"}, pinned={"tflite-runtime": "2.14.0"}, beside=(),
    packages=("python3-numpy",), cores=ARMV7_CORES, usual=("cortex-a15",),
    library_path="/usr/lib/arm-linux-gnueabihf/blas:/usr/lib/arm-linux-gnueabihf/lapack",
)  # fmt: skip

TABLE = {p.name: p for p in (ARM64, ARMV7)}


def find_platform(name: str) -> Platform:
    """A platform by our name for it.

    Raises:
        UsageError: If there is none of that name.
    """
    if name not in TABLE:
        raise unknown_name("platform", name, TABLE)
    return TABLE[name]
