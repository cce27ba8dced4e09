import subprocess
import sys

import exporter as mx
from tests.command import ROOT


def test_every_public_name_is_there_and_documented():
    for name in mx.__all__:
        assert getattr(mx, name).__doc__
    assert set(mx.__all__) <= set(dir(mx))


def test_importing_costs_nothing():
    code = "import sys, exporter; print([m for m in sys.modules if m in ('numpy', 'onnx_ir', 'typer')])"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_unknown_names_are_attribute_errors():
    assert not hasattr(mx, "nothing")
