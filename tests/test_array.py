"""Files of arrays."""

from pathlib import Path

import numpy as np
import pytest

from exporter.array import save_arrays

NAMES = ("file", "allow_pickle", "args", "kwds", "/conv1/Conv_output_0", "in.x:0")


def test_arrays_have_any_name(tmp_path: Path) -> None:
    arrays = {name: np.full((2, 3), i, np.float32) for i, name in enumerate(NAMES)}
    save_arrays(tmp_path / "arrays.npz", arrays)
    with np.load(tmp_path / "arrays.npz", allow_pickle=False) as stored:
        assert set(stored.files) == set(NAMES)
        for name, x in arrays.items():
            np.testing.assert_array_equal(stored[name], x)


def test_no_array_of_objects(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        save_arrays(tmp_path / "arrays.npz", {"x": np.array([object()])})
