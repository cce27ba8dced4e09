from pathlib import Path

import numpy as np
import pytest

from benchmarks import int8_cases, int8_splits
from benchmarks.int8_cases import CASES


@pytest.mark.parametrize("split", [int8_splits.imagenet, int8_splits.photos, int8_splits.flowers, int8_splits.cifar10])
def test_no_picture_both_calibrates_and_measures(split: int8_cases.Split, kit: Path, kit_data: Path) -> None:
    calibration, test = ({f.resolve().read_bytes() for f in folder.rglob("*") if f.is_file()} for folder in split(kit, kit_data))
    assert calibration
    assert test
    assert not calibration & test


def test_the_keyword_inputs_are_split_as_asked(kit: Path, kit_data: Path) -> None:
    calibration, test = (np.load(path) for path in int8_splits.kws(kit, kit_data))
    assert (len(calibration["x"]), len(test["x"])) == (200, 800)
    assert set(calibration["y"]) == set(range(12))


def test_training_pictures_are_spread_over_all_classes(kit: Path, kit_data: Path) -> None:
    for split in (int8_splits.mnist, int8_splits.fashion):
        found = np.load(split(kit, kit_data)[0])
        assert len(found["x"]) == int8_splits.CALIBRATION_SAMPLES
        assert set(found["y"]) == set(range(10))


def test_every_case_is_in_the_kit(kit: Path) -> None:
    for name, case in CASES.items():
        assert int8_cases.source_path(kit, name).exists()
        assert case.makers is None or (kit / "models" / case.makers).is_file()
