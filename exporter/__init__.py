"""mexport: a trained model in, a phone-ready model out, with the proof that it is still the same model.

The public names are loaded when first used: importing this package costs nothing.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exporter.building.deliver import Outcome
    from exporter.building.options import PixelOptions
    from exporter.compression.distill import Distill
    from exporter.compression.prune_channels import PruneChannels
    from exporter.errors import MexportError
    from exporter.exchange import to_keras
    from exporter.pipeline import build, build_all, compress, plan
    from exporter.recipe import Recipe
    from exporter.target import Target, list_targets, load_target
    from exporter.verification.verify import verify

__version__ = "0.1.0"

__all__ = [
    "Distill", "MexportError", "Outcome", "PixelOptions", "PruneChannels", "Recipe", "Target", "build", "build_all", "compress",
    "list_targets", "load_target", "plan", "to_keras", "verify",
]  # fmt: skip

# onnxruntime's Linux wheels report home (seen in 1.31), from threads that disturb what is measured
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_HOMES = {
    "Distill": "compression.distill", "MexportError": "errors", "Outcome": "building.deliver", "PixelOptions": "building.options",
    "PruneChannels": "compression.prune_channels", "Recipe": "recipe", "Target": "target", "build": "pipeline",
    "build_all": "pipeline", "compress": "pipeline", "list_targets": "target", "load_target": "target", "plan": "pipeline",
    "to_keras": "exchange", "verify": "verification.verify",
}  # fmt: skip
"""Public name to the module that has it."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"exporter.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
