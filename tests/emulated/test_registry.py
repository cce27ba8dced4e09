"""The runner's base where a registry is reached: asked over HTTP by the real engine."""

import gzip
import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from exporter.devices import base
from exporter.devices.engine import Docker
from exporter.devices.platforms import ARM64
from tests.conftest import require

TAG = "tests"
"""No tag of a base that is in use."""

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@pytest.fixture(autouse=True)
def packages() -> None:
    """What makes a base where no registry gives one."""
    if shutil.which("mmdebstrap") is None:
        require("mmdebstrap is missing: `mexport runner setup --yes`", "docker")


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def image(architecture: str) -> tuple[bytes, dict[str, bytes]]:
    """Manifest and blobs of an image with one file."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        tar.addfile(tarfile.TarInfo(f"made-for-{architecture}"))
    layer = gzip.compress(plain.getvalue(), mtime=0)
    rootfs = {"type": "layers", "diff_ids": [digest(plain.getvalue())]}
    config = json.dumps({"architecture": architecture, "os": "linux", "config": {}, "rootfs": rootfs}).encode()

    def told(kind: str, blob: bytes) -> dict[str, object]:
        return {"mediaType": f"application/vnd.docker.{kind}", "size": len(blob), "digest": digest(blob)}

    layers = [told("image.rootfs.diff.tar.gzip", layer)]
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": told("container.image.v1+json", config), "layers": layers}
    return json.dumps(manifest).encode(), {digest(blob): blob for blob in (layer, config)}


@pytest.fixture
def registry(request: pytest.FixtureRequest, docker: Docker, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The digest of the one image that a registry of our own has, for the processor asked for."""
    manifest, blobs = image(request.param)

    class Registry(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, _, name = self.path.removeprefix("/v2/debian/").partition("/")
            body = b"{}" if self.path == "/v2/" else manifest if kind == "manifests" else blobs[name]
            self.send_response(200)
            self.send_header("Content-Type", MANIFEST if kind == "manifests" else "application/octet-stream")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Docker-Content-Digest", digest(body))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing on the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        Thread(target=server.serve_forever).start()
        name = f"127.0.0.1:{server.server_address[1]}/debian:{TAG}"
        monkeypatch.setattr(base, "BASE", name)
        yield digest(manifest)
        server.shutdown()
    for reference in (name, f"mexport/base:{TAG}-{ARM64.name}"):
        if docker.has(reference):
            docker.client.images.remove(reference)


@pytest.mark.parametrize("registry", ["arm64"], indirect=True)
def test_the_base_is_the_registrys_and_its_digest_is_kept(registry: str, docker: Docker) -> None:
    found = base.base_image(docker, ARM64)
    assert found.origin.endswith(f"/debian@{registry}")
    assert docker.client.images.get(found.reference).attrs["Architecture"] == "arm64"


@pytest.mark.parametrize("registry", ["amd64"], indirect=True)
def test_an_image_for_another_processor_is_no_base(registry: str, docker: Docker) -> None:
    assert base.base_image(docker, ARM64).origin == f"mmdebstrap {base.DEBIAN}"


def test_without_a_registry_it_is_made_from_packages(docker: Docker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "BASE", f"127.0.0.1:9/debian:{TAG}")
    assert base.base_image(docker, ARM64).origin == f"mmdebstrap {base.DEBIAN}"
