"""What a process of ours sets first, so that it starts sooner; a program that only imports `exporter` is left as it is."""

import gc
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType

RARELY = (200_000, 30, 30)
"""Thresholds of the garbage collector: imports make objects by the million and hardly any garbage."""

LAZY = ("sympy", "onnx_ir._symbolic_shapes")
"""Loaded when first used. onnx_ir imports sympy for arithmetic on symbolic dimensions, which we never do: half of its import."""


class LazyFinder(MetaPathFinder):
    """Finds the modules of `LAZY`."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The usual spec of a module, to be run when an attribute of it is first asked for; None for every other module."""
        spec = PathFinder.find_spec(fullname, path, target) if fullname in LAZY else None
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec


def start_quickly() -> None:
    """To be called once, before much is imported."""
    gc.set_threshold(*RARELY)
    sys.meta_path.insert(0, LazyFinder())
