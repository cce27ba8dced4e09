"""Parity of int8 files: asked as far as two right integer nets agree, and no further."""

from exporter.building.basis import Basis
from exporter.building.prove import LEAST_DB, LEEWAY_DB, fair_to_integers
from exporter.graph.evaluate import evaluate
from exporter.parity import Limits
from exporter.quantization.integer_floor import integer_floor_db
from exporter.runtimes.settings import depthwise_error
from tests.formats.ncnn.integers import quantized
from tests.graphs import random_inputs
from tests.quantization.test_integer_floor import depthwise_net


def test_a_limit_that_flips_break_is_widened_and_a_tighter_floor_is_no_excuse() -> None:
    graph = depthwise_net(8)
    x = random_inputs(graph)
    qdq = quantized(graph, x)
    values = evaluate(qdq, x)
    basis = Basis(qdq, graph, lambda: values, exact=False)
    floor = integer_floor_db(qdq, x, ["y"], depthwise=depthwise_error("ncnn"))["y"]
    limits, said = fair_to_integers(basis, "ncnn", x, Limits(min_sqnr_db=floor + 20))
    assert limits.min_sqnr_db == max(floor - LEEWAY_DB, LEAST_DB)
    assert said is not None
    assert f"{floor:.1f} dB" in said
    held = Limits(min_sqnr_db=floor - LEEWAY_DB - 1)
    assert fair_to_integers(basis, "ncnn", x, held) == (held, None)  # the file is wrong, then
    assert fair_to_integers(basis, "litert", x, Limits(min_sqnr_db=floor - LEEWAY_DB))[1] is None  # exact divisions flip fewer
