import json

import pytest

from exporter.cli import parse
from exporter.cli.text import shape, size, table
from exporter.errors import UsageError


def test_shapes_by_name_and_for_the_only_input():
    assert parse.shapes(["1,224,224,3"]) == {None: (1, 224, 224, 3)}
    assert parse.shapes(["a=1,3", "b:0=1x8"]) == {"a": (1, 3), "b:0": (1, 8)}
    for bad in (["1,0,3"], ["a="], ["1,2", "3,4"], ["-1,3"]):
        with pytest.raises(UsageError, match="--input-shape"):
            parse.shapes(bad)


def test_names_and_pixels():
    assert parse.names("a, b,") == ("a", "b")
    assert parse.names(None) == ()
    said = parse.pixels("123.7,116.3,103.5", "58", "bgr", None)
    assert (said.mean, said.std, said.color, said.resize) == ((123.7, 116.3, 103.5), (58.0,), "bgr", None)
    assert said.given
    assert not parse.pixels(None, None, "rgb", None).given


def test_tables_and_sizes():
    assert table(("name", "n"), [("a", 1), ("bcd", 100)]) == "name    n\na       1\nbcd   100"
    assert [size(n) for n in (12, 2048, 5 * 2**20, 3 * 2**30, 5000 * 2**30)] == ["12 B", "2.0 KiB", "5.0 MiB", "3.0 GiB", "5000.0 GiB"]
    assert shape((1, 3, 8)) == "1x3x8"
    assert shape(None) == "?"


def test_shares():
    assert parse.share("0.5x", "--latency") == parse.share("0.5", "--latency") == 0.5
    assert parse.share(None, "--latency") is None
    for bad in ("0", "2x", "half", "-0.5"):
        with pytest.raises(UsageError, match=f"--latency {bad}"):
            parse.share(bad, "--latency")


def test_channel_steps_are_numbers_or_sweeps(tmp_path):
    assert parse.channel_step(None) == 0
    assert parse.channel_step("16") == 16
    (tmp_path / "sweep.json").write_text(json.dumps({"step": 4}))
    assert parse.channel_step(str(tmp_path)) == parse.channel_step(str(tmp_path / "sweep.json")) == 4
    (tmp_path / "other.json").write_text("{}")
    for bad, said in (("0", "neither a number"), ("-8", "neither a number"), ("nowhere", "neither a number"), ("other.json", "no sweep")):
        with pytest.raises(UsageError, match=said):
            parse.channel_step(str(tmp_path / bad) if bad == "other.json" else bad)
