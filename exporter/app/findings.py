"""What `mexport doctor` says about the app's tool chain."""

import os
import shutil
from collections.abc import Iterator, Mapping

from exporter.app.tools import PACKAGES, SETUP, absent, sdk_folder
from exporter.doctor import Finding

MAKING = "making the Android app"


def app_findings(environment: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """One for each program, and where they come from; nothing is started."""
    sdk = sdk_folder(environment)
    yield Finding("Android SDK", True, False, str(sdk) if sdk else "none, not needed: Debian's tools and Maven's jars", MAKING)
    missing = absent(environment)
    for name in PACKAGES:
        ok = name not in missing
        found = (shutil.which(name) or f"{sdk}") if ok else "missing"
        remedy = None if ok else f"`{SETUP}`, or apt-get install {missing[name]}"
        yield Finding(name, ok, False, found, MAKING, remedy)
