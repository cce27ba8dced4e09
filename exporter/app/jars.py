"""The jars of the app, its tools and its tests: pinned in `android-demo/pom.xml`, fetched by Maven into its own cache.

onnxruntime's libraries for Android come in a package of their own, which some Maven repositories lack and npm has too.
"""

import hashlib
import re
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from exporter.app.tools import Tools
from exporter.console import Console
from exporter.disk import Scratch
from exporter.errors import IntegrityError, ToolError
from exporter.fingerprint import fingerprint
from exporter.resources import data_folder
from exporter.shell import companion, run
from exporter.store import Store

PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
FETCH_LIMIT_S = 3600.0
NO_REPOSITORY = "check that Maven reaches its repository: `mvn -version`, ~/.m2/settings.xml"
LISTED = re.compile(
    r"^\s+(?P<group>[\w.-]+):(?P<name>[\w.-]+):(?P<type>[\w-]+):(?:(?P<kind>[\w-]+):)?[\w.-]+:\w+:(?P<path>/.*?)(?: -- .*)?$"
)

ORT = "1.29.0"
ORT_NPM = "com.github.asus4.onnxruntime@0.4.9"
"""A package that carries the same file."""

ORT_NPM_SHA256 = "98cddbac92640b4a6af72a03c42e0491851f366d3da66bbaeb5dd66310946cf2"
"""Of the file in it, for it is not its makers' own package."""

Jars = Mapping[str, Path]


def project_folder() -> Path:
    """The app's source."""
    return data_folder("android-demo")


def fetch_jars(tools: Tools, profiles: Sequence[str], *, console: Console) -> dict[str, Path]:
    """The jars of the app and of some profiles of its pom.

    Args:
        tools: With Maven.
        profiles: "framework", "tflite-ABI", "test", "lint".
        console: Where progress goes.

    Returns:
        "GROUP:ARTIFACT" or "GROUP:ARTIFACT:CLASSIFIER" to the file in Maven's cache.

    Raises:
        ToolError: If Maven cannot get one.
    """
    pom = project_folder() / "pom.xml"
    key = fingerprint(pom=hashlib.sha256(pom.read_bytes()).hexdigest(), profiles=sorted(profiles), form=1)
    with Store() as store:
        kept = store.get("tool", key)
        jars = parse_list((kept / "jars.txt").read_text()) if kept else {}
        if jars and all(path.is_file() for path in jars.values()):
            return jars
        with Scratch() as folder:
            listing = Path(folder, "jars.txt")
            _resolve(tools, pom, profiles, listing, console)
            jars = parse_list(listing.read_text())
            if kept is None:
                with store.put("tool", key) as place:
                    shutil.copy(listing, place / "jars.txt")
    return jars


def _resolve(tools: Tools, pom: Path, profiles: Sequence[str], listing: Path, console: Console) -> None:
    """Have Maven fetch, and say each file that arrives."""
    words: list[str | Path] = [tools.maven, "-B", "-f", pom, *([f"-P{','.join(profiles)}"] if profiles else []), f"{PLUGIN}:list",
                               "-DoutputAbsoluteArtifactFilename=true", f"-DoutputFile={listing}"]  # fmt: skip
    said: list[str] = []
    with console.stage("fetching jars through Maven"), companion(words) as maven:
        while (line := maven.line(FETCH_LIMIT_S)) is not None:
            said = [*said[-8:], line.strip()]
            if arrived := re.search(r"Downloaded from \S+: \S+/(\S+\.(?:jar|aar|signature)) \(([^)]*)\)", line):
                console.detail(f"  {arrived[1]}  {arrived[2]}")
        code = maven.let_go(30.0)[0]
    if code != 0 or not listing.is_file():
        raise ToolError(f"Maven cannot get the app's jars; it last wrote: {' | '.join(said[-4:])}", hint=NO_REPOSITORY)


def parse_list(text: str) -> dict[str, Path]:
    """The jars in the output of Maven's `dependency:list`."""
    found = {}
    for line in text.splitlines():
        if told := LISTED.match(line):
            found[":".join(filter(None, (told["group"], told["name"], told["kind"])))] = Path(told["path"])
    return found


def onnxruntime_libraries(tools: Tools, abi: str, *, console: Console) -> dict[str, bytes]:
    """onnxruntime's libraries for Android, by file name.

    Raises:
        ToolError: If neither Maven nor npm has its package.
        IntegrityError: If the package is another than the one that was tried.
    """
    key = fingerprint(onnxruntime=ORT, form=1)
    with Store() as store:
        if store.get("tool", key) is None:
            with store.put("tool", key) as folder, console.stage("fetching onnxruntime for Android"):
                _fetch_aar(tools, folder)
        kept = store.get("tool", key)
        if kept is None:
            raise ToolError("a tool vanished from the cache while it was used", hint="run again")
        with zipfile.ZipFile(kept / "onnxruntime.aar") as packed:
            names = [n for n in packed.namelist() if n.startswith(f"jni/{abi}/") and n.endswith(".so")]
            return {Path(n).name: packed.read(n) for n in names}


def _fetch_aar(tools: Tools, folder: Path) -> None:
    aar = folder / "onnxruntime.aar"
    words: list[str | Path] = [tools.maven, "-B", "-q", f"{PLUGIN}:copy", f"-DoutputDirectory={folder}", "-Dmdep.stripVersion=true",
                               f"-Dartifact=com.microsoft.onnxruntime:onnxruntime-android:{ORT}:aar"]  # fmt: skip
    if run(words, timeout_s=FETCH_LIMIT_S, cwd=folder, check=False, error=ToolError).code == 0:
        (folder / "onnxruntime-android.aar").rename(aar)
        return
    _from_npm(folder)
    got = hashlib.sha256(aar.read_bytes()).hexdigest()
    if got != ORT_NPM_SHA256:
        raise IntegrityError(f"onnxruntime {ORT} for Android has sha256 {got}, must have {ORT_NPM_SHA256}", hint="fetch it again")


def _from_npm(folder: Path) -> None:
    if shutil.which("npm") is None:
        what = f"com.microsoft.onnxruntime:onnxruntime-android:{ORT}"
        raise ToolError(f"Maven's repository has no {what}, and npm is not installed", hint="apt-get install npm, or use Maven Central")
    run(["npm", "pack", "--silent", ORT_NPM], timeout_s=FETCH_LIMIT_S, cwd=folder, error=ToolError, hint=NO_REPOSITORY)
    packed = next(folder.glob("*.tgz"))
    inner = "package/Plugins/Android/onnxruntime.aar"
    run(["tar", "xzf", packed, "-C", folder, "--strip-components=3", inner], error=ToolError)
    packed.unlink()
