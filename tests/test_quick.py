import subprocess
import sys

LAZY = """
from exporter.quick import start_quickly
start_quickly()
import sys

import exporter.cli.app, exporter.pipeline, exporter.formats.onnx
assert "sympy.core" not in sys.modules, "sympy was loaded by an import"
import onnx_ir as ir
assert str((ir.SymbolicDim("N") + 1) * 2) == "2*N + 2"
assert "sympy.core" in sys.modules
"""


def test_sympy_is_loaded_when_it_is_used():
    done = subprocess.run([sys.executable, "-c", LAZY], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


ALONE = """
import gc, sys
before = gc.get_threshold(), list(sys.meta_path)
import exporter.pipeline
assert before == (gc.get_threshold(), sys.meta_path)
"""


def test_a_program_that_imports_us_is_left_as_it_is():
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
