"""Android Lint over the app's source: Google's own, without SDK or Gradle."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import quoteattr

from exporter.app.compiled import DEX_JARS, framework
from exporter.app.jars import project_folder
from exporter.app.tools import Tools

LIMIT_S = 900
LEFT_OUT = ("OldTargetApi", "MissingVersion", "UseCompoundDrawables", "DataExtractionRules", "MonochromeLauncherIcon", "IconLauncherFormat")
"""Target 34 on purpose, see the manifest; aapt2 is told the version; a picture to be classified is no icon beside its text; the others are
about younger versions or pictures of a launcher."""


def described(android: Path, jars: Mapping[str, Path], folder: Path) -> Path:
    """What Gradle would tell lint; every file by itself, since folders are half ignored."""
    source = project_folder() / "app"
    lines = [f"<src file={quoteattr(str(p))}/>" for p in sorted((source / "java").rglob("*.java"))]
    lines += [f"<resource file={quoteattr(str(p))}/>" for p in sorted((source / "res").rglob("*.xml"))]
    lines += [f"<classpath jar={quoteattr(str(jar))}/>" for jar in [*(jars[name] for name in DEX_JARS), android]]
    head = '<module name="app" android="true" library="false" compile-sdk-version="34" javaLanguage="17">'
    manifest = f"<manifest file={quoteattr(str(source / 'AndroidManifest.xml'))}/>"
    text = f"<project><sdk dir={quoteattr(str(folder))}/>{head}{manifest}{''.join(lines)}</module></project>"
    (folder / "project.xml").write_text(text)
    return folder / "project.xml"


def lint(tools: Tools, jars: Mapping[str, Path], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run it; a warning is an error."""
    project = described(framework(tools, jars), jars, folder)
    path = os.pathsep.join(
        str(jar) for name, jar in jars.items() if jar.suffix == ".jar" and not name.startswith(("org.robol", "org.bytedeco"))
    )
    words = [tools.java, "-Xmx2g", "-cp", path, "com.android.tools.lint.Main", "--project", project, "--exitcode", "-Werror", "--quiet",
             "--disable", ",".join(LEFT_OUT)]  # fmt: skip
    env = {**os.environ, "ANDROID_HOME": str(folder), "ANDROID_SDK_HOME": str(folder)}
    return subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=LIMIT_S, check=False, env=env)


def test_lint_finds_nothing(tools: Tools, lint_jars: Mapping[str, Path], tmp_path: Path) -> None:
    ran = lint(tools, lint_jars, tmp_path)
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
