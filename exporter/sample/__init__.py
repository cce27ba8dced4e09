"""The sample that ships with the package: a small trained net and pictures it has never seen.

`fashion.keras` (28x28 grey pixels 0..255 in, the division by 255 is its first layer; ten probabilities out) was trained by `train.py` on
10,000 Fashion-MNIST pictures; `pictures/` holds 300 of its test pictures, 30 a class (MIT, see FASHION_MNIST_LICENSE.txt).
"""

from pathlib import Path

CLASS_NAMES = (
    "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle-boot",
)  # fmt: skip
"""In the order of the net's outputs."""

_HERE = Path(__file__).parent


def model_path() -> Path:
    """The trained net, a Keras 3 file. Its preprocessing is mean 0, std 1, gray."""
    return _HERE / "fashion.keras"


def pictures_path() -> Path:
    """Class folders of PNG pictures, 28x28, named as in `labels_path`."""
    return _HERE / "pictures"


def labels_path() -> Path:
    """The class names, one a line, in the order of the net's outputs."""
    return _HERE / "labels.txt"
