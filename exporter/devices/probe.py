"""Whether an engine runs programs of a platform: asked with the smallest one there is, 132 bytes, which ends with a code of its own.

What counts is that it runs, not how: by binfmt_misc and qemu, by a desktop engine's own means, or natively.
"""

import hashlib
import struct
import tarfile
from io import BytesIO
from pathlib import Path

from exporter.devices.engine import Docker, engine_errors
from exporter.devices.platforms import Platform
from exporter.disk import Scratch

ANSWER = 42
PROGRAMS = {
    183: (0xD2800540, 0xD2800BA8, 0xD4000001),  # mov x0, #42; mov x8, #93 (exit); svc #0
    40: (0xE3A0002A, 0xE3A07001, 0xEF000000),  # mov r0, #42; mov r7, #1 (exit); svc #0
}
"""Instructions by the `e_machine` of ELF."""

START = 0x10000


def program(elf: int) -> bytes:
    """A static ELF program that ends with exit code 42."""
    code = struct.pack("<3I", *PROGRAMS[elf])
    wide = elf == 183
    head, entry = (64, 56) if wide else (52, 32)
    size = head + entry + len(code)
    ident = b"\x7fELF" + bytes((2 if wide else 1, 1, 1)) + bytes(9)
    flags = 0 if wide else 0x05000000  # EABI version 5
    rest = struct.pack("<HHI3QI6H" if wide else "<HHI3II6H", 2, elf, 1, START + head + entry, head, 0, flags, head, entry, 1, 0, 0, 0)
    if wide:
        segment = struct.pack("<2I6Q", 1, 5, 0, START, START, size, size, 0x1000)
    else:
        segment = struct.pack("<8I", 1, 0, START, START, size, size, 5, 0x1000)
    return ident + rest + segment + code


def runs(docker: Docker, platform: Platform) -> bool:
    """Whether the engine runs the platform's programs."""
    reference = _image(docker, platform)
    with engine_errors(docker):
        container = docker.client.containers.create(
            reference, ["/probe"], platform=platform.docker, network_mode="none", read_only=True, labels=docker.labels()
        )
        try:
            container.start()
            return bool(container.wait(timeout=30)["StatusCode"] == ANSWER)
        except docker.errors.APIError as problem:  # "exec format error": nobody here runs such programs
            if "exec format error" in str(problem) or "no such file" in str(problem):
                return False
            raise
        finally:
            container.remove(force=True)


def _image(docker: Docker, platform: Platform) -> str:
    """The image of the probe, loaded if the engine lacks it."""
    content = program(platform.elf)
    reference = f"mexport/probe:{hashlib.sha256(content).hexdigest()[:12]}-{platform.name}"
    if docker.has(reference):
        return reference
    with Scratch() as folder:
        root = Path(folder, "root.tar")
        with tarfile.open(root, "w") as tar:
            entry = tarfile.TarInfo("probe")
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, BytesIO(content))
        docker.load(root, reference, platform.docker)
    return reference
