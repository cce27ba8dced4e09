"""The app on a JVM: Robolectric stands for the phone, the engines are real; every JUnit result comes back."""

import base64
import json
import os
import re
import struct
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from exporter.app.archive import write_archive
from exporter.app.assets import entries
from exporter.app.checks import PACKAGE
from exporter.app.compiled import FRAMEWORK, Compiled, javac
from exporter.app.jars import project_folder
from exporter.app.tools import Tools
from exporter.bundle import Bundle
from exporter.preprocessing import Preprocessing, load_picture
from exporter.sample import pictures_path

JAVA = Path(__file__).parent / "java"
LIMIT_S = 1500
Answers = dict[str, object]
"""Pictures, and the class of each by the name of a model: what the computer takes them for."""

Told = dict[tuple[str, str], tuple[str, str]]
"""(class, method) to (verdict, stack trace)."""

TEST = re.compile(r"^\s*@Test\b.*?public void (\w+)\(", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Jvm:
    """What a run needs.

    Attributes:
        tools: Of the build.
        jars: Of the app and its tests.
        compiled: The app.
        ncnn: Words that start the ncnn program on this computer.
        out: Where tests leave screenshots and results.
    """

    tools: Tools
    jars: Mapping[str, Path]
    compiled: Compiled
    ncnn: str
    out: Path


def junit_tests() -> list[tuple[str, str]]:
    """(class, method) of all JUnit tests, from their source."""
    found = []
    for file in sorted(JAVA.rglob("*Test.java")):
        name = ".".join(file.relative_to(JAVA).with_suffix("").parts)
        found += [(name, method) for method in TEST.findall(file.read_text())]
    return found


def run_tests(jvm: Jvm, folder: Path, out: Path, *, classes: Path | None = None, only: Sequence[str] = ()) -> Told:
    """What JUnit tells of every test.

    Args:
        jvm: What it needs.
        folder: What `prepare` laid out.
        out: Where the tests leave screenshots, results and `jvm.log`.
        classes: The app's classes; those of the build if None.
        only: Test classes, or CLASS#METHOD; all when empty.
    """
    path = os.pathsep.join(map(str, [folder / "test-classes", classes or jvm.compiled.classes, *classpath(jvm, folder)]))
    command = [
        str(jvm.tools.java), "-Xmx2g", *(["-Xverify:all"] if classes else []), "-XX:+IgnoreUnrecognizedVMOptions", "-cp", path,
        "-Drobolectric.offline=true", f"-Drobolectric.dependency.dir={jvm.jars['org.robolectric:android-all-instrumented'].parent}",
        f"-Dorg.bytedeco.javacpp.cachedir={folder / 'javacpp'}", f"-Dmexport.out={out}", f"-Dmexport.ncnn={jvm.ncnn}",
        f"-Dmexport.pictures={folder / 'pictures'}", f"-Dmexport.picture={next(pictures_path().glob('bag/*.png'))}",
        f"-Dmexport.answers={folder / 'answers.json'}", f"{PACKAGE}.Told", *(only or dict.fromkeys(name for name, _ in junit_tests())),
    ]  # fmt: skip
    log = out / "jvm.log"
    with log.open("w") as stream:
        subprocess.run(command, stdout=stream, stderr=subprocess.STDOUT, timeout=LIMIT_S, check=False)
    told = re.findall(r"^RESULT (\S+) (\S+) (\w+) ?(\S*)$", log.read_text(), re.MULTILINE)
    return {(c, m): (verdict, base64.b64decode(trace).decode()) for c, m, verdict, trace in told}


def prepare(jvm: Jvm, bundles: Sequence[Bundle], folder: Path, answers: Answers) -> None:
    """Compile the tests and lay out what Gradle would: `test_config.properties` says where the app's parts are."""
    assets, tested = folder / "assets", folder / "test-classes"
    for name, data in entries(bundles).items():
        place = assets / name.removeprefix("assets/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    with zipfile.ZipFile(jvm.compiled.base) as base:
        write_archive(
            folder / "base.apk", {n: base.read(n) for n in base.namelist()} | entries(bundles), stored=frozenset({"resources.arsc"})
        )
    place = tested / "com/android/tools/test_config.properties"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(
        f"android_resource_apk={folder / 'base.apk'}\nandroid_merged_manifest={project_folder() / 'app/AndroidManifest.xml'}\n"
        f"android_merged_assets={assets}\nandroid_custom_package={PACKAGE}\n"
    )
    draw_cases(folder / "pictures")
    (folder / "answers.json").write_text(json.dumps(answers))
    javac(jvm.tools, sorted(JAVA.rglob("*.java")), tested, [jvm.compiled.classes, *classpath(jvm, folder)])


def classpath(jvm: Jvm, folder: Path) -> list[Path]:
    """The jars; an .aar's classes; the framework last: JUnit looks at signatures with it, the sandbox has its own."""
    left_out = {FRAMEWORK, "com.android.tools:r8", "org.robolectric:android-all-instrumented"}
    found = []
    for name, path in sorted(jvm.jars.items()):
        if name in left_out or path.suffix not in (".jar", ".aar"):
            continue
        if path.suffix == ".aar":
            inner = folder / f"{path.stem}.jar"
            if not inner.exists():
                inner.parent.mkdir(parents=True, exist_ok=True)
                with zipfile.ZipFile(path) as packed:
                    inner.write_bytes(packed.read("classes.jar"))
            path = inner  # noqa: PLW2901
        found.append(path)
    return [*found, jvm.jars[FRAMEWORK]]


def from_dex(enjarify: Path, dex: Path, jar: Path) -> Path:
    """The app's classes, translated back from what the phone would load; the translator is Debian's, and so is its Python."""
    env = {**os.environ, "PATH": os.defpath}
    subprocess.run([enjarify, "-f", "-o", jar, dex], check=True, capture_output=True, timeout=LIMIT_S, env=env)
    return jar


CASES: tuple[tuple[int, int, int, int, Preprocessing, str], ...] = (
    (320, 240, 224, 224, Preprocessing((127.5,), (127.5,), "rgb", "squash"), "nhwc"),
    (331, 97, 96, 96, Preprocessing((123.7, 116.3, 103.5), (58.4, 57.1, 57.4), "rgb", "crop:0.875"), "nchw"),
    (97, 331, 64, 80, Preprocessing((0.0,), (255.0,), "bgr", "letterbox"), "nhwc"),
    (20, 30, 64, 48, Preprocessing((104.0, 117.0, 123.0), (1.0,), "bgr", "squash"), "nchw"),
    (513, 400, 28, 28, Preprocessing((0.0,), (1.0,), "gray", "crop:1"), "nhwc"),
    (28, 28, 28, 28, Preprocessing((0.0,), (1.0,), "gray", "squash"), "nchw"),
)
"""Width and height of a picture, height and width of the input, the contract, the layout."""


def draw_cases(folder: Path) -> None:
    """Pictures of noise and of steps, and the inputs that this computer makes of them.

    Equal to the bit but for tall pictures made smaller: Pillow 13 begins with their columns, earlier ones with their rows, a level apart.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    cases = []
    for i, (w, h, height, width, prep, layout) in enumerate(CASES):
        pixels = rng.integers(0, 256, (h, w, 3)).astype(np.uint8)
        pixels[h // 3 : h // 2] = 255
        Image.fromarray(pixels).save(folder / f"{i}.png", pnginfo=_adobe_rgb() if i % 2 == 0 else None)
        x = prep.normalize(load_picture(folder / f"{i}.png", height, width, prep))
        x = x if layout == "nhwc" else x.transpose(2, 0, 1)
        np.ascontiguousarray(x, "<f4").tofile(folder / f"{i}.f32")
        tensor = {"name": "x", "shape": [1, *x.shape], "perm": [0, 1, 2, 3], "dtype": "float32", "scale": None, "zero_point": 0,
                  "source_shape": [1, *x.shape], "source_layout": layout, "preprocessing": prep.as_dict()}  # fmt: skip
        model = {"name": "m", "engine": "tflite", "precision": "fp32", "threads": 1, "options": {}, "bytes": 1, "main": "m", "files": [],
                 "inputs": [tensor], "outputs": [], "labels": None, "limits": {}, "samples": 0}  # fmt: skip
        index = json.dumps({"schema": 1, "models": [model]})
        level = 1.001 / min(prep.std) if prep.resize == "letterbox" else 1e-6
        what = f"{prep.color} {prep.resize} {w}x{h} {layout}"
        cases.append({"file": f"{i}.png", "want": f"{i}.f32", "what": what, "index": index, "level": level})
    (folder / "cases.json").write_text(json.dumps(cases))


def _adobe_rgb() -> PngInfo:
    """Tells that a picture's numbers are Adobe RGB's; Pillow does not look at it."""
    told = PngInfo()
    told.add(b"gAMA", struct.pack(">I", 45455))
    told.add(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000))
    return told
