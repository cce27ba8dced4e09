from dataclasses import dataclass
from pathlib import Path

import pytest

from exporter import recipe
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


def test_unknown_pass_of_a_version_without_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "COMPRESSING", {})
    with pytest.raises(UsageError, match="unknown pass: Shrink"):
        load_recipe(write(tmp_path, '[[pass]]\nname = "Shrink"'))
