import tracemalloc
from pathlib import Path

import numpy as np
from PIL import Image

from exporter.data import InputSpec, open_data, synthetic
from exporter.data.synthetic import input_range_known
from exporter.preprocessing import Preprocessing

SPEC = InputSpec("x", (16, 16, 3), "nhwc")


def test_sha256_depends_on_names_contents_and_labels(tmp_path: Path) -> None:
    def digest() -> str:
        return open_data(tmp_path, [SPEC], {}).sha256

    (tmp_path / "a").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "a" / "1.png")
    first = digest()
    assert first == digest()
    (tmp_path / "a" / "1.png").rename(tmp_path / "a" / "2.png")
    renamed = digest()
    Image.new("RGB", (4, 4), "red").save(tmp_path / "a" / "2.png")
    changed = digest()
    (tmp_path / "0").mkdir()  # now a has another index
    assert len({first, renamed, changed, digest()}) == 4


def test_pick_is_spread_evenly(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.arange(10)[:, None] * np.ones(4), y=np.arange(10))
    data = open_data(tmp_path / "d.npz", [InputSpec("x", (4,), "plain")], {})
    x, y = data.pick(4)
    assert y is not None
    assert y.tolist() == [0, 2, 5, 7]
    assert x["x"][:, 0].tolist() == [0, 2, 5, 7]
    assert len(data.pick(99)[0]["x"]) == 10


def test_some_are_those_that_pick_takes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(5):
            Image.new("RGB", (4, 4), (i, ord(name), 0)).save(tmp_path / name / f"{i}.png")
    data = open_data(tmp_path, [SPEC], {})
    few = data.some(4)
    assert list(few.names) == ["a/0.png", "a/2.png", "b/0.png", "b/2.png"]
    assert few.labels is not None
    assert few.labels.tolist() == [0, 0, 1, 1]
    assert np.array_equal(few.pick(4)[0]["x"], data.pick(4)[0]["x"])
    assert few.some(2).names == ["a/0.png", "b/0.png"]
    before = few.sha256
    (tmp_path / "a" / "1.png").write_bytes(b"not among them")
    assert open_data(tmp_path, [SPEC], {}).some(4).sha256 == before
    Image.new("RGB", (4, 4), "red").save(tmp_path / "a" / "2.png")
    assert open_data(tmp_path, [SPEC], {}).some(4).sha256 != before


def test_memory_stays_constant(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((2000, 16, 16, 3), np.float32))  # 6 MB
    data = open_data(tmp_path / "d.npz", [SPEC], {})
    tracemalloc.start()
    count = sum(len(x["x"]) for x, _ in data.batches(16))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 2000
    assert peak < 1_500_000  # bytes; a batch is 50 kB, the whole 6 MB


def test_synthetic_pixels_go_through_the_preprocessing() -> None:
    got = synthetic([SPEC], {"x": Preprocessing((127.5,), (127.5,))}, 8, 0)["x"]
    assert got.shape == (8, 16, 16, 3)
    assert got.dtype == np.float32
    assert -1 <= got.min() < -0.99
    assert 0.99 < got.max() <= 1
    raw = got * 127.5 + 127.5
    assert np.allclose(raw, raw.round(), atol=1e-4)  # whole pixels, to float32 rounding


def test_synthetic_is_normal_where_the_range_is_assumed() -> None:
    got = synthetic([SPEC], {"x": Preprocessing(assumed=True)}, 8, 0)["x"]
    assert abs(got.mean()) < 0.1
    assert abs(got.std() - 1) < 0.1
    assert np.array_equal(got, synthetic([SPEC], {}, 8, 0)["x"])
    assert not np.array_equal(got, synthetic([SPEC], {}, 8, 1)["x"])


def test_synthetic_of_other_types_and_layouts() -> None:
    specs = [
        InputSpec("ids", (7,), "plain", "int32"), InputSpec("q", (3, 5, 4), "nchw", "uint8"), InputSpec("f", (3, 5, 4), "nchw"),
        InputSpec("s", (12, 2), "nlc"),
    ]  # fmt: skip
    prep = {"f": Preprocessing((1, 2, 3), (1,)), "s": Preprocessing((0,), (255,), "gray")}
    got = synthetic(specs, prep, 3, 0)
    assert {name: x.shape for name, x in got.items()} == {"ids": (3, 7), "q": (3, 3, 5, 4), "f": (3, 3, 5, 4), "s": (3, 12, 2)}
    assert set(np.unique(got["ids"])) <= {0, 1}
    assert got["q"].max() > 1
    assert got["f"][:, 2].min() >= -3
    assert all(x.dtype == np.float32 for x in got.values())


def test_input_range_known() -> None:
    assert input_range_known([SPEC], {"x": Preprocessing()})
    assert not input_range_known([SPEC], {"x": Preprocessing(assumed=True)})
    assert not input_range_known([SPEC], {})


def test_samples_of_an_input_whose_range_is_told_lie_in_it_and_seldom_at_its_ends() -> None:
    x = synthetic([InputSpec("x", (64, 64, 3), "nhwc")], {}, 2, 0, {"x": (10.0, 30.0)})["x"]
    assert x.min() >= 10
    assert x.max() <= 30
    assert abs(x.mean() - 20) < 0.2  # an eighth of the range is the deviation, of 24,576 numbers
    assert np.mean((x == 10) | (x == 30)) < 1e-3
