"""Real trained models in three formats at fp32: top-1 on whole data sets against their own framework's.

MEXPORT_KIT=KIT python -m benchmarks.golden [MODEL ...] [--again]
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.ours import TARGETS, Built, build_all, mexport
from benchmarks.results import Results, Row, Rows, again, wanted
from benchmarks.sources import work_folder
from tests import kit_data

UNIT = ("--mean", "0", "--std", "255")
SIGNED = ("--mean", "127.5", "--std", "127.5")
RAW = ("--mean", "0", "--std", "1")
IMAGENET = ("--mean", "123.675,116.28,103.53", "--std", "58.395,57.12,57.375")


Data = Callable[[Path, Path], Path]
"""One of `tests.kit_data`: kit and work folder to where the data lie."""


@dataclass(frozen=True)
class Case:
    """How a model of the kit is fed; data None: only its outputs are compared, on synthetic samples."""

    data: Data | None = None
    flags: tuple[str, ...] = ()


CASES = {
    "keras/mnist_cnn_moonflower/mnist_model.h5": Case(kit_data.mnist, UNIT),
    "keras/mnist_cnn_moonflower/mnist_model.keras": Case(kit_data.mnist, UNIT),
    "keras/mnist_mlp_sann/mnist_model.keras": Case(kit_data.mnist, UNIT),
    "onnx/mnist_cnn_nharish/mnist.h5": Case(kit_data.mnist, UNIT),
    "onnx/mnist_cnn_nharish/onnx_mnist.onnx": Case(kit_data.mnist, UNIT),
    "keras/cifar10_cnn_sudo/cifar10_model.keras": Case(kit_data.cifar10, UNIT),
    "keras/mlperf_resnet8_cifar10/pretrainedResnet.h5": Case(kit_data.cifar10, RAW),
    "keras/st_flowers_fdmobilenet_0.25_128/fdmobilenet_0.25_128.h5": Case(kit_data.flowers, UNIT),
    "keras/st_flowers_mobilenet_v2_0.35_128/mobilenet_v2_0.35_128.h5": Case(kit_data.flowers, SIGNED),
    "keras/teachable_machine_flowers5/flower_model.h5": Case(kit_data.flowers, SIGNED),
    "keras/imagenet_mobilenet_v1_0.25_224/mobilenet_v1_0.25_224.h5": Case(kit_data.imagenet, (*SIGNED, "--resize", "crop:0.875")),
    "tf_savedmodel/mlperf_kws_dscnn/kws_ref_model": Case(kit_data.kws, RAW),
    "onnx/cifar10_resnet20_56/resnet20.onnx": Case(kit_data.cifar10, IMAGENET),
    "onnx/cifar10_resnet20_56/resnet56_bn.onnx": Case(kit_data.cifar10, IMAGENET),
    "keras/mlperf_ad01_autoencoder/ad01.h5": Case(),
    "keras/gender_mini_xception/gender_mini_XCEPTION.21-0.95.hdf5": Case(),
    "keras/mlperf_vww96/vww_96.h5": Case(),
    "onnx/ultraface_320/version-slim-320.onnx": Case(),
    "onnx/ultraface_320/version-slim-320_simplified.onnx": Case(),
    "onnx/ultraface_320/version-slim-320_without_postprocessing.onnx": Case(),
    "onnx/fastestdet_coco/FastestDet.onnx": Case(),
}
"""Path below kit/models to how it is fed."""


def measure(kit: Path, name: str) -> Rows:
    """Build one model for all formats and count the right answers of each."""
    case = CASES[name]
    built = build_all(kit / "models" / name, *case.flags, "--name", name.split("/")[1] + Path(name).suffix.replace(".", "-"))
    rows: Rows = {}
    for file_format, one in built.items():
        key = f"{name} {file_format}"
        rows[key] = {"error": one} if isinstance(one, str) else {"fidelity_rel": one.rel("fidelity"), "parity_rel": one.rel("parity")}
        if case.data is not None and not isinstance(one, str):
            rows[key] |= count(kit, name, case.data, one)
    return rows


def count(kit: Path, name: str, data: Data, built: Built) -> Row:
    """Right answers of one bundle and of the model's own framework."""
    folder = work_folder() / "data"
    folder.mkdir(exist_ok=True)
    labels = ("--labels", kit_data.imagenet_labels(kit, folder)) if data is kit_data.imagenet else ()
    told = json.loads(mexport("eval", built.folder, "--data", data(kit, folder), *labels, "--json"))
    golden = json.loads((kit / "GOLDEN.json").read_text())["models"][name]
    right, expected = int(told["results"][0]["right"]), round(golden["top1"] * golden["n"] / 100)
    return {"n": golden["n"], "right": right, "own_framework_right": expected, "difference": right - expected}


def main() -> None:
    """All models, or those named."""
    kit = Path(os.environ["MEXPORT_KIT"])
    results = Results("golden", again=again())
    for name in wanted(list(CASES)):
        results.fill_all([f"{name} {f}" for f in TARGETS], partial(measure, kit, name))


if __name__ == "__main__":
    main()
