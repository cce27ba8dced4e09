"""Arrays as data: npz, npy, idx and functions; and what of them is refused by name."""

import gzip
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from exporter.array import Array
from exporter.data import InputSpec, open_data
from exporter.errors import DataError
from exporter.preprocessing import Preprocessing
from tests.data.data_check import RGB, RNG, everything


def test_npz(tmp_path: Path) -> None:
    x = RNG.integers(0, 256, (5, 8, 6, 3), np.uint8)
    np.savez_compressed(tmp_path / "d.npz", x=x, y=np.arange(5, dtype=np.uint8)[:, None])
    prep = Preprocessing((1, 2, 3), (2,))
    data = open_data(tmp_path / "d.npz", [RGB], {"x": prep})
    assert len(data) == 5
    assert data.names[4] == "d.npz[4]"
    assert data.labels is not None
    assert data.labels.tolist() == [0, 1, 2, 3, 4]
    assert np.array_equal(everything(data)["x"], prep.normalize(x))
    first = open_data(tmp_path / "d.npz", [InputSpec("x", (3, 8, 6), "nchw")], {"x": prep})
    assert np.array_equal(everything(first)["x"], prep.normalize(x).transpose(0, 3, 1, 2))


def test_npz_by_column_and_big_endian(tmp_path: Path) -> None:
    x = np.asfortranarray(RNG.standard_normal((4, 8, 6, 3)).astype(">f4"))
    np.savez(tmp_path / "d.npz", x=x)
    assert np.array_equal(everything(open_data(tmp_path / "d.npz", [RGB], {}))["x"], x)


@pytest.mark.parametrize(("given", "shape"), [((784,), (28, 28, 1)), ((28, 28), (784,)), ((28, 28, 1), (784,)), ((49, 10, 1), (490,))])
def test_npz_is_reshaped_where_the_elements_agree(tmp_path: Path, given: tuple[int, ...], shape: tuple[int, ...]) -> None:
    x = RNG.standard_normal((2, *given)).astype(np.float32)
    np.savez(tmp_path / "d.npz", x=x)
    got = everything(open_data(tmp_path / "d.npz", [InputSpec("in", shape, "plain")], {}))["in"]
    assert np.array_equal(got, x.reshape(2, *shape))


def test_npz_with_several_inputs(tmp_path: Path) -> None:
    specs = [InputSpec("picture", (3, 4, 4), "nchw"), InputSpec("extra:0", (5,), "plain")]
    picture, extra = RNG.standard_normal((3, 4, 4, 3)), RNG.integers(0, 9, (3, 5))
    np.savez(tmp_path / "d.npz", **{"picture": picture, "extra:0": extra})
    got = everything(open_data(tmp_path / "d.npz", specs, {"picture": Preprocessing((0.5,), (2,))}))
    assert np.allclose(got["picture"], (picture.transpose(0, 3, 1, 2) - 0.5) / 2, atol=1e-6)  # float32 rounding of float64 data
    assert np.array_equal(got["extra:0"], extra)
    np.savez(tmp_path / "d.npz", x=picture)
    with pytest.raises(DataError, match="has the keys x; needed: one key for each input: picture, extra:0"):
        open_data(tmp_path / "d.npz", specs, {})
    np.savez(tmp_path / "d.npz", **{"picture": picture[:2], "extra:0": extra})
    with pytest.raises(DataError, match="picture has 2, extra:0 has 3"):
        open_data(tmp_path / "d.npz", specs, {})


@pytest.mark.parametrize(
    ("y", "wanted"), [(np.eye(3)[[2, 0]], [2, 0]), (np.array([1.0, 2.0]), [1, 2]), (np.eye(3, dtype=np.int64)[[1, 1]], [1, 1])]
)
def test_labels_of_npz(tmp_path: Path, y: Array, wanted: list[int]) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((2, 8, 6, 3)), y=y)
    labels = open_data(tmp_path / "d.npz", [RGB], {}).labels
    assert labels is not None
    assert labels.tolist() == wanted


@pytest.mark.parametrize("y", [np.array([0.5, 1]), np.array([-1, 0]), np.array(["a", "b"]), np.zeros((2, 3))])
def test_labels_that_are_none(tmp_path: Path, y: Array) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((2, 8, 6, 3)), y=y)
    with pytest.raises(DataError, match="are no class indices"):
        open_data(tmp_path / "d.npz", [RGB], {})


def test_wrong_arrays_are_named(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    np.savez(path, x=np.zeros((2, 3, 8, 6)))
    with pytest.raises(DataError, match=r"shape \(3, 8, 6\), input x takes \(8, 6, 3\)"):
        open_data(path, [RGB], {})
    with pytest.raises(DataError, match="move its channels last"):
        open_data(path, [InputSpec("x", (3, 8, 6), "nchw")], {})
    np.savez(path, x=np.zeros((2, 9, 6, 3)))
    with pytest.raises(DataError, match="the numbers of elements differ"):
        open_data(path, [RGB], {})
    np.savez(path, x=np.zeros((2, 8, 6, 3)), y=np.zeros(3, int))
    with pytest.raises(DataError, match="2 samples, but 3 labels"):
        open_data(path, [RGB], {})
    np.savez(path, x=np.zeros((0, 8, 6, 3)))
    with pytest.raises(DataError, match="holds no samples"):
        open_data(path, [RGB], {})
    np.savez(path, train=np.zeros(3))
    with pytest.raises(DataError, match="has the keys train; needed: `x`"):
        open_data(path, [RGB], {})


@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_archive_is_named(tmp_path: Path, seed: int) -> None:
    """Its samples are read before its end is; what the damage made of them may be beyond float32."""
    path = tmp_path / "d.npz"
    np.savez_compressed(path, x=np.random.default_rng(seed).standard_normal((5, 8, 6, 3)))
    raw = bytearray(path.read_bytes())
    raw[2000:2100] = bytes(100)
    path.write_bytes(raw)
    with pytest.raises(DataError, match="cannot be read"):
        everything(open_data(path, [RGB], {}))


def test_what_holds_no_arrays_is_named(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    path.write_bytes(b"PK\x03\x04 no zip")
    with pytest.raises(DataError, match=r"d\.npz cannot be read"):
        open_data(path, [RGB], {})
    np.savez(path, x=np.array([object()]), allow_pickle=True)
    with pytest.raises(DataError, match="Python objects, which may run code"):
        open_data(path, [RGB], {})


def test_npy(tmp_path: Path) -> None:
    x = RNG.integers(0, 256, (3, 8, 6, 3), np.uint8)
    np.save(tmp_path / "x.npy", x)
    data = open_data(tmp_path / "x.npy", [RGB], {})
    assert np.array_equal(everything(data)["x"], x)
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:300])
    with pytest.raises(DataError, match="it ends too early"):
        everything(open_data(tmp_path / "x.npy", [RGB], {}))


def write_idx(folder: Path, packed: bool, prefix: str = "t10k") -> Array:
    images = RNG.integers(0, 256, (4, 28, 28), np.uint8)
    contents = {
        f"{prefix}-images-idx3-ubyte": struct.pack(">HBB3I", 0, 8, 3, *images.shape) + images.tobytes(),
        f"{prefix}-labels-idx1-ubyte": struct.pack(">HBBI", 0, 8, 1, 4) + bytes([3, 1, 2, 0]),
    }
    for name, content in contents.items():
        (folder / (name + ".gz" if packed else name)).write_bytes(gzip.compress(content) if packed else content)
    return images


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("folder", [True, False])
def test_idx(tmp_path: Path, packed: bool, folder: bool) -> None:
    images = write_idx(tmp_path, packed)
    path = tmp_path if folder else next(tmp_path.glob("*images*"))
    data = open_data(path, [InputSpec("x", (1, 28, 28), "nchw")], {"x": Preprocessing((0,), (255,), "gray")})
    assert data.labels is not None
    assert data.labels.tolist() == [3, 1, 2, 0]
    assert np.array_equal(everything(data, 3)["x"][:, 0], images.astype(np.float32) / np.float32(255))


def test_idx_refused(tmp_path: Path) -> None:
    write_idx(tmp_path, False)
    spec = InputSpec("x", (784,), "plain")
    with pytest.raises(DataError, match="holds labels, not images"):
        open_data(tmp_path / "t10k-labels-idx1-ubyte", [spec], {})
    path = tmp_path / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match="it ends too early"):
        everything(open_data(path, [spec], {}))
    write_idx(tmp_path, False, "train")
    with pytest.raises(DataError, match="holds 2 images files: t10k-images-idx3-ubyte, train-images-idx3-ubyte"):
        open_data(tmp_path, [spec], {})


CODE = """
import numpy as np
def pairs():
    for i in range(2):
        yield np.full((2, 8, 6, 3), i), np.array([i, i])
def named():
    yield {"x": np.ones((1, 8, 6, 3))}
def broken():
    raise ValueError("no disk")
def none():
    return []
"""


def test_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mydata.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(DataError, match="mydata:pairs is code") as caught:
        open_data("mydata:pairs", [RGB], {})
    assert "--trust" in str(caught.value.hint)
    data = open_data("mydata:pairs", [RGB], {}, trust=True)
    assert data.labels is not None
    assert data.labels.tolist() == [0, 0, 1, 1]
    assert everything(data)["x"].shape == (4, 8, 6, 3)
    assert len(open_data("mydata:named", [RGB], {}, trust=True)) == 1
    with pytest.raises(DataError, match="ValueError: no disk"):
        open_data("mydata:broken", [RGB], {}, trust=True)
    with pytest.raises(DataError, match="yielded no batch"):
        open_data("mydata:none", [RGB], {}, trust=True)
    with pytest.raises(DataError, match="mydata:other failed"):
        open_data("mydata:other", [RGB], {}, trust=True)
