from exporter.report.picture import layers_svg
from exporter.verification.ranges import view, with_ranges

RANGE = {"calibrator": "mse", "dtype": "int8", "scale": 0.1, "zero_point": 0, "seen": [0.0, 20.0], "used": [-12.8, 12.7], "saturated": 0.1}


def layer(value, db):
    return {"layer": value, "op": "Conv", "value": value, "sqnr_db": 60.0, "real": {"sqnr_db": db}, "range": None}


def bundle(name, *values):
    return {"name": name, "layers": [layer(v, 30.0) for v in values]}


def test_layers_stand_in_the_graphs_order_whatever_files_fused_away():
    rows = view([bundle("a", "one", "three"), bundle("b", "one", "two", "three", "four")])
    assert [r["value"] for r in rows] == ["one", "two", "three", "four"]
    assert [sorted(r["bundles"]) for r in rows] == [["a", "b"], ["b"], ["a", "b"], ["b"]]


def test_float_files_are_left_out():
    plain = {"name": "f", "layers": [{"layer": "one", "op": "Conv", "value": "one", "sqnr_db": 90.0}]}
    assert view([plain]) == []
    assert with_ranges(plain["layers"], {"quantization": None}) == plain["layers"]


def test_ranges_come_from_the_manifest():
    found = with_ranges([layer("one", 30.0), layer("two", 30.0)], {"quantization": {"values": [{"value": "one", **RANGE}]}})
    assert [f["range"] for f in found] == [RANGE, None]


def test_the_picture_shows_odd_names_and_exact_layers():
    rows = view([{"name": "a<b", "layers": [{**layer("x&y", 999.0), "range": RANGE}]}])
    text = layers_svg(rows)
    assert "a&lt;b" in text
    assert "x&amp;y (Conv)" in text
    assert "exact" in text
