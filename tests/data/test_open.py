"""Pictures, flat and in class folders, with and without labels; and what of them is refused by name."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from exporter.data import InputSpec, open_data
from exporter.errors import DataError
from exporter.preprocessing import Preprocessing, load_picture
from tests.data.data_check import RGB, draw, everything

GRAY = Preprocessing(color="gray")


def test_flat_folder_in_natural_order(tmp_path: Path) -> None:
    for name in ("p10.png", "p9.jpg", "notes.txt", ".hidden.png"):
        draw(tmp_path / name) if name.endswith(("png", "jpg")) else (tmp_path / name).write_text("x")
    prep = Preprocessing((10,), (2,))
    data = open_data(tmp_path, [RGB], {"x": prep})
    assert list(data.names) == ["p9.jpg", "p10.png"]
    assert data.labels is None
    got = everything(data)["x"]
    assert got.dtype == np.float32
    wanted = prep.normalize(load_picture(tmp_path / "p9.jpg", 8, 6, prep))
    assert np.array_equal(got[0], wanted)


def test_channels_first_input(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    prep = {"x": Preprocessing((1, 2, 3), (4, 5, 6), "bgr")}
    last = everything(open_data(tmp_path, [RGB], prep))["x"]
    first = everything(open_data(tmp_path, [InputSpec("x", (3, 8, 6), "nchw")], prep))["x"]
    assert np.array_equal(first, last.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 1), (784,)])
def test_grey_inputs_of_any_form(tmp_path: Path, shape: tuple[int, ...]) -> None:
    draw(tmp_path / "a.png", 28, 28)
    got = everything(open_data(tmp_path, [InputSpec("x", shape, "plain")], {"x": GRAY}))["x"]
    assert got.shape == (1, *shape)
    assert np.array_equal(got.reshape(28, 28), np.asarray(Image.open(tmp_path / "a.png").convert("L"), np.float32))


def test_class_folders(tmp_path: Path) -> None:
    for name in ("dog/2.png", "dog/10.png", "cat/deep/1.png"):
        draw(tmp_path / name)
    (tmp_path / "ant").mkdir()  # an empty folder is a class too
    data = open_data(tmp_path, [RGB], {})
    assert data.class_names == ("ant", "cat", "dog")
    assert list(data.names) == ["cat/deep/1.png", "dog/2.png", "dog/10.png"]
    assert data.labels is not None
    assert data.labels.tolist() == [1, 2, 2]
    assert [None if y is None else y.tolist() for _, y in data.batches(2)] == [[1, 2], [2]]


def test_folders_that_sort_two_ways_are_told(tmp_path: Path) -> None:
    for name in ("1", "2", "10"):
        draw(tmp_path / name / "a.png")
    data = open_data(tmp_path, [RGB], {})
    assert data.class_names == ("1", "10", "2")
    assert "give --labels" in data.notes[0]


@pytest.mark.parametrize("text", ["bird\ndog\ncat\n", "0 bird\n1 dog\n2 cat\n", "\ufeff0: bird\r\n1: dog\r\n2: cat\r\n"])
def test_labels_file_gives_the_index(tmp_path: Path, text: str) -> None:
    for name in ("cat/1.png", "dog/1.png"):
        draw(tmp_path / "data" / name)
    labels = tmp_path / "labels.txt"
    labels.write_text(text, encoding="utf-8")
    data = open_data(tmp_path / "data", [RGB], {}, labels=labels)
    assert data.class_names == ("bird", "dog", "cat")
    assert data.labels is not None
    assert data.labels.tolist() == [2, 1]


def test_labels_file_that_lacks_a_folder(tmp_path: Path) -> None:
    draw(tmp_path / "data" / "cat" / "1.png")
    (tmp_path / "labels.txt").write_text("dog\n")
    with pytest.raises(DataError, match="lacks 1 of the class folders: cat"):
        open_data(tmp_path / "data", [RGB], {}, labels=tmp_path / "labels.txt")
    (tmp_path / "labels.txt").write_text("cat\ncat\n")
    with pytest.raises(DataError, match="has cat more than once"):
        open_data(tmp_path / "data", [RGB], {}, labels=tmp_path / "labels.txt")
    (tmp_path / "labels.txt").write_text("\n")
    with pytest.raises(DataError, match="is empty"):
        open_data(tmp_path / "data", [RGB], {}, labels=tmp_path / "labels.txt")


def test_wrong_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing does not exist"):
        open_data(tmp_path / "nothing", [RGB], {})
    with pytest.raises(DataError, match="holds no pictures"):
        open_data(tmp_path, [RGB], {})
    (tmp_path / "a").mkdir()
    with pytest.raises(DataError, match="none of its 1 folders holds a picture"):
        open_data(tmp_path, [RGB], {})
    draw(tmp_path / "b.png")
    with pytest.raises(DataError, match=r"holds both pictures \(b.png\) and folders \(a\)"):
        open_data(tmp_path, [RGB], {})
    with pytest.raises(DataError, match=r"b\.png is no data"):
        open_data(tmp_path / "b.png", [RGB], {})


def test_unreadable_picture_is_named(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"<html>")
    with pytest.raises(DataError, match=r"b\.png cannot be read"):
        everything(open_data(tmp_path, [RGB], {}))


def test_pictures_need_a_fitting_input(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    with pytest.raises(DataError, match="has 1 channel") as caught:
        open_data(tmp_path, [InputSpec("x", (8, 8, 1), "nhwc")], {})
    assert caught.value.hint == "give --color gray"
    with pytest.raises(DataError, match="takes none"):
        open_data(tmp_path, [InputSpec("x", (5,), "plain")], {})
    with pytest.raises(DataError, match="the model has 2: x, z"):
        open_data(tmp_path, [RGB, InputSpec("z", (5,), "plain")], {})
