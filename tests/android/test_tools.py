"""Which programs are used, and what is said about missing ones."""

from pathlib import Path

import pytest

from exporter.app import tools
from exporter.app.findings import app_findings
from exporter.app.jars import parse_list
from exporter.app.setup import set_up
from exporter.errors import ToolError, UsageError
from tests.android.conftest import QUIET


def program(folder: Path, name: str, says: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\necho '{says}'\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A computer that has nothing but what the test puts into this folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("ANDROID_HOME", raising=False)
    monkeypatch.delenv("ANDROID_SDK_ROOT", raising=False)
    return folder


def test_everything_missing_is_named_at_once(bare: Path) -> None:
    with pytest.raises(ToolError, match="javac, keytool, mvn, aapt2, apksigner") as caught:
        tools.find_tools()
    assert caught.value.hint == "mexport app setup --yes"
    lacking = {f.name: f.remedy for f in app_findings({}) if not f.ok}
    assert lacking["aapt2"] == "`mexport app setup --yes`, or apt-get install aapt"
    assert {"javac", "mvn", "apksigner"} <= set(lacking)


def test_the_newest_of_an_sdk_is_used(bare: Path, tmp_path: Path) -> None:
    sdk = tmp_path / "sdk"
    for version in ("9.0.0", "36.0.0"):
        for name in ("aapt2", "apksigner"):
            program(sdk / "build-tools" / version, name)
    for api in ("android-34", "android-9"):
        (sdk / "platforms" / api).mkdir(parents=True)
        (sdk / "platforms" / api / "android.jar").write_bytes(b"")
    for name, says in (("javac", "javac 17.0.15"), ("keytool", ""), ("mvn", ""), ("java", "")):
        program(bare, name, says)
    found = tools.find_tools({"ANDROID_HOME": str(sdk)})
    assert found.aapt2 == sdk / "build-tools/36.0.0/aapt2"
    assert found.framework == sdk / "platforms/android-34/android.jar"
    assert found.origin == f"Android SDK {sdk}"


def test_an_old_java_is_refused(bare: Path) -> None:
    for name in ("keytool", "mvn", "aapt2", "apksigner", "java"):
        program(bare, name)
    program(bare, "javac", "javac 11.0.2")
    with pytest.raises(ToolError, match=r"is javac 11.0.2; Java 17 or newer"):
        tools.find_tools({})


def test_nothing_is_installed_unasked(bare: Path) -> None:
    with pytest.raises(ToolError, match="no apt-get here"):
        set_up(agreed=True, console=QUIET)
    program(bare, "apt-get")
    with pytest.raises(UsageError, match="to be installed: aapt apksigner maven"):
        set_up(agreed=False, console=QUIET)


def test_maven_lists_are_read() -> None:
    text = """
The following files have been resolved:
   org.bytedeco:javacpp:jar:1.5.13:compile:/m2/javacpp-1.5.13.jar -- module org.bytedeco.javacpp
   org.bytedeco:javacpp:jar:android-arm64:1.5.13:compile:/m2/javacpp-1.5.13-android-arm64.jar -- module a.b
   com.toasttab.android:gummy-bears-api-26:signature:0.15.0:compile:/m2/gummy.signature
   androidx.test:monitor:aar:1.8.0:compile:/m2/monitor-1.8.0.aar
"""
    assert {name: str(path) for name, path in parse_list(text).items()} == {
        "org.bytedeco:javacpp": "/m2/javacpp-1.5.13.jar",
        "org.bytedeco:javacpp:android-arm64": "/m2/javacpp-1.5.13-android-arm64.jar",
        "com.toasttab.android:gummy-bears-api-26": "/m2/gummy.signature",
        "androidx.test:monitor": "/m2/monitor-1.8.0.aar",
    }
