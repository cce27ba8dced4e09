"""The one array type of the project."""

from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
