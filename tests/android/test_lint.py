"""Android Lint over the app's source: Google's own, without SDK or Gradle."""

import os
import subprocess
from pathlib import Path
from xml.sax.saxutils import quoteattr

from exporter.app.compiled import DEX_JARS, framework
from exporter.app.jars import fetch_jars, project_folder
from exporter.app.tools import Tools
from tests.android.conftest import QUIET

LIMIT_S = 900
LEFT_OUT = ("OldTargetApi", "DataExtractionRules", "MonochromeLauncherIcon", "IconLauncherFormat")
"""Target 34 on purpose, see the manifest; the others are about younger versions or pictures of a launcher."""


def project(android: Path, jars: dict[str, Path], folder: Path) -> Path:
    """What Gradle would tell lint; every file by itself, since folders are half ignored."""
    source = project_folder() / "app"
    lines = [f"<src file={quoteattr(str(p))}/>" for p in sorted((source / "java").rglob("*.java"))]
    lines += [f"<resource file={quoteattr(str(p))}/>" for p in sorted((source / "res").rglob("*.xml"))]
    lines += [f"<classpath jar={quoteattr(str(jars[name]))}/>" for name in DEX_JARS] + [f"<classpath jar={quoteattr(str(android))}/>"]
    head = '<module name="app" android="true" library="false" compile-sdk-version="34" javaLanguage="17">'
    manifest = f"<manifest file={quoteattr(str(source / 'AndroidManifest.xml'))}/>"
    text = f"<project><sdk dir={quoteattr(str(folder))}/>{head}{manifest}{''.join(lines)}</module></project>"
    (folder / "project.xml").write_text(text)
    return folder / "project.xml"


def test_lint_finds_nothing(tools: Tools, tmp_path: Path) -> None:
    jars = fetch_jars(tools, ["framework", "lint"], console=QUIET)
    described = project(framework(tools, jars), jars, tmp_path)
    path = os.pathsep.join(
        str(p) for name, p in jars.items() if p.suffix == ".jar" and not name.startswith(("org.robolectric", "org.bytedeco"))
    )
    command = [tools.java, "-Xmx2g", "-cp", path, "com.android.tools.lint.Main", "--project", described, "--exitcode", "-Werror", "--quiet",
               "--disable", ",".join(LEFT_OUT)]  # fmt: skip
    env = {**os.environ, "ANDROID_HOME": str(tmp_path), "ANDROID_SDK_HOME": str(tmp_path)}
    ran = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=LIMIT_S, check=False, env=env)
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
