"""Look at a finished APK as a phone will: signature, alignment, what it says it is, what its code holds."""

from collections.abc import Sequence
from pathlib import Path

from exporter.app.archive import misaligned
from exporter.app.sign import MIN_API
from exporter.app.tools import Tools
from exporter.errors import IntegrityError
from exporter.shell import run

PACKAGE = "dev.mexport.demo"
TARGET_API = "34"
DEFECT = "this is a defect of mexport's app; report it"
SCHEMES = ("v2 scheme (APK Signature Scheme v2): true", "v3 scheme (APK Signature Scheme v3): true")


def check_apk(tools: Tools, apk: Path, abis: Sequence[str]) -> None:
    """Refuse an APK that a phone would refuse.

    Raises:
        IntegrityError: Says what is wrong.
    """
    said = run([tools.apksigner, "verify", "--verbose", "--min-sdk-version", MIN_API, apk], error=IntegrityError, hint=DEFECT).stdout
    _demand(said, SCHEMES, "apksigner does not find")
    said = run([tools.aapt2, "dump", "badging", apk], error=IntegrityError, hint=DEFECT).stdout
    native = " ".join(f"'{abi}'" for abi in sorted(abis))
    facts = (f"package: name='{PACKAGE}'", f"sdkVersion:'{MIN_API}'", f"targetSdkVersion:'{TARGET_API}'", "launchable-activity")
    _demand(said, (*facts, f"native-code: {native}"), "aapt2 does not see")
    if "uses-permission" in said:
        raise IntegrityError("the app asks for a permission; it must ask for none", hint=DEFECT)
    if wrong := misaligned(apk):
        raise IntegrityError(f"not aligned in the APK: {', '.join(wrong)}", hint=DEFECT)


def _demand(said: str, wanted: Sequence[str], complaint: str) -> None:
    for words in wanted:
        if words not in said:
            raise IntegrityError(f"{complaint} {words}", hint=DEFECT)
