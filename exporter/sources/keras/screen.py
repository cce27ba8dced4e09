"""Looks through a stored config before the framework opens the file: code in it, and classes it does not define."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from exporter.errors import SourceError

CODE_CLASSES = ("Lambda", "__lambda__")
OWN_MODULES = ("keras", "tf_keras", "tensorflow", "builtins")
"""Top-level packages whose classes a config may name."""

NO_MODEL_PARTS = ("utils", "saving", "os", "io", "src.utils", "src.saving", "src.export")
"""Parts of those packages that no layer comes from: a config that names one tries to call a function of it."""

SKIPPED_KEYS = ("compile_config", "training_config", "build_config", "optimizer", "loss", "metrics")
LAYER_KEYS = ("layers", "layer", "forward_layer", "backward_layer", "cell", "cells")
GRAPH_CLASSES = (
    "Functional", "Model", "Sequential", "TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceMethod", "InstanceProperty",
    "TensorFlowOpLayer",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """One object of a config: its class, its layer name, the module it claims, and whether it stands where a layer stands."""

    cls: str
    name: str
    module: str | None
    is_layer: bool


def parts(config: Any, *, is_layer: bool = True) -> Iterator[Part]:
    """Every object of a config, nested ones too."""
    if isinstance(config, dict):
        inner = config.get("config")
        if isinstance(config.get("class_name"), str):
            name = config.get("name") or (inner.get("name") if isinstance(inner, dict) else None)
            yield Part(config["class_name"], str(name or ""), _module(config), is_layer)
        for key, value in config.items():
            if key not in SKIPPED_KEYS:
                yield from parts(value, is_layer=key in LAYER_KEYS or (key == "config" and isinstance(value, list)))
    elif isinstance(config, list):
        for item in config:
            yield from parts(item, is_layer=is_layer)


def _module(config: dict[str, Any]) -> str | None:
    module = config.get("module")
    return module if isinstance(module, str) and module else None


def screen(config: dict[str, Any], file: str, framework: Any, *, known: frozenset[str]) -> None:
    """Refuse code and undefined classes.

    Args:
        config: The stored architecture.
        file: The file's name, for the message.
        framework: The keras or tf_keras module.
        known: Names of classes that the user's own module or we define.

    Raises:
        SourceError: Names every such layer.
    """
    everything = list(parts(config))
    code = sorted({p.name or p.cls for p in everything if p.cls in CODE_CLASSES})
    if code:
        raise SourceError(
            f"{file}: {_listed('Lambda layer', code)} would run code stored in the file",
            hint="if you trust the file, add --trust (with --custom-objects MODULE where it needs your functions)",
        )
    foreign = sorted({f"{p.name or 'unnamed'} ({_full(p)})" for p in everything if _is_foreign(p, framework, known)})
    if foreign:
        raise SourceError(
            f"{file}: {_listed('layer', foreign)} of a class that Keras does not define",
            hint="give the module that defines it: --custom-objects MODULE together with --trust",
        )


def _listed(kind: str, names: list[str]) -> str:
    return f"{kind}{'s' if len(names) > 1 else ''} {', '.join(names[:12])}{' ...' if len(names) > 12 else ''}"


def _full(part: Part) -> str:
    return f"{part.module}.{part.cls}" if part.module and not part.module.startswith("keras.") else part.cls


def _is_foreign(part: Part, framework: Any, known: frozenset[str]) -> bool:
    if part.cls in known:
        return False
    if part.module is not None:
        top, _, rest = part.module.partition(".")
        return top not in OWN_MODULES or any(rest == p or rest.startswith(f"{p}.") for p in NO_MODEL_PARTS)
    return part.is_layer and part.cls not in GRAPH_CLASSES and not hasattr(framework.layers, part.cls)
