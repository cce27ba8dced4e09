"""A platform's root folder, unpacked: what qemu runs on this computer itself, where containers cannot go (a plugin that counts)."""

import os
import tarfile
import tempfile
from pathlib import Path

from exporter.devices.engine import engine_errors, require_engine
from exporter.devices.images import Say, require_image
from exporter.devices.platforms import Platform
from exporter.fingerprint import fingerprint
from exporter.store import Store

SITE = "opt/mexport/site"
"""Below a root: the engines and numpy."""

PYTHON = "usr/bin/python3.11"


def root(store: Store, platform: Platform, say: Say) -> Path:
    """The root folder of a platform's runner: Python, the engines, libraries; unpacked once from its image.

    Args:
        store: Where it is kept; it stays while the store is open.
        platform: Whose.
        say: Told what begins, where the image is built or unpacked.

    Raises:
        MexportError: If there is no engine to take it from, or the disk is full.
    """
    docker = require_engine()
    image = require_image(docker, platform, say)
    key = fingerprint(root=image.id)
    while (found := store.get("tool", key)) is None:
        say(f"unpacking {image.reference}")
        with store.put("tool", key) as draft, tempfile.TemporaryFile() as packed:
            with engine_errors(docker):
                container = docker.client.containers.create(image.id, ["true"], platform=platform.docker, labels=docker.labels())
                try:
                    for chunk in container.export():
                        packed.write(chunk)
                finally:
                    container.remove(force=True)
            packed.seek(0)
            with tarfile.open(fileobj=packed) as tar:
                tar.extraction_filter = getattr(tarfile, "fully_trusted_filter", None)  # ours stands for it; Debian 12's Python has none
                tar.extractall(draft, members=[_ours(m) for m in tar if _inside(m)])
    return found


def _inside(member: tarfile.TarInfo) -> bool:
    """Nothing leaves the folder but links, which qemu resolves within it."""
    return not (member.isdev() or member.name.startswith("/") or ".." in Path(member.name).parts)


def _ours(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Nothing is out of our reach."""
    member.mode |= 0o700 if member.isdir() else 0o600
    member.uid, member.gid, member.uname, member.gname = os.getuid(), os.getgid(), "", ""
    return member
