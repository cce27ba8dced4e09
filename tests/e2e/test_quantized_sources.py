"""Models that are quantized already: kept, carried over or dequantized, and said which."""

from pathlib import Path

import numpy as np
import pytest
from onnxruntime.quantization import QuantType

from exporter.bundle import read_bundle
from tests.command import mexport
from tests.sources.test_onnx_quantized import quantized


@pytest.fixture(scope="module", params=["asymmetric", "symmetric"])
def source(request, tmp_path_factory) -> tuple[str, Path]:
    how = {"activation_type": QuantType.QUInt8} if request.param == "asymmetric" else {"extra_options": {"ActivationSymmetric": True}}
    return request.param, quantized(tmp_path_factory.mktemp("source"), "QDQ", per_channel=True, **how)[0]


def built(path: Path, target: str, out: Path, *words: str | Path):
    ended = mexport("build", path, "-t", target, "-o", out, "-q", *words)
    assert ended.code == 0, ended.err
    return read_bundle(out / f"quantized--{target}").manifest


def test_onnx_keeps_the_sources_integers(source, tmp_path):
    facts = built(source[1], "onnx-arm64", tmp_path)
    assert facts["precision"] == "int8"
    assert any("its scales and integers are kept" in n for n in facts["notes"])
    assert facts["parity"]["y"]["sqnr_db"] > 40  # ties between two integers are decided by the order of sums
    assert facts["fidelity"]["y"]["sqnr_db"] > 40  # likewise
    assert {v["calibrator"] for v in facts["quantization"]["values"]} == {"of the source"}
    assert mexport("verify", tmp_path, "--layers").code == 0


def test_tflite_carries_them_over(source, tmp_path):
    facts = built(source[1], "tflite-arm64", tmp_path)
    assert facts["precision"] == "int8"
    assert any("carried over" in n for n in facts["notes"])
    assert facts["parity"]["y"]["sqnr_db"] > 40  # as above
    assert facts["fidelity"]["y"]["sqnr_db"] > 20  # some of its layers stay float: one rounding less each


def test_ncnn_carries_symmetric_ones_over_and_dequantizes_others(source, tmp_path):
    facts = built(source[1], "ncnn-arm64", tmp_path)
    fits = source[0] == "symmetric"
    assert facts["precision"] == ("int8" if fits else "fp16")
    assert any(("carried over" if fits else "dequantized") in n for n in facts["notes"])


def test_a_precision_in_float_dequantizes(source, tmp_path):
    facts = built(source[1], "onnx-arm64", tmp_path, "--precision", "fp32")
    assert facts["precision"] == "fp32"
    assert any("its integers are dequantized, the file computes at fp32" in n for n in facts["notes"])
    assert facts["parity"]["y"]["rel"] <= 1e-4  # the contract's limit for fp32


def test_calibration_quantizes_anew(source, tmp_path):
    np.savez(tmp_path / "data.npz", x=np.random.default_rng(0).standard_normal((16, 8, 8, 4)).astype(np.float32))
    facts = built(source[1], "tflite-arm64", tmp_path / "out", "--calibration", tmp_path / "data.npz", "--accept-calibration",
                  "--calibrator", "minmax", "--repair", "none")  # fmt: skip
    assert facts["precision"] == "int8"
    assert facts["calibration"]["samples"] == 16
    assert "minmax" in {v["calibrator"] for v in facts["quantization"]["values"]}


def test_int8_asked_by_name_needs_scales_that_fit(source, tmp_path):
    ended = mexport("build", source[1], "-t", "ncnn-arm64", "--precision", "int8", "-o", tmp_path, "-q")
    assert ended.code == (0 if source[0] == "symmetric" else 2)
    assert ended.code == 0 or "the source's own scales do not fit ncnn" in ended.err
