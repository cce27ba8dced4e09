"""Real trained models of the kit through the whole flow; the figures on whole data sets are made by benchmarks/golden.py."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.golden import CASES
from exporter.bundle import read_bundle
from tests import kit_data as sets
from tests.command import mexport

ALL = ("-t", "ncnn-arm64", "-t", "tflite-arm64", "-t", "onnx-arm64", "--precision", "fp32")
LABELLED = {name: case for name, case in CASES.items() if case.data is not None}
OTHERS = [name for name, case in CASES.items() if case.data is None]
COUNT = 100

QUICK = (
    "keras/mnist_cnn_moonflower/mnist_model.h5", "keras/mnist_mlp_sann/mnist_model.keras",
    "keras/teachable_machine_flowers5/flower_model.h5",
    "tf_savedmodel/mlperf_kws_dscnn/kws_ref_model", "onnx/cifar10_resnet20_56/resnet20.onnx", "onnx/mnist_cnn_nharish/onnx_mnist.onnx",
    "onnx/fastestdet_coco/FastestDet.onnx",
    "keras/gender_mini_xception/gender_mini_XCEPTION.21-0.95.hdf5", "onnx/ultraface_320/version-slim-320.onnx",
)  # fmt: skip
"""At least one of each kind of source; the others start the same frameworks again and are marked slow."""


EVALUATED = (
    "keras/mnist_cnn_moonflower/mnist_model.h5", "tf_savedmodel/mlperf_kws_dscnn/kws_ref_model", "onnx/cifar10_resnet20_56/resnet20.onnx",
)  # fmt: skip
"""The source by itself too, one of each kind: a build has counted what its own framework gets right, and starts it once."""


def marked(names):
    return [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in names]


def some(data: Path, folder: Path, count: int = COUNT) -> Path:
    """About `count` samples of a data set, evenly over its classes."""
    place = folder / f"some-{data.stem}"
    if data.is_dir():
        classes = sorted(p for p in data.iterdir() if p.is_dir())
        for each in classes if not place.exists() else ():
            (place / each.name).mkdir(parents=True)
            for picture in sorted(each.iterdir())[: max(1, count // len(classes))]:
                (place / each.name / picture.name).symlink_to(picture.resolve())
        return place
    place = place.with_suffix(".npz")
    if data.suffix == ".npz":
        with np.load(data) as stored:
            np.savez(place, x=stored["x"][:count], y=stored["y"][:count])
    else:
        labels = data.with_name(data.name.replace("images-idx3", "labels-idx1"))
        x = np.frombuffer(gzip.decompress(data.read_bytes()), np.uint8, offset=16).reshape(-1, 28, 28, 1)
        y = np.frombuffer(gzip.decompress(labels.read_bytes()), np.uint8, offset=8)
        np.savez(place, x=x[:count], y=y[:count])
    return place


def accuracy_of(bundle: Path, kind: str) -> dict[str, Any]:
    return next(n for n in read_bundle(bundle).manifest["numbers"] if n["name"] == kind)


@pytest.mark.parametrize("name", marked(LABELLED))
def test_every_format_is_as_right_as_the_models_own_framework(name, kit, kit_data, tmp_path):
    case = LABELLED[name]
    assert case.data is not None
    data = some(case.data(kit, kit_data), kit_data)
    labels = ("--labels", sets.imagenet_labels(kit, kit_data)) if case.data is sets.imagenet else ()
    built = mexport("build", kit / "models" / name, *ALL, *case.flags, "--data", data, *labels, "-o", tmp_path, "-q")
    assert built.code == 0, built.err
    results = mexport("eval", tmp_path, "--data", data, *labels, "--json", "-q").facts["results"]
    assert len(results) == 3
    for result in results:
        own = accuracy_of(tmp_path / result["name"], "top1_source")
        assert own["n"] == result["n"] >= 50
        assert own["value"] > 0.5  # the preprocessing is the right one
        assert abs(result["right"] - own["value"] * own["n"]) <= 1.001, result["name"]  # a tie may fall either way
        assert accuracy_of(tmp_path / result["name"], "top1")["value"] == result["top1"]
    if name in EVALUATED:
        (alone,) = mexport("eval", kit / "models" / name, "--data", data, *labels, *case.flags, "--json", "-q").facts["results"]
        assert (alone["top1"], alone["n"]) == (own["value"], own["n"])


@pytest.mark.parametrize("name", marked(OTHERS))
def test_every_format_gives_the_outputs_of_the_models_own_framework(name, kit, tmp_path):
    built = mexport("build", kit / "models" / name, *ALL, "-o", tmp_path, "--json", "-q")
    assert built.code == 0, built.err
    for outcome in built.facts["outcomes"]:
        for found in outcome["fidelity"].values():
            assert found["rel"] <= 1e-4, outcome["target"]  # the contract's limit for fp32
