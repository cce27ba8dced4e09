"""The flow with the formats' own points."""

import numpy as np
import pytest

from exporter.formats import load_writer
from exporter.graph.evaluate import evaluate
from exporter.graph.strip import strip
from exporter.quantization.layers import layer_report
from exporter.quantization.quantize import quantize
from exporter.quantization.settings import QuantizeSettings
from tests.quantization.nets import calibration_of, conv_net, pictures

FORMATS = ["ncnn", "tflite", "onnx"]


@pytest.fixture(scope="module")
def calibration():
    return calibration_of(conv_net(activation="Clip", spread=0.5), pictures(32))


@pytest.mark.parametrize("name", FORMATS)
def test_default_repairs_leave_a_good_net(calibration, name: str) -> None:
    result = quantize(calibration, load_writer(name), QuantizeSettings())
    assert result.report.loss.sqnr_db > 25  # 7 bits of a net of five layers; a broken pair or bias costs 10 dB and more
    assert {layer.layer for layer in layer_report(result, calibration.samples)} == set(result.points.layers)
    plain, how = strip(result.graph)
    mine = result.draft.quantization
    # an edge to all readers is found again as a value
    assert {*how.values, *(e.value for e in how.edges)} == {*mine.values, *(e.value for e in mine.edges)}
    assert how.constants.keys() == mine.constants.keys()
    want, got = (evaluate(g, pictures(8, seed=7))["y"] for g in (calibration.graph, plain))
    assert np.abs(want - got).max() < 0.2  # the stripped net has rounded weights, and biases that make up for rounded activations


@pytest.mark.parametrize("name", FORMATS)
def test_layers_go_back_to_float_until_a_limit_holds(calibration, name: str) -> None:
    result = quantize(calibration, load_writer(name), QuantizeSettings("minmax", "none", "mixed", min_sqnr_db=45.0))
    assert result.report.kept_float
    assert result.report.loss.sqnr_db > 42  # held on the other half of the samples, to 3 dB
    assert not set(result.report.kept_float) & set(result.points.layers)
