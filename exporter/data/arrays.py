"""Data given as arrays: .npz, .npy and idx files, or what a user's function yields."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np

from exporter.array import Array
from exporter.data.dataset import Dataset, Sample
from exporter.data.labels import class_indices, read_labels
from exporter.data.rows import Rows, hash_file, is_idx, open_idx, open_npy, open_npz
from exporter.data.spec import InputSpec, check_size, fit
from exporter.errors import DataError
from exporter.preprocessing import Preprocessing

Prep = Mapping[str, Preprocessing]


@dataclass(frozen=True, slots=True)
class Needs:
    """What the data is opened for: the model's inputs, their preprocessing, a file of class names."""

    specs: Sequence[InputSpec]
    prep: Prep
    labels: Path | None = None

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """From the labels file."""
        return read_labels(self.labels) if self.labels else None


class Numbered(Sequence[str]):
    """FILE[0], FILE[1], ... made when asked for: a damaged file may claim billions of samples."""

    def __init__(self, name: str, count: int) -> None:
        self.name, self.length = name, count

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, i: int) -> str: ...
    @overload
    def __getitem__(self, i: slice) -> list[str]: ...
    def __getitem__(self, i: int | slice) -> str | list[str]:
        found = range(self.length)[i]
        return f"{self.name}[{found}]" if isinstance(found, int) else [f"{self.name}[{k}]" for k in found]


class Arrays:
    """Samples in arrays, one for each input.

    Args:
        what: The file, for names and errors.
        rows: By input name.
        specs: The inputs.
        prep: By input name; left out: used as it is.
        content: Feeds the data to a hash.
    """

    def __init__(self, what: str, rows: Mapping[str, Rows], specs: Sequence[InputSpec], prep: Prep,
                 content: Callable[["hashlib._Hash"], None]) -> None:  # fmt: skip
        self.what, self.rows, self.specs, self.prep, self.content = what, rows, specs, prep, content
        counts = {name: r.shape[0] for name, r in rows.items()}
        if len(set(counts.values())) > 1:
            words = ", ".join(f"{name} has {n}" for name, n in counts.items())
            raise DataError(f"{what}: the inputs have different numbers of samples: {words}", hint="give one row of each input a sample")
        count = next(iter(counts.values()))
        if count == 0:
            raise DataError(f"{what} holds no samples", hint="axis 0 counts samples")
        self.names: Sequence[str] = Numbered(Path(what).name, count)
        for spec in specs:  # a wrong shape is told before any work
            check_size(rows[spec.name].shape[1:], spec, what)
            self._fit(spec, np.broadcast_to(np.uint8(0), rows[spec.name].shape[1:]))

    def _fit(self, spec: InputSpec, x: Array) -> Array:
        return fit(x, spec, self.prep.get(spec.name, Preprocessing()), self.what)

    def read(self, indices: Sequence[int]) -> Iterator[Sample]:
        """See `Samples`."""
        for values in zip(*(self.rows[spec.name].read(indices) for spec in self.specs), strict=True):
            yield {spec.name: self._fit(spec, x) for spec, x in zip(self.specs, values, strict=True)}

    def update(self, digest: "hashlib._Hash", indices: Sequence[int] | None = None) -> None:
        """See `Samples`; the arrays are hashed whole, and then which rows are meant."""
        self.content(digest)
        if indices is not None:
            digest.update(repr(list(indices)).encode())

    def transparent(self, indices: Sequence[int] | None = None) -> int:
        """See `Samples`; arrays have the model's own channels."""
        return 0


def open_npz_file(path: Path, needs: Needs) -> Dataset:
    """`x` (or the input's name) and perhaps `y`; with several inputs one key each.

    Raises:
        DataError: A key is missing (names those that are there), shapes or counts do not fit.
    """
    found = open_npz(path)
    y = None if any(spec.name == "y" for spec in needs.specs) else found.get("y")
    return _dataset([path], assign(found, needs.specs, str(path)), y, needs)


def assign(found: Mapping[str, Rows], specs: Sequence[InputSpec], what: str) -> dict[str, Rows]:
    """Arrays by input name, from arrays by key.

    Raises:
        DataError: Names the input without a key, and the keys.
    """
    if len(specs) == 1 and "x" in found:
        return {specs[0].name: found["x"]}
    missing = [spec.name for spec in specs if spec.name not in found]
    if missing:
        need = "`x`" if len(specs) == 1 else "one key for each input: " + ", ".join(spec.name for spec in specs)
        raise DataError(f"{what} has the keys {', '.join(found) or '(none)'}; needed: {need}", hint=f"store the data as {need}")
    return {spec.name: found[spec.name] for spec in specs}


def open_npy_file(path: Path, needs: Needs) -> Dataset:
    """Inputs alone, without labels.

    Raises:
        DataError: If it does not fit.
    """
    return _dataset([path], {only(needs.specs, path).name: open_npy(path)}, None, needs)


def open_idx_file(path: Path, needs: Needs) -> Dataset:
    """The images file; its labels are found by name: `images-idx3` becomes `labels-idx1`, packed or not.

    Raises:
        DataError: If it does not fit.
    """
    images, beside = open_idx(path), idx_labels(path)
    y = open_idx(beside) if beside else None
    if len(images.shape) == 1:
        raise DataError(f"{path} holds labels, not images", hint="give the images file: its labels are found by name")
    return _dataset([path, *([beside] if beside else [])], {only(needs.specs, path).name: images}, y, needs)


def open_idx_folder(folder: Path, needs: Needs) -> Dataset | None:
    """A folder with one images file; None if it holds no idx file.

    Raises:
        DataError: If it holds several.
    """
    images = [f for f in sorted(folder.iterdir()) if f.is_file() and is_idx(f) and len(open_idx(f).shape) > 1]
    if len(images) > 1:
        names = ", ".join(f.name for f in images)
        raise DataError(f"{folder} holds {len(images)} images files: {names}", hint=f"name one: {images[0]}")
    return open_idx_file(images[0], needs) if images else None


def idx_labels(images: Path) -> Path | None:
    """The labels file that belongs to an images file, None if there is none beside it."""
    stem = images.name.removesuffix(".gz")
    for old, new in (("images", "labels"), ("image", "label")):
        other = stem.replace(old, new).replace("idx3", "idx1").replace("idx4", "idx1")
        for name in (other, f"{other}.gz"):
            if other != stem and images.with_name(name).is_file():
                return images.with_name(name)
    return None


def only(specs: Sequence[InputSpec], path: Path) -> InputSpec:
    """The only input.

    Raises:
        DataError: If there are several.
    """
    if len(specs) != 1:
        names = ", ".join(spec.name for spec in specs)
        raise DataError(f"{path} can serve one input, the model has {len(specs)}: {names}", hint="give a .npz with one key for each input")
    return specs[0]


def _dataset(files: Sequence[Path], rows: Mapping[str, Rows], y: Rows | None, needs: Needs) -> Dataset:
    def content(digest: "hashlib._Hash") -> None:
        for file in files:
            hash_file(file, digest)

    samples = Arrays(str(files[0]), rows, needs.specs, needs.prep, content)
    classes = None if y is None else class_indices(y.whole(), str(files[-1]))
    return Dataset(samples, classes, needs.class_names)
