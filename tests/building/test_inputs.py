import numpy as np
import pytest

from exporter.building.inputs import preprocessing_of, scales_itself
from exporter.building.options import BuildOptions, PixelOptions
from exporter.building.stages import input_specs
from exporter.errors import UsageError
from tests.graphs import graph_from_text

PICTURE = "g (float[N,3,8,8] x) => (float[N,3,8,8] y) {{ {} }}"
TWO = "g (float[N,3,8,8] x, float[N,1,8,8] m) => (float[N,3,8,8] y) { y = Mul (x, m) }"


@pytest.mark.parametrize(
    ("body", "scaled"),
    [
        ("y = Mul (x, s)", True),
        ("a = Transpose <perm = [0, 1, 3, 2]> (x) b = Sub (a, s) y = Relu (b)", True),
        ("y = Relu (x)", False),
        ("y = Mul (x, x)", False),
        ("a = Mul (x, s) b = Relu (x) y = Add (a, b)", False),
    ],
)
def test_a_scale_right_behind_the_input_tells_its_range(body, scaled):
    graph = graph_from_text(PICTURE.format(body), {"s": np.float32(1 / 255)} if "s)" in body else {})
    assert scales_itself(graph, "x") is scaled
    prep = preprocessing_of(graph, input_specs(graph), PixelOptions())["x"]
    assert prep.assumed is not scaled
    assert (prep.mean, prep.std, prep.color) == ((0.0,), (1.0,), "rgb")


def test_flags_describe_the_only_picture():
    graph = graph_from_text(PICTURE.format("y = Relu (x)"))
    prep = preprocessing_of(graph, input_specs(graph), PixelOptions((1.0, 2.0, 3.0), None, "bgr"))["x"]
    assert (prep.mean, prep.std, prep.color, prep.assumed) == ((1.0, 2.0, 3.0), (1.0,), "bgr", False)
    two = graph_from_text(TWO)
    with pytest.raises(UsageError, match="the only picture input, but there are 2"):
        preprocessing_of(two, input_specs(two), PixelOptions((1.0,)))
    assert {p.color for p in preprocessing_of(two, input_specs(two), PixelOptions()).values()} == {"rgb", "gray"}


def test_settings_by_name():
    assert BuildOptions.of({"precision": "fp16", "output": "there"}).output.name == "there"
    with pytest.raises(UsageError, match="unknown setting: precison"):
        BuildOptions.of({"precison": "fp16"})
    with pytest.raises(UsageError, match="runs code of yours"):
        BuildOptions(custom_objects="os").load_options()


def test_a_recipe_tells_each_input():
    two = graph_from_text(TWO)
    told = {"x": {"mean": (10.0,), "color": "bgr"}, "m": {"std": (255.0,)}}
    prep = preprocessing_of(two, input_specs(two), PixelOptions(), told)
    assert (prep["x"].mean, prep["x"].color, prep["m"].std, prep["m"].assumed) == ((10.0,), "bgr", (255.0,), False)
    with pytest.raises(UsageError, match="unknown input: c"):
        preprocessing_of(two, input_specs(two), PixelOptions(), {"c": {}})


def test_flags_go_before_a_recipe_for_the_only_picture():
    one = graph_from_text(PICTURE.format("y = Relu (x)"))
    prep = preprocessing_of(one, input_specs(one), PixelOptions(mean=(1.0,)), {None: {"mean": (2.0,), "std": (3.0,)}})["x"]
    assert (prep.mean, prep.std) == ((1.0,), (3.0,))
