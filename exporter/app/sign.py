"""Sign an APK with a key made once on this computer and kept: an update installs only over an app of the same key."""

import os
from pathlib import Path

from exporter.app.tools import Tools
from exporter.errors import ToolError
from exporter.shell import run

PASSWORD = "android"
"""The key proves only that updates come from the same computer; it is as secret as its file."""

MIN_API = "26"
ALIAS = "mexport"
VALID_DAYS = "10950"


def keystore() -> Path:
    """$MEXPORT_KEYSTORE, else `mexport/android.p12` in the user's configuration: not in the cache, where it could be swept."""
    if named := os.environ.get("MEXPORT_KEYSTORE"):
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME")
    return Path(base or Path.home() / ".config") / "mexport" / "android.p12"


def sign(tools: Tools, unsigned: Path, signed: Path) -> None:
    """Sign by schemes 2 and 3, which every phone since Android 7 checks.

    Raises:
        ToolError: If the key cannot be used.
    """
    key = keystore()
    if not key.exists():
        _make_key(tools, key)
    words: list[str | Path] = [
        tools.apksigner, "sign", "--ks", key, "--ks-pass", f"pass:{PASSWORD}", "--ks-key-alias", ALIAS, "--min-sdk-version", MIN_API,
        "--v1-signing-enabled", "false", "--v2-signing-enabled", "true", "--v3-signing-enabled", "true",
        "--v4-signing-enabled", "false", "--out", signed, unsigned,
    ]  # fmt: skip
    run(words, error=ToolError, hint=f"if {key} is damaged, remove it; the app must then be uninstalled before it is installed anew")


def _make_key(tools: Tools, key: Path) -> None:
    key.parent.mkdir(parents=True, exist_ok=True)
    fresh = key.with_name(f".{key.name}.{os.getpid()}")
    words: list[str | Path] = [
        tools.keytool, "-genkeypair", "-keystore", fresh, "-storetype", "PKCS12", "-storepass", PASSWORD, "-alias", ALIAS,
        "-keyalg", "RSA", "-keysize", "2048", "-validity", VALID_DAYS, "-dname", "CN=mexport",
    ]  # fmt: skip
    run(words, error=ToolError)
    fresh.chmod(0o600)
    fresh.rename(key)
