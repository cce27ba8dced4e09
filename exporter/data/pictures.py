"""Folders of pictures: flat, or one folder a class."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from exporter.data.dataset import Dataset, Sample
from exporter.data.labels import index_of, read_labels
from exporter.data.spec import InputSpec, fit
from exporter.errors import DataError
from exporter.preprocessing import Preprocessing, has_alpha, load_picture

SUFFIXES = frozenset((".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pnm"))
"""What counts as a picture; other files are left alone."""


class Pictures:
    """Picture files, decoded when they are asked for.

    Args:
        root: The folder that names are relative to.
        files: In order.
        spec: The only input.
        prep: How it is made.
    """

    def __init__(self, root: Path, files: Sequence[Path], spec: InputSpec, prep: Preprocessing) -> None:
        self.files, self.spec, self.made = files, spec, prep
        self.names = [str(f.relative_to(root)) for f in files]
        if spec.picture is None:
            raise DataError(f"{root} holds pictures, input {spec.name} of shape {spec.shape} takes none", hint="give the data as .npz")
        self.height, self.width, channels = spec.picture
        if channels != prep.channels:
            raise DataError(
                f"input {spec.name} of shape {spec.shape} has {channels} channel(s), {prep.color} pictures have {prep.channels}",
                hint="give --color gray" if channels == 1 else "give --color rgb" if channels == 3 else "give the data as .npz",
            )

    def read(self, indices: Sequence[int]) -> Iterator[Sample]:
        """See `Samples`."""
        for i in indices:
            pixels = load_picture(self.files[i], self.height, self.width, self.made)
            yield {self.spec.name: fit(pixels, self.spec, self.made, str(self.files[i]))}

    @property
    def prep(self) -> Mapping[str, Preprocessing]:
        """See `Samples`."""
        return {self.spec.name: self.made}

    def update(self, digest: "hashlib._Hash", indices: Sequence[int] | None = None) -> None:
        """See `Samples`."""
        for i in range(len(self.files)) if indices is None else indices:
            name, file = self.names[i], self.files[i]
            try:
                content = hashlib.sha256(file.read_bytes()).digest()
            except OSError as problem:
                raise DataError(f"{file} cannot be read: {problem.strerror}", hint="check its permissions") from None
            digest.update(name.encode() + b"\0" + content)

    def transparent(self, indices: Sequence[int] | None = None) -> int:
        """See `Samples`."""
        return sum(has_alpha(self.files[i]) for i in (range(len(self.files)) if indices is None else indices))


def open_folder(root: Path, spec: InputSpec, prep: Preprocessing, labels: Path | None) -> Dataset:
    """Class folders where there are folders, else a flat folder.

    Raises:
        DataError: No pictures; pictures beside class folders; a folder that the labels file lacks.
    """
    flat = _pictures(root)
    folders = sorted(f.name for f in root.iterdir() if f.is_dir() and not f.name.startswith("."))
    if flat and folders:
        raise DataError(
            f"{root} holds both pictures ({flat[0].name}) and folders ({folders[0]})",
            hint="give either a flat folder of pictures or one folder a class",
        )
    if folders:
        return _class_folders(root, folders, spec, prep, labels)
    if not flat:
        raise DataError(f"{root} holds no pictures", hint=f"known: {', '.join(sorted(SUFFIXES))}")
    return Dataset(Pictures(root, flat, spec, prep), class_names=read_labels(labels) if labels else None)


def _class_folders(root: Path, folders: list[str], spec: InputSpec, prep: Preprocessing, labels: Path | None) -> Dataset:
    known = read_labels(labels) if labels else tuple(folders)
    found = {name: held for name in folders if (held := _pictures(root / name, deep=True))}
    if not found:
        raise DataError(f"{root}: none of its {len(folders)} folders holds a picture", hint=f"known: {', '.join(sorted(SUFFIXES))}")
    index = index_of(list(found), known, labels) if labels else {name: i for i, name in enumerate(folders)}
    files = [(f, index[name]) for name, held in found.items() for f in held]
    pictures = Pictures(root, [f for f, _ in files], spec, prep)
    notes = () if labels or sorted(folders, key=natural) == folders else (_order_note(folders),)
    return Dataset(pictures, np.array([i for _, i in files], np.int64), known, notes)


def _order_note(folders: list[str]) -> str:
    shown = ", ".join(folders[:4])
    return f"class folders are in order of name, not of number ({shown}, ...), as Keras and torchvision have it; else give --labels"


def _pictures(folder: Path, deep: bool = False) -> list[Path]:
    found = folder.rglob("*") if deep else folder.iterdir()
    return sorted((f for f in found if _is_picture(f)), key=lambda f: natural(str(f.relative_to(folder))))


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def natural(name: str) -> list[tuple[int, int | str]]:
    """Sort key under which img2 comes before img10."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", name) if part]
