"""The outside programs that make an APK: an Android SDK's where there is one, else Debian's; each lack named with its remedy."""

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from exporter.errors import ToolError
from exporter.shell import run

PACKAGES = {
    "javac": "openjdk-17-jdk-headless",
    "keytool": "openjdk-17-jdk-headless",
    "mvn": "maven",
    "aapt2": "aapt",
    "apksigner": "apksigner",
}
"""Program to the package of Debian and Ubuntu that has it."""

OLDEST_JAVA = 17
SETUP = "mexport app setup --yes"


@dataclass(frozen=True, slots=True)
class Tools:
    """Where the programs are.

    Attributes:
        origin: "Android SDK PATH" or "Debian packages and Maven".
        java: The JDK's `java`.
        javac: Its compiler.
        keytool: Its maker of keys.
        maven: Fetches jars.
        aapt2: Compiles resources.
        apksigner: Signs.
        framework: The SDK's `android.jar`; None where a jar from Maven stands for it.
    """

    origin: str
    java: Path
    javac: Path
    keytool: Path
    maven: Path
    aapt2: Path
    apksigner: Path
    framework: Path | None = None

    @property
    def jdk(self) -> Path:
        """The JDK's folder, which holds `java.lang`."""
        return self.javac.resolve().parents[1]

    def version(self) -> str:
        """What another build must have the same of to give the same bytes."""
        return f"{_said(self.javac, '-version')} {_said(self.aapt2, 'version')}"


def find_tools(environment: Mapping[str, str] = os.environ) -> Tools:
    """Look for the programs.

    Args:
        environment: `ANDROID_HOME` or `ANDROID_SDK_ROOT` names an SDK.

    Raises:
        ToolError: Names everything that is missing.
    """
    sdk = sdk_folder(environment)
    found = {name: _program(name, sdk) for name in ("java", *PACKAGES)}
    missing = [name for name, path in found.items() if path is None and name != "java"]
    if missing:
        raise ToolError(f"not installed: {', '.join(missing)}; the app is made with them", hint=SETUP)
    paths = {name: path for name, path in found.items() if path is not None}
    _require_java(paths["javac"])
    origin = f"Android SDK {sdk}" if sdk else "Debian packages and Maven"
    java = paths.get("java") or paths["javac"].resolve().with_name("java")
    return Tools(origin, java, paths["javac"], paths["keytool"], paths["mvn"], paths["aapt2"], paths["apksigner"], _framework(sdk))


def sdk_folder(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The Android SDK that the environment names, if it holds build tools."""
    named = environment.get("ANDROID_HOME") or environment.get("ANDROID_SDK_ROOT")
    return Path(named) if named and _newest(Path(named), "build-tools") else None


def absent(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Programs that are missing, with the package that has each."""
    sdk = sdk_folder(environment)
    return {name: package for name, package in PACKAGES.items() if _program(name, sdk) is None}


def _program(name: str, sdk: Path | None) -> Path | None:
    """In the SDK's newest build tools, else on the path."""
    tools = _newest(sdk, "build-tools") if sdk else None
    if tools and (tools / name).is_file():
        return tools / name
    where = shutil.which(name)
    return Path(where) if where else None


def _framework(sdk: Path | None) -> Path | None:
    platform = _newest(sdk, "platforms") if sdk else None
    jar = platform / "android.jar" if platform else None
    return jar if jar and jar.is_file() else None


def _newest(sdk: Path, kind: str) -> Path | None:
    """The folder of the highest version, e.g. build-tools/36.0.0 or platforms/android-36."""
    folders = [f for f in (sdk / kind).glob("*") if re.search(r"\d", f.name)]
    return max(folders, key=lambda f: [int(n) for n in re.findall(r"\d+", f.name)], default=None)


def _require_java(javac: Path) -> None:
    said = _said(javac, "-version")
    told = re.search(r"javac (\d+)", said)
    if told is None or int(told[1]) < OLDEST_JAVA:
        raise ToolError(f"{javac} is {said}; Java {OLDEST_JAVA} or newer is needed", hint=f"apt-get install {PACKAGES['javac']}")


@cache
def _said(program: Path, word: str) -> str:
    """What a program says of itself; asked once, since a JVM takes its time to start."""
    ran = run([program, word], error=ToolError)
    return " ".join(filter(None, (ran.stdout.strip(), ran.stderr.strip())))
