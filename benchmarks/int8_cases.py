"""Every model of the kit for the int8 benchmarks: how it is fed, what calibrates it and what measures it.

The same calibration samples go to everybody, none of which is measured on: 300 training pictures spread evenly over the training set,
or what there is. ImageNet has no training pictures in the kit: of its 80 photos every other one calibrates and the others measure. Of the
1,000 keyword-spotting inputs, which come shuffled, the first 200 calibrate and the other 800 measure.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.int8_splits import autoencoder, cifar10, fashion, flowers, imagenet, kws, mnist, photos
from benchmarks.sources import work_folder
from exporter.array import Array
from exporter.data import InputSpec, open_data
from exporter.preprocessing import Preprocessing
from tests import kit_data

UNIT = Preprocessing((0.0,), (255.0,))
SIGNED = Preprocessing((127.5,), (127.5,))
RAW = Preprocessing()
GRAY = Preprocessing((0.0,), (255.0,), "gray")
RESNET = Preprocessing((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
FACES = Preprocessing((127.0,), (128.0,))

Split = Callable[[Path, Path], tuple[Path, Path]]
"""Kit and work folder to the calibration data and the test data, in forms that `--calibration` takes."""


@dataclass(frozen=True)
class Case:
    """How a model is fed.

    Attributes:
        split: Where its data come from.
        prep: How its input is made from them.
        shape: Of its input, in the source's layout, without batch.
        layout: "nhwc", "nchw" or "plain".
        scored: Whether the test data's labels are its classes; else only outputs are compared.
        few_photos: Calibrated on 40 photos and measured on 40: held to agreement with float as well.
        makers: Its makers' own int8 file, beside it.
        max_lost: Points (below 151 pictures: pictures) that TFLite and ONNX may lose, and ncnn; None where only the peers count.
    """

    split: Split
    prep: Preprocessing
    shape: tuple[int, ...]
    layout: str = "nhwc"
    scored: bool = True
    few_photos: bool = False
    makers: str | None = None
    max_lost: tuple[float, float | None] | None = None


def _mnist(shape: tuple[int, ...], layout: str = "nhwc") -> Case:
    return Case(mnist, GRAY, shape, layout, max_lost=(0.1, 0.1))


def _flowers(prep: Preprocessing, size: int, makers: str | None, max_lost: tuple[float, float | None] | None) -> Case:
    return Case(flowers, prep, (size, size, 3), makers=makers, max_lost=max_lost)


def _resnet() -> Case:
    return Case(cifar10, RESNET, (3, 32, 32), "nchw", max_lost=(0.3, 0.5))


def _ultraface() -> Case:
    return Case(photos, FACES, (3, 240, 320), "nchw", scored=False)


CASES = {
    "sample/fashion.keras": Case(fashion, Preprocessing(color="gray"), (28, 28, 1)),
    "keras/mnist_cnn_moonflower/mnist_model.h5": _mnist((28, 28, 1)),
    "keras/mnist_cnn_moonflower/mnist_model.keras": _mnist((28, 28, 1)),
    "keras/mnist_mlp_sann/mnist_model.keras": _mnist((784,), "plain"),
    "onnx/mnist_cnn_nharish/mnist.h5": _mnist((28, 28, 1)),
    "onnx/mnist_cnn_nharish/onnx_mnist.onnx": _mnist((28, 28, 1)),
    "tf_savedmodel/mlperf_kws_dscnn/kws_ref_model": Case(
        kws, RAW, (49, 10, 1), makers="tf_savedmodel/mlperf_kws_dscnn/kws_ref_model.tflite", max_lost=(0.7, 0.7)
    ),
    "keras/cifar10_cnn_sudo/cifar10_model.keras": Case(cifar10, UNIT, (32, 32, 3)),
    "keras/mlperf_resnet8_cifar10/pretrainedResnet.h5": Case(
        cifar10, RAW, (32, 32, 3), makers="keras/mlperf_resnet8_cifar10/pretrainedResnet_quant.tflite", max_lost=(0.3, 0.5)
    ),
    "keras/st_flowers_fdmobilenet_0.25_128/fdmobilenet_0.25_128.h5": _flowers(
        UNIT, 128, "keras/st_flowers_fdmobilenet_0.25_128/fdmobilenet_0.25_128_int8.tflite", (2, 4)
    ),
    "keras/st_flowers_mobilenet_v2_0.35_128/mobilenet_v2_0.35_128.h5": _flowers(
        SIGNED, 128, "keras/st_flowers_mobilenet_v2_0.35_128/mobilenet_v2_0.35_128_int8.tflite", (2, 4)
    ),
    "keras/imagenet_mobilenet_v1_0.25_224/mobilenet_v1_0.25_224.h5": Case(
        imagenet, Preprocessing((127.5,), (127.5,), resize="crop:0.875"), (224, 224, 3), few_photos=True
    ),
    "keras/teachable_machine_flowers5/flower_model.h5": _flowers(SIGNED, 224, None, None),
    "onnx/cifar10_resnet20_56/resnet20.onnx": _resnet(),
    "onnx/cifar10_resnet20_56/resnet56_bn.onnx": _resnet(),
    "keras/mlperf_ad01_autoencoder/ad01.h5": Case(
        autoencoder, RAW, (640,), "plain", scored=False, makers="keras/mlperf_ad01_autoencoder/ad01_int8.tflite"
    ),
    "keras/gender_mini_xception/gender_mini_XCEPTION.21-0.95.hdf5": Case(
        photos, Preprocessing((127.5,), (127.5,), "gray"), (64, 64, 1), scored=False
    ),
    "keras/mlperf_vww96/vww_96.h5": Case(photos, UNIT, (96, 96, 3), scored=False, makers="keras/mlperf_vww96/vww_96_int8.tflite"),
    "onnx/ultraface_320/version-slim-320.onnx": _ultraface(),
    "onnx/ultraface_320/version-slim-320_simplified.onnx": _ultraface(),
    "onnx/ultraface_320/version-slim-320_without_postprocessing.onnx": _ultraface(),
    "onnx/fastestdet_coco/FastestDet.onnx": Case(photos, Preprocessing((0.0,), (255.0,), "bgr"), (3, 352, 352), "nchw", scored=False),
}
"""Path below kit/models to how it is fed; small nets first."""


def source_path(kit: Path, name: str) -> Path:
    """Where a case's model lies: in the kit, or in the package for the embedded sample."""
    if name.startswith("sample/"):
        import exporter

        return Path(exporter.__file__).parent / name
    return kit / "models" / name


def slug(name: str) -> str:
    """The name as a file name."""
    return name.replace("/", "-")


def case_folder(name: str) -> Path:
    """Where the files of a case are kept."""
    folder = work_folder() / "int8" / slug(name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def split_paths(kit: Path, name: str) -> tuple[Path, Path]:
    """Calibration and test data of a case."""
    folder = work_folder() / "data"
    folder.mkdir(exist_ok=True)
    return CASES[name].split(kit, folder)


def arrays(kit: Path, name: str, *, test: bool) -> tuple[Array, Array | None]:
    """Preprocessed samples in the source's layout, float32 (n, *shape), and their labels; decoded once, then kept."""
    kept = case_folder(name) / f"{'test' if test else 'calibration'}.npz"
    if not kept.exists():
        x, y = _decode(kit, name, test)
        if y is None:
            np.savez(kept, x=x)
        else:
            np.savez(kept, x=x, y=y)
    with np.load(kept) as found:
        return found["x"], found.get("y")


def _decode(kit: Path, name: str, test: bool) -> tuple[Array, Array | None]:
    case = CASES[name]
    x, y = decode(case, split_paths(kit, name)[int(test)], _labels(kit, case))
    return x, y if case.scored else None


def decode(case: Case, path: Path, labels: Path | None = None) -> tuple[Array, Array | None]:
    """Samples as a case's model takes them, and their labels."""
    data = open_data(path, [InputSpec("x", case.shape, case.layout)], {"x": case.prep}, labels=labels)
    fed, y = next(data.batches(len(data)))
    return fed["x"], y


def flags(kit: Path, name: str, calibration: Path | None = None) -> tuple[str, ...]:
    """Preprocessing, calibration data (None: the case's own) and name for our command line."""
    case = CASES[name]
    mean, std = (",".join(repr(v) for v in numbers) for numbers in (case.prep.mean, case.prep.std))
    color = ("--color", case.prep.color) if case.prep.color == "bgr" else ()  # else it follows from the number of channels
    labels = ("--labels", str(_labels(kit, case))) if case.split is imagenet else ()
    given = "--calibration", str(calibration or split_paths(kit, name)[0]), "--name", f"{slug(name)}-int8"
    return "--mean", mean, "--std", std, *color, "--resize", case.prep.resize, *labels, *given


def _labels(kit: Path, case: Case) -> Path | None:
    return kit_data.imagenet_labels(kit, work_folder() / "data") if case.split is imagenet else None
