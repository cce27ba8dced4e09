"""One door to every form of data."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from exporter.data.arrays import Needs, only, open_idx_file, open_idx_folder, open_npy_file, open_npz_file
from exporter.data.code import open_function
from exporter.data.dataset import Dataset
from exporter.data.pictures import SUFFIXES, open_folder
from exporter.data.rows import is_idx
from exporter.data.spec import InputSpec
from exporter.errors import DataError
from exporter.preprocessing import Preprocessing

FORMS = "a folder of pictures, class folders, .npz, .npy, an idx file or its folder, or module:function with --trust"


def open_data(
    path: str | Path,
    inputs: Sequence[InputSpec],
    prep: Mapping[str, Preprocessing],
    *,
    labels: Path | None = None,
    trust: bool = False,
) -> Dataset:
    """Open data for a model; samples are decoded when asked for.

    Args:
        path: A folder of pictures, class folders, `.npz`, `.npy`, an idx images file or the folder of the pair, or `module:function`.
        inputs: The model's inputs.
        prep: By input name; an input left out takes its values as they are.
        labels: File with one class name a line.
        trust: Whether `module:function` may be run.

    Raises:
        DataError: If there is nothing, or it does not fit; names the file.
    """
    place, needs = Path(path), Needs(inputs, prep, labels)
    if place.is_dir():
        return _open_folder(place, needs)
    if not place.exists():
        if ":" in str(path):
            return open_function(str(path), needs, trust)
        raise DataError(f"{path} does not exist", hint=f"data can be {FORMS}")
    if place.suffix == ".npz":
        return open_npz_file(place, needs)
    if place.suffix == ".npy":
        return open_npy_file(place, needs)
    if is_idx(place):
        return open_idx_file(place, needs)
    hint = f"give its folder: {place.parent}" if place.suffix.lower() in SUFFIXES else f"data can be {FORMS}"
    raise DataError(f"{path} is no data that can be read", hint=hint)


def _open_folder(folder: Path, needs: Needs) -> Dataset:
    found = open_idx_folder(folder, needs)
    if found is not None:
        return found
    spec = only(needs.specs, folder)
    return open_folder(folder, spec, needs.prep.get(spec.name, Preprocessing()), needs.labels)
