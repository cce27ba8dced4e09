from dataclasses import dataclass
from pathlib import Path

import pytest

from exporter import recipe
from exporter.compression.distill import Distill
from exporter.compression.prune_channels import PruneChannels
from exporter.errors import UsageError
from exporter.recipe import Recipe, load_recipe


@dataclass(frozen=True)
class Shrink:
    by: float
    seed: int = 0


def write(folder: Path, text: str) -> Path:
    path = folder / "small.toml"
    path.write_text(text)
    return path


def test_empty(tmp_path: Path) -> None:
    assert load_recipe(write(tmp_path, "")) == Recipe()
    assert Recipe().as_dict() == {"passes": [], "inputs": {}}


def test_passes_and_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(recipe.COMPRESSING, "Shrink", Shrink)
    got = load_recipe(write(tmp_path, '[[pass]]\nname = "Shrink"\nby = 0.5\n'))
    assert got.passes == (Shrink(0.5),)
    assert got.as_dict() == {"passes": [{"name": "Shrink", "by": 0.5, "seed": 0}], "inputs": {}}


def test_inputs(tmp_path: Path) -> None:
    assert load_recipe(write(tmp_path, "[input]\nmean = 1\nstd = [1, 2, 3]")).inputs == {None: {"mean": (1.0,), "std": (1.0, 2.0, 3.0)}}
    text = '[input.left]\ncolor = "bgr"\n[input."b:0"]\nresize = "letterbox"'
    assert load_recipe(write(tmp_path, text)).inputs == {"left": {"color": "bgr"}, "b:0": {"resize": "letterbox"}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[input.left]\nmen = 1", r"\[input.left\]: unknown key: men"),
        ('[[pass]]\nname = "Shrinck"', "unknown pass: Shrinck"),
        ('[[pass]]\nname = "Shrink"\nbye = 1', "unknown key: bye"),
        ('[[pass]]\nname = "Shrink"', "missing 1 required"),
        ("[[pass]]\nby = 1", "a pass needs a name"),
        ('precision = "int8"', "unknown key: precision"),
    ],
)
def test_wrong_recipes_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str) -> None:
    monkeypatch.setitem(recipe.COMPRESSING, "Shrink", Shrink)
    with pytest.raises(UsageError, match=message):
        load_recipe(write(tmp_path, text))


def test_compression_passes_from_a_file(tmp_path: Path) -> None:
    text = '[[pass]]\nname = "PruneChannels"\nmacs = 1\nskip = ["a"]\n[[pass]]\nname = "Distill"\nminutes = 5\naugment = false'
    got = load_recipe(write(tmp_path, text))
    assert got.passes == (PruneChannels(macs=1, skip=("a",)), Distill(minutes=5, augment=False))
    assert Recipe([*got.passes]) == got


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "PruneChannels"\nmacs = "half"', "must be a number"),
        ('name = "PruneChannels"\nmacs = 2', "up to 1"),
        ('name = "PruneChannels"', "no budget"),
        ('name = "PruneChannels"\nmacs = 0.5\nrounds = 1.5', "must be a whole number"),
        ('name = "PruneChannels"\nmacs = 0.5\nskip = "a"', "must be a list"),
        ('name = "PruneChannels"\nmacs = true', "must be a number"),
        ('name = "Distill"\nloss = "dst"', "unknown loss: dst"),
        ('name = "Distil"', "unknown pass: Distil"),
    ],
)
def test_nonsense_in_a_recipe_gets_a_sentence(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_recipe(write(tmp_path, f"[[pass]]\n{text}"))
