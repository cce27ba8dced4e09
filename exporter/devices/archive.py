"""Write image archives, as `docker load` takes them, from a root folder's tar: with the platform that it is for.

`docker import` of older engines labels every image with the engine's own platform.
"""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import IO

CHUNK = 1 << 20


def write_archive(root: Path, reference: str, platform: str, out: IO[bytes]) -> None:
    """An image of one layer.

    Args:
        root: The tar of its files.
        reference: Its name and tag.
        platform: Docker's, e.g. "linux/arm/v7".
        out: Where to.
    """
    system, architecture, *variant = platform.split("/")
    with root.open("rb") as stream:
        layer = hashlib.file_digest(stream, "sha256").hexdigest()
    config = {
        "architecture": architecture, "os": system, "created": "1970-01-01T00:00:00Z",
        "config": {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]}, **({"variant": variant[0]} if variant else {}),
    }  # fmt: skip
    text = json.dumps(config, sort_keys=True).encode()
    name = f"{hashlib.sha256(text).hexdigest()}.json"
    listing = json.dumps([{"Config": name, "RepoTags": [reference], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(fileobj=out, mode="w") as tar:
        _add(tar, name, text)
        _add(tar, "manifest.json", listing)
        tar.add(root, "layer.tar")


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))
