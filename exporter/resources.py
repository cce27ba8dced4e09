"""Data files that belong to the project: in the package when installed from a wheel, beside it in a checkout."""

from pathlib import Path

from exporter.errors import IntegrityError

_PACKAGE = Path(__file__).parent


def data_folder(name: str) -> Path:
    """A folder of the project's data files, e.g. "targets".

    Raises:
        IntegrityError: If the installation lacks it.
    """
    for folder in (_PACKAGE / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise IntegrityError(f"the installation lacks its folder {name}/", hint="install mexport again")
