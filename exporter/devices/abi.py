"""The kinds of processor that a phone can have, by Android's names."""

from dataclasses import dataclass

from exporter.errors import unknown_name


@dataclass(frozen=True, slots=True)
class Abi:
    """One of them.

    Attributes:
        name: Android's.
        zig: The target by zig's name; musl, since Android lets no program of glibc's start within an app.
        cpu: What every processor of the kind can do, in zig's words.
        machine: What CMake and `uname -m` call it.
        machines: Other answers of `uname -m` where its programs run.
    """

    name: str
    zig: str
    cpu: str
    machine: str
    machines: tuple[str, ...] = ()

    def runs_on(self, machine: str) -> bool:
        """Whether its programs run on a system by what `uname -m` says there."""
        return machine in (self.machine, *self.machines)


ABIS = {
    abi.name: abi
    for abi in (
        Abi("arm64-v8a", "aarch64-linux-musl", "generic", "aarch64", ("arm64",)),
        Abi("armeabi-v7a", "arm-linux-musleabihf", "generic+v7a+neon", "armv7l", ("armv8l", "armv7")),
        Abi("x86_64", "x86_64-linux-musl", "x86_64", "x86_64", ("amd64",)),
    )
}


def find_abi(name: str) -> Abi:
    """An ABI by its name.

    Raises:
        UsageError: If there is none of that name.
    """
    if name not in ABIS:
        raise unknown_name("ABI", name, ABIS)
    return ABIS[name]


def abi_of_machine(machine: str) -> Abi | None:
    """The ABI of a system by what `uname -m` says there."""
    return next((a for a in ABIS.values() if a.runs_on(machine)), None)
