"""The app without models: resources, classes and dex from `android-demo/`, kept in the store until a source or a tool changes."""

import hashlib
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter import __version__
from exporter.app.jars import Jars, project_folder
from exporter.app.sign import MIN_API
from exporter.app.tools import Tools
from exporter.console import Console
from exporter.disk import Scratch
from exporter.errors import ToolError
from exporter.fingerprint import fingerprint
from exporter.shell import run
from exporter.store import Store

DEX_JARS = ("org.bytedeco:javacpp", "org.bytedeco:tensorflow-lite", "com.microsoft.onnxruntime:onnxruntime")
"""Jars whose classes go into the app."""

CHECK_JARS = ("org.codehaus.mojo:animal-sniffer", "org.ow2.asm:asm")
SIGNATURE = "com.toasttab.android:gummy-bears-api-26"
FRAMEWORK = "org.robolectric:android-all"
APP_DEFECT = "this is a defect of mexport's app; report it"
HEAP = "-Xmx2g"
DEX_LIMIT_S = 3600.0
"""Half a minute of work, on a busy computer many times that."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """Where the parts are.

    Attributes:
        base: An APK of manifest and resources alone.
        classes: Folder of class files, for tests.
        dex: The app's own `classes.dex`.
        jars_dex: The engines' classes.
    """

    base: Path
    classes: Path
    dex: Path
    jars_dex: Path


def framework(tools: Tools, jars: Jars) -> Path:
    """`android.jar`, or what stands for it."""
    return tools.framework or jars[FRAMEWORK]


def compile_app(tools: Tools, jars: Jars, store: Store, *, console: Console) -> Compiled:
    """The parts of the app, made where the store lacks them.

    Raises:
        ToolError: If a tool refuses the source; has its last lines.
    """
    android = framework(tools, jars)
    version = tools.version()
    jar_key = fingerprint(dex=[_sha(jars[name]) for name in DEX_JARS], d8=_sha(jars["com.android.tools:r8"]), api=MIN_API, form=1)
    key = fingerprint(app=_source_sha(), tools=version, framework=_sha(android), version=__version__, jars=jar_key, form=1)
    if store.get("tool", jar_key) is None:
        with store.put("tool", jar_key) as folder, console.stage("translating the engines' classes for Android"):
            _d8(tools, jars, android, folder, [jars[name] for name in DEX_JARS])
    if store.get("tool", key) is None:
        with store.put("tool", key) as folder, console.stage("compiling the app"):
            _compile(tools, jars, android, folder)
    kept, kept_jars = store.get("tool", key), store.get("tool", jar_key)
    if kept is None or kept_jars is None:
        raise ToolError("a tool vanished from the cache while it was used", hint="run again")
    return Compiled(kept / "base.apk", kept / "classes", kept / "classes.dex", kept_jars / "classes.dex")


def _compile(tools: Tools, jars: Jars, android: Path, folder: Path) -> None:
    with Scratch() as scratch:
        generated = Path(scratch, "generated")
        link(tools, android, folder / "base.apk", generated)
        sources = [*source_files("app/java"), *sorted(generated.rglob("*.java"))]
        javac(tools, sources, folder / "classes", [*(jars[name] for name in DEX_JARS), android])
        check_api(tools, jars, folder / "classes")
        packed = Path(scratch, "app.jar")
        with zipfile.ZipFile(packed, "w") as archive:
            for file in sorted((folder / "classes").rglob("*.class")):
                archive.write(file, file.relative_to(folder / "classes").as_posix())
        _d8(tools, jars, android, folder, [packed], beside=[jars[name] for name in DEX_JARS])


def link(tools: Tools, android: Path, base: Path, generated: Path) -> None:
    """Resources and manifest, and the class R that names them."""
    source = project_folder() / "app"
    with Scratch() as scratch:
        flat = Path(scratch, "res.zip")
        run([tools.aapt2, "compile", "--dir", source / "res", "-o", flat], error=ToolError, hint=APP_DEFECT)
        words: list[str | Path] = [
            tools.aapt2, "link", "-I", android, "--manifest", source / "AndroidManifest.xml", "--java", generated, "-o", base,
            "--version-name", __version__, "--version-code", str(_version_code()), flat,
        ]  # fmt: skip
        run(words, error=ToolError, hint=APP_DEFECT)


def javac(tools: Tools, sources: Sequence[Path], target: Path, classpath: Sequence[Path]) -> None:
    """Compile Java."""
    words: list[str | Path] = [tools.javac, f"-J{HEAP}", "-nowarn", "-Xlint:-options", "--release", "17", "-g", "-encoding", "UTF-8",
             "-cp", os.pathsep.join(map(str, classpath)), "-d", target, *sources]  # fmt: skip
    run(words, error=ToolError, hint=APP_DEFECT)


def check_api(tools: Tools, jars: Jars, classes: Path) -> None:
    """Refuse what the oldest phone lacks or the SDK hides: javac sees the JDK's `java.*` and every hidden method of Android."""
    path = os.pathsep.join(str(jars[name]) for name in CHECK_JARS)
    words: list[str | Path] = [tools.java, HEAP, "-cp", path, project_folder() / "tools/ApiCheck.java", jars[SIGNATURE], classes]
    run(words, error=ToolError, hint=APP_DEFECT)


def _d8(tools: Tools, jars: Jars, android: Path, folder: Path, inputs: Sequence[Path], *, beside: Sequence[Path] = ()) -> None:
    words: list[str | Path] = [tools.java, HEAP, "-cp", jars["com.android.tools:r8"], "com.android.tools.r8.D8", "--release"]
    words += ["--min-api", MIN_API, "--lib", android, "--lib", tools.jdk, "--output", folder]
    words += [word for jar in beside for word in ("--classpath", jar)]
    run([*words, *inputs], timeout_s=DEX_LIMIT_S, error=ToolError, hint=APP_DEFECT)


def source_files(part: str) -> list[Path]:
    """Java files of a part of the project, e.g. "app/java"."""
    return sorted((project_folder() / part).rglob("*.java"))


def _source_sha() -> str:
    root = project_folder()
    digest = hashlib.sha256()
    for path in sorted(p for part in ("app", "tools") for p in (root / part).rglob("*") if p.is_file()):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _sha(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _version_code() -> int:
    """0.1.0 is 1000, 1.2.3 is 1002003."""
    major, minor, patch = (int("".join(c for c in part if c.isdigit()) or 0) for part in __version__.split(".")[:3])
    return major * 1_000_000 + minor * 1000 + patch
