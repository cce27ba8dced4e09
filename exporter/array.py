"""The one array type of the project, and files of arrays."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def save_arrays(file: Path | str | IO[bytes], arrays: Mapping[str, Array]) -> None:
    """Write an `.npz` of arrays, whatever their names: `np.savez` takes some for its arguments, more of them the newer numpy is."""
    with zipfile.ZipFile(file, "w") as packed:
        for name, x in arrays.items():
            with packed.open(f"{name}.npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.asanyarray(x), allow_pickle=False)
