"""The static program that runs ncnn files, under qemu: its numbers, its words, and that the fast kernels really are in it."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exporter.array import Array
from exporter.devices.native import Runner
from exporter.devices.ncnn_runner import NcnnModel
from exporter.runtimes.run import open_engine
from exporter.runtimes.settings import NCNN_HALF
from tests.conftest import require

RNG = np.random.default_rng(0)
CHANNELS, CLASSES = 16, 10
PARAM = f"""7767517
6 6
Input        in0   0 1 in0 0=16 1=16 2=3
Convolution  first 1 1 in0 a 0={CHANNELS} 1=3 4=1 5=1 6={CHANNELS * 27} 9=1
Convolution  next  1 1 a b 0={CHANNELS} 1=3 4=1 5=1 6={CHANNELS * CHANNELS * 9} 9=1
Pooling      pool  1 1 b c 0=1 4=1
InnerProduct dense 1 1 c d 0={CLASSES} 1=1 2={CLASSES * CHANNELS}
Softmax      soft  1 1 d out0 0=0 1=1
"""
KERNELS = {
    "sdot (dotprod)": (0xBFE0FC00, 0x0E809400), "fmla of halves (fp16)": (0xBFE0FC00, 0x0E400C00), "smmla (i8mm)": (0xFFE0FC00, 0x4E80A400),
}  # fmt: skip
"""An instruction that only some processors have, to its mask and bits (Arm Architecture Reference Manual, C7.2)."""


@pytest.fixture(scope="module")
def qemu() -> str:
    found = shutil.which("qemu-aarch64") or shutil.which("qemu-aarch64-static")
    if found is None:
        require("qemu-aarch64 is not installed", "qemu")
    return str(found)


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `.param` of two convolutions and its float32 weights."""
    folder = tmp_path_factory.mktemp("net")
    (folder / "net.param").write_text(PARAM)
    tag = b"\0\0\0\0"
    parts = []
    for inputs, outputs in ((27, CHANNELS), (CHANNELS * 9, CHANNELS), (CHANNELS, CLASSES)):
        parts += [tag, (RNG.standard_normal(inputs * outputs) / np.sqrt(inputs)).astype(np.float32).tobytes()]
        parts += [RNG.standard_normal(outputs).astype(np.float32).tobytes()]
    (folder / "net.bin").write_bytes(b"".join(parts))
    return folder / "net.param"


@pytest.fixture(scope="module")
def x() -> Array:
    return RNG.standard_normal((3, 16, 16)).astype(np.float32)


@pytest.fixture(scope="module")
def host(net: Path, x: Array) -> Array:
    """What ncnn's wheel gives on this computer, all in float32."""
    with open_engine("ncnn", net, options=dict.fromkeys(NCNN_HALF, False)) as engine:
        return np.asarray(engine.call("run", {"in0": x}, tensors=None)[1]["out0"])


def run(qemu: str, runner: Runner, folder: Path, *words: str, cpu: str = "max", trace: bool = False) -> subprocess.CompletedProcess[str]:
    command = [qemu, *(["-strace"] if trace else []), "-cpu", cpu, str(runner.path), *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def infer(qemu: str, runner: Runner, folder: Path, net: Path, x: Array, cpu: str, **options: bool) -> tuple[dict[str, Any], Array]:
    model = NcnnModel("net", net, net.with_suffix(".bin"), {"in0": x}, ["out0"], options)
    for name, file in model.write(folder, "m").items():
        if file.parent != folder:
            shutil.copy(file, folder / name)
    ran = run(qemu, runner, folder, *model.words("m"), "--warmup", "0", "--runs", "2", cpu=cpu)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout), np.fromfile(folder / "m.out0", np.float32)


def rel(got: Array, wanted: Array) -> float:
    return float(np.abs(got - wanted).max() / np.abs(wanted).max())


@pytest.mark.parametrize("cpu", ["cortex-a53", "max"])
def test_float32_gives_what_the_host_gives(
    qemu: str, native_runner: Runner, tmp_path: Path, net: Path, x: Array, host: Array, cpu: str
) -> None:
    facts, got = infer(qemu, native_runner, tmp_path, net, x, cpu, **dict.fromkeys(NCNN_HALF, False))
    assert rel(got, host) <= 1e-5  # sums in another order
    assert facts["options"]["use_fp16_storage"] is False
    assert facts["version"] == native_runner.facts["ncnn"]
    assert len(facts["samples_ms"]) == len(facts["cpu_ms"]) == 2
    assert min(facts["load_ms"], facts["first_ms"], facts["peak_rss_bytes"], *facts["samples_ms"]) > 0
    assert facts["outputs"][0]["argmax"] == int(np.argmax(host))


def test_half_precision_is_computed_where_the_processor_can(
    qemu: str, native_runner: Runner, tmp_path: Path, net: Path, x: Array, host: Array
) -> None:
    old, on_old = infer(qemu, native_runner, tmp_path, net, x, "cortex-a53", **dict.fromkeys(NCNN_HALF, True))
    new, on_new = infer(qemu, native_runner, tmp_path, net, x, "max", **dict.fromkeys(NCNN_HALF, True))
    assert (old["cpu"]["fp16"], new["cpu"]["fp16"]) == (False, True)
    assert rel(on_old, host) <= 1e-3  # weights may be stored in halves, sums are not
    assert 1e-5 < rel(on_new, host) <= 1e-2  # sums of halves: 11 bits
    assert not np.array_equal(on_old, on_new)


@pytest.mark.parametrize("kernel", KERNELS)
def test_kernels_are_in_the_file(native_runner: Runner, kernel: str) -> None:
    """CMake only warns where the compiler refuses a processor's features, and leaves these kernels out."""
    data = native_runner.path.read_bytes()
    words = np.frombuffer(data[: len(data) // 4 * 4], "<u4")
    mask, bits = KERNELS[kernel]
    assert np.count_nonzero((words & mask) == bits) > 20, kernel


def test_the_file_is_static_and_small(native_runner: Runner) -> None:
    data = native_runner.path.read_bytes()
    assert b"ld-linux" not in data
    assert b"ld-musl" not in data
    assert b"GLIBC" not in data
    assert len(data) < 8_000_000


WORDS = ("--param", "net.param", "--zero-weights", "--input", "in0=3,16,16", "--warmup", "0")


def marks(text: str) -> int:
    return len(re.findall(r"Unknown syscall 28024", text))


def test_marks_surround_each_timed_inference(qemu: str, native_runner: Runner, net: Path) -> None:
    assert marks(run(qemu, native_runner, net.parent, *WORDS, "--runs", "3", trace=True).stderr) == 0, "Android would kill the program"
    assert marks(run(qemu, native_runner, net.parent, *WORDS, "--runs", "3", "--marks", trace=True).stderr) == 6


def test_nothing_runs_before_where_that_is_asked(qemu: str, native_runner: Runner, net: Path) -> None:
    facts = json.loads(run(qemu, native_runner, net.parent, *WORDS, "--runs", "1", "--cold").stdout)
    assert facts["first_ms"] is None
    assert facts["outputs"][0]["shape"] == [CLASSES]


def test_marks_surround_each_layer(qemu: str, native_runner: Runner, net: Path) -> None:
    ran = run(qemu, native_runner, net.parent, *WORDS, "--runs", "1", "--marks", "--layers", trace=True)
    layers = json.loads(ran.stdout)["layers"]
    assert [(v["index"], v["type"], v["name"]) for v in layers[:2]] == [(1, "Convolution", "first"), (2, "Convolution", "next")]
    assert [v["type"] for v in layers[-2:]] == ["(outputs)", "(setup)"]
    assert marks(ran.stderr) == 2 * len(layers)


def test_layer_by_layer_gives_the_same_outputs(qemu: str, native_runner: Runner, net: Path) -> None:
    words = ("--param", "net.param", "--bin", "net.bin", "--input", "in0=3,16,16", "--warmup", "1", "--runs", "2")
    whole = json.loads(run(qemu, native_runner, net.parent, *words).stdout)
    parts = json.loads(run(qemu, native_runner, net.parent, *words, "--layers").stdout)
    assert parts["outputs"] == whole["outputs"]
    assert all(len(v["samples_ms"]) == 2 for v in parts["layers"])


def test_only_what_an_output_needs_is_run(qemu: str, native_runner: Runner, net: Path) -> None:
    ran = run(qemu, native_runner, net.parent, *WORDS, "--runs", "1", "--layers", "--output", "b")
    facts = json.loads(ran.stdout)
    assert [v["name"] for v in facts["layers"][:-2]] == ["first", "next"]
    assert facts["outputs"][0]["shape"] == [CHANNELS, 16, 16]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--nonsense",), 2, "unknown argument --nonsense"),
        (("--param",), 2, "--param needs a value"),
        ((*WORDS, "--threads", "0"), 2, "--threads cannot be 0"),
        ((*WORDS, "--option", "use_magic=true"), 2, "--option cannot be use_magic=true"),
        (("--param", "no.param", *WORDS[2:]), 3, "cannot load no.param"),
        (("--param", "net.param", "--bin", "/dev/null", *WORDS[3:]), 3, "cannot load /dev/null"),
        (("--param", "net.param", "--zero-weights", "--input", "x=3,16,16"), 2, "the model has an input in0"),
        ((*WORDS, "--data", "in0=net.param"), 2, "does not hold exactly its float32 numbers"),
        ((*WORDS, "--output", "z"), 2, "the model has no blob z"),
        ((*WORDS, "--versus"), 2, "--param FILE is missing"),
        ((*WORDS, "--marks", "--versus", *WORDS), 2, "--versus goes with neither"),
    ],
)
def test_wrong_words_end_in_one_sentence(qemu: str, native_runner: Runner, net: Path, words: tuple[str, ...], code: int, said: str) -> None:
    ran = run(qemu, native_runner, net.parent, *words)
    assert ran.returncode == code
    assert ran.stdout == ""
    last = ran.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert said in last
