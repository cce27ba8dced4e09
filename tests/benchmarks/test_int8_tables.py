from benchmarks import int8_tables
from benchmarks.results import Rows

NET = "keras/mlperf_resnet8_cifar10/pretrainedResnet.h5"


def rows() -> Rows:
    return {
        f"{NET} float": {"n": 5000, "right": 4345},
        f"{NET} TFLiteConverter": {"n": 5000, "right": 4340, "sqnr_db": 25.04, "logit_sqnr_db": 21.0, "float_ops": ["SOFTMAX"]},
        f"{NET} onnxruntime": {"peer": "fails: no"},
        f"{NET} ours tflite": {"n": 5000, "right": 4350, "sqnr_db": 30.0, "float_ops": []},
    }


def test_losses_gains_and_failures_are_told() -> None:
    page = int8_tables.accuracy(rows())
    name = "`mlperf_resnet8_cifar10/pretrainedResnet.h5`"
    assert f"| {name} | 5000 | 4345 | 0.10 | – | fails | – | – | -0.10 | – |" in page
    assert f"| {name} | 25.0 (21.0) float | – | fails | – | – | 30.0 | – |" in page
    assert "3 of 6 figures hold, 3 are pending." in page


def test_latency_tells_peers_and_our_own_float_apart() -> None:
    timed = {"ours_ms": 1.0, "theirs_ms": 2.0, "ratio": 0.5, "low": 0.4, "high": 0.6, "our_ops": 3, "their_ops": 5, "not_slower": True}
    page = int8_tables.latency(
        {"net onnx onnxruntime": timed, "net onnx our fp32": {**timed, "ratio": 1.5}, "net tflite x": {"peer": "no"}}
    )
    assert "Against peers 1 of 1 comparisons are not slower; 0 of 1 int8 files are faster" in page
    assert "| net onnx onnxruntime | 1.00 | 2.00 | 0.50 | 0.40–0.60 | 3 / 5 | yes |" in page
    assert "| net tflite x |  | no |" in page
