from pathlib import Path

import numpy as np


def test_the_kits_data_have_the_stated_sizes(cifar10: Path, flowers: Path, imagenet: Path, imagenet_labels: Path, kws: Path) -> None:
    assert len(list(cifar10.glob("*/*.png"))) == 5000
    assert len(list(flowers.glob("*/*.jpg"))) == 150
    assert len(list(imagenet.glob("*/*"))) == 80
    assert {p.name for p in imagenet.iterdir()} < set(imagenet_labels.read_text().split())
    with np.load(kws) as data:
        assert data["x"].shape == (1000, 49, 10, 1)
        assert data["y"].max() == 11
