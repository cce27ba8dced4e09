"""The trained nets of the compression figures: how each is opened, what it is trained on and what it is measured on."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.int8_cases import CASES as FED
from benchmarks.sources import work_folder
from exporter.data import Dataset, InputSpec, open_data
from exporter.graph import Graph
from exporter.passes.run import clean
from exporter.sources.open import LoadOptions, open_source
from tests import kit_data

FLOWERS = "keras/st_flowers_mobilenet_v2_0.35_128/mobilenet_v2_0.35_128.h5"
RESNET8 = "keras/mlperf_resnet8_cifar10/pretrainedResnet.h5"
RESNET20, RESNET56 = (f"onnx/cifar10_resnet20_56/{name}.onnx" for name in ("resnet20", "resnet56_bn"))


def kit() -> Path:
    """The folder of real models and data, $MEXPORT_KIT."""
    return Path(os.environ["MEXPORT_KIT"])


@dataclass(frozen=True)
class Net:
    """A trained net, opened.

    Attributes:
        graph: Cleaned, batch norms live.
        train: Labelled pictures that it may be trained on.
        test: Labelled pictures that only measure.
    """

    graph: Graph
    train: Dataset
    test: Dataset


def opened(model: str) -> Net:
    """A net of the kit, by its path below `models`, with its data."""
    with open_source(kit() / "models" / model, LoadOptions()) as source:
        graph = source.load()
    clean(graph)
    port, case = graph.inputs[0], FED[model]
    spec = InputSpec(port.source_name, case.shape, case.layout)
    train, test = (open_data(path, [spec], {port.source_name: case.prep}) for path in data_paths(model))
    return Net(graph, train, test)


def data_paths(model: str) -> tuple[Path, Path]:
    """Training data and test data, unpacked on the first call: not to be made by two processes at once."""
    folder = work_folder() / "data"
    folder.mkdir(exist_ok=True)
    if model == FLOWERS:
        photos = kit_data.unpack(kit() / "datasets/tf_flowers/train_1535_short128.tar.gz", folder / "flowers-train")
        return photos, kit_data.flowers(kit(), folder)
    return cifar10(folder), kit_data.cifar10(kit(), folder)


def cifar10(folder: Path) -> Path:
    """25,000 training pictures as one file: `train_5000` and `train_more_20000`, class after class."""
    path = folder / "cifar10-train-25000.npz"
    if not path.exists():
        from PIL import Image

        base = kit() / "datasets/cifar10"
        roots = [kit_data.unpack(base / f"{name}.tar.gz", folder / f"cifar10-{name}") for name in ("train_5000", "train_more_20000")]
        files = sorted((file.parent.name, file.name, file) for root in roots for file in root.glob("train/*/*.png"))
        classes = sorted({name for name, _, _ in files})
        x = np.stack([np.asarray(Image.open(file)) for _, _, file in files])
        aside = path.with_name(f"part-{path.name}")
        np.savez(aside, x=x, y=np.array([classes.index(name) for name, _, _ in files]))
        aside.rename(path)
    return path
