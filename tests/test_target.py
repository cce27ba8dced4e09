from pathlib import Path

import pytest

from exporter.errors import UsageError
from exporter.target import list_targets, load_target

GOOD = 'format = "ncnn"\nabi = "arm64-v8a"\n'


def test_shipped_targets() -> None:
    assert list_targets() == ["ncnn-arm64", "ncnn-armv7", "onnx-arm64", "tflite-arm64", "tflite-armv7"]
    for name in list_targets():
        target = load_target(name)
        assert target.name == name
        assert target.parity.max_rel["fp32"] == 1e-4
        assert target.summary
        assert target.channel_step > 1
        assert target.limits.size_mib is None  # shipped targets set no limits


def test_defaults_of_precision() -> None:
    assert {name: load_target(name).precision for name in list_targets()} == {
        "ncnn-arm64": "fp16", "ncnn-armv7": "fp16", "onnx-arm64": "fp32", "tflite-arm64": "fp32", "tflite-armv7": "fp32",
    }  # fmt: skip


def test_own_target_by_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD + "threads = 4\n[limits]\nsize_mib = 4\n[parity]\nmax_rel = { fp32 = 1e-5 }\n")
    target = load_target(path)
    assert (target.name, target.runtime, target.threads, target.limits.size_mib) == ("mine", "ncnn", 4, 4)
    assert target.as_dict()["parity"]["max_rel"] == {"fp32": 1e-5}


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (GOOD + 'precison = "fp32"', "mine.toml: unknown key: precison", "did you mean `precision`?"),
        (GOOD + "[limits]\nsize_mb = 1", r"mine.toml \[limits\]: unknown key: size_mb", "did you mean `size_mib`?"),
        (GOOD + "[parity]\nmax_rel = { fp23 = 1 }", r"\[parity\] max_rel: unknown key: fp23", "did you mean `fp32`?"),
        (GOOD + "[parity]\nmax_rel = 1", "max_rel = 1 must be a table", "correct"),
        (GOOD + 'precision = "fp8"', "precision: fp8 is unknown", "did you mean"),
        (GOOD + 'threads = "two"', "threads = 'two' must be a whole number", "correct"),
        (GOOD + "threads = true", "threads = True must be", "correct"),
        (GOOD + "threads = 0", "must be 1 or more", "correct"),
        (GOOD + 'runtime = "litert"', "runtime of ncnn: litert is unknown", "ncnn"),
        (GOOD + "[onnx]\nopset = 17", "is for format onnx", "remove"),
        ('format = "tflit"\nabi = "arm64-v8a"', "tflit is unknown", "did you mean `tflite`?"),
        ('format = "ncnn"', "abi is missing", 'add `abi = "..."`'),
        ("format = ", "not valid TOML", "targets show"),
    ],
)
def test_wrong_targets_are_named(tmp_path: Path, text: str, message: str, hint: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        load_target(path)
    assert hint in str(caught.value.hint)


def test_unknown_name_suggests() -> None:
    with pytest.raises(UsageError, match="unknown target: ncnn-arm46") as caught:
        load_target("ncnn-arm46")
    assert caught.value.hint == "did you mean `ncnn-arm64`?"


def test_missing_file() -> None:
    with pytest.raises(UsageError, match=r"nowhere/mine\.toml cannot be read"):
        load_target("nowhere/mine.toml")
