"""Recipes: how inputs are made, and which compression passes to run, in order; as a TOML file or from Python.

```toml
[input.images]               # or [input] where there is only one
mean = [123.7, 116.3, 103.5]
std = 58.4

[[pass]]
name = "PruneChannels"
macs = 0.5

[[pass]]
name = "Distill"
minutes = 20
```
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from exporter.compression.distill import Distill
from exporter.compression.given import Compressor
from exporter.compression.prune_channels import PruneChannels
from exporter.errors import UsageError, unknown_name
from exporter.preprocessing import from_table
from exporter.settings import NUMBER, check_keys, read_toml

COMPRESSING: dict[str, type[Any]] = {"PruneChannels": PruneChannels, "Distill": Distill}
"""Passes that a recipe may name; those that are exact run anyway."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is to be done to a model.

    Attributes:
        passes: Compression passes in the order they run; empty: the model stays as it is.
        inputs: Keyword arguments of `preprocessing.make` by input name; None stands for the only picture input. Flags go before them.
    """

    passes: Sequence[Compressor] = ()
    inputs: Mapping[str | None, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "passes", tuple(self.passes))

    def as_dict(self) -> dict[str, Any]:
        """For the manifest."""
        passes = [{"name": type(p).__name__, **{f.name: getattr(p, f.name) for f in fields(p)}} for p in self.passes]  # type: ignore[arg-type]
        return {"passes": passes, "inputs": {name or "": dict(said) for name, said in self.inputs.items()}}


def load_recipe(path: Path) -> Recipe:
    """Read a recipe file.

    Raises:
        UsageError: It is no TOML; a key or pass is unknown (suggests the nearest); a setting is missing or unfit.
    """
    data = read_toml(path)
    check_keys(data, {"pass": list, "input": dict}, path.name)
    passes = tuple(_pass(table, f"{path.name} [[pass]]") for table in data.get("pass", []))
    return Recipe(passes, _inputs(data.get("input", {}), path.name))


def _inputs(table: Mapping[str, Any], where: str) -> dict[str | None, dict[str, Any]]:
    """One table for each input, or one for the only input."""
    if table and all(isinstance(value, Mapping) for value in table.values()):
        return {name: from_table(said, f"{where} [input.{name}]") for name, said in table.items()}
    return {None: from_table(table, f"{where} [input]")} if table else {}


def _pass(table: Mapping[str, Any], where: str) -> Any:
    if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
        raise UsageError(f"{where}: a pass needs a name", hint='write `name = "..."`')
    if table["name"] not in COMPRESSING:
        raise unknown_name("pass", table["name"], COMPRESSING)
    kind = COMPRESSING[table["name"]]
    assert is_dataclass(kind)
    known = {f.name: _kind(f.default) for f in fields(kind)}
    settings = {k: v for k, v in table.items() if k != "name"}
    check_keys(settings, known, f"{where} {table['name']}")
    try:
        return kind(**settings)
    except (TypeError, ValueError) as problem:
        raise UsageError(f"{where} {table['name']}: {problem}", hint="correct the settings") from None


def _kind(default: Any) -> Any:
    """What a setting may hold, told by its usual value: a number where that is one or nothing."""
    if isinstance(default, bool | str):
        return type(default)
    if isinstance(default, tuple):
        return list
    return int if isinstance(default, int) else NUMBER
