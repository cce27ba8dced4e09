"""Words, files and the step read back, of made-up sweeps."""

import csv
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from exporter.errors import UsageError
from exporter.sweeping.record import CSV, JSON, SVG, check_folder, read_step, write
from exporter.sweeping.sweep import Sweep, measured_step
from exporter.sweeping.words import conclusion, sentences, table_rows
from tests.sweeping.test_staircase import points


def swept(step: int, *, floor: float = 0.2, more: float = 0.0, name: str = "conv") -> Sweep:
    found = points(64, step, noise=0.005, floor=floor, more=more)
    return Sweep(name, "Conv", (1, 3, 8, 8), 64, (f"{name}2",), "engine 1", tuple(found), ((1.0,) * len(found),))


def test_words_say_where_it_pays():
    said = sentences(swept(16, more=0.1))
    assert said[1] == "Its time goes in steps of 16 channels: other widths cost at least as much as the next multiple of 16."
    assert said[2].startswith("It pays at 48 (0.8")
    assert all(p.width % 16 == 0 for p in swept(16).worth)
    assert "take longer than a wider one" in said[3]
    assert sentences(swept(1))[1] == "No stairs beyond noise: every channel less counts alike."
    assert "Narrower hardly helps: 16 channels still take" in sentences(swept(1, floor=0.95))[-1]
    assert "multiples of 16" in conclusion([swept(16), swept(16)])
    assert "any width will do" in conclusion([swept(1)])
    assert table_rows([swept(16)])[0][:4] == ("conv", 2, "Conv", 64)


def test_the_files_say_the_same(tmp_path: Path):
    sweeps = [swept(8), swept(8, name="a<b")]
    facts = {"schema": 1, "source_sha256": "1", "step": measured_step(sweeps), "layers": [s.as_dict() for s in sweeps]}
    files = write(tmp_path / "out", facts, sweeps)
    assert {Path(p).name for p in files.values()} == {p.name for p in (tmp_path / "out").iterdir()} == {JSON, CSV, SVG}
    assert read_step(tmp_path / "out") == read_step(tmp_path / "out" / JSON) == 8
    stored = json.loads((tmp_path / "out" / JSON).read_text())
    assert [p["width"] for p in stored["layers"][0]["points"]] == [p.width for p in sweeps[0].points]
    with (tmp_path / "out" / CSV).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(len(s.points) for s in sweeps)
    assert float(rows[0]["relative"]) == pytest.approx(sweeps[0].points[0].relative, rel=1e-4)  # five digits are written
    picture = ElementTree.parse(tmp_path / "out" / SVG).getroot()
    assert len(picture.findall("{http://www.w3.org/2000/svg}circle")) == len(rows)


def test_another_sweep_is_not_overwritten(tmp_path: Path):
    check_folder(tmp_path / "new", {"source_sha256": "1"}, force=False)
    (tmp_path / JSON).write_text('{"source_sha256": "1", "step": 0}')
    check_folder(tmp_path, {"source_sha256": "1"}, force=False)
    with pytest.raises(UsageError, match="holds another sweep"):
        check_folder(tmp_path, {"source_sha256": "2"}, force=False)
    check_folder(tmp_path, {"source_sha256": "2"}, force=True)
    with pytest.raises(UsageError, match="is a file, a folder is needed"):
        check_folder(tmp_path / JSON, {}, force=True)
    with pytest.raises(UsageError, match="step 0, a whole number"):
        read_step(tmp_path)
    with pytest.raises(UsageError, match="holds no sweep"):
        read_step(tmp_path / "none.json")
