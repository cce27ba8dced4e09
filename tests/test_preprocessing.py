from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from exporter.errors import DataError, UsageError
from exporter.preprocessing import Preprocessing, from_table, load_picture, make, parse_numbers


def picture(folder: Path, width: int, height: int, name: str = "a.png") -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    path = folder / name
    Image.fromarray(pixels).save(path)
    return path


def test_squash_is_pillows_bilinear(tmp_path: Path) -> None:
    path = picture(tmp_path, 50, 30)
    wanted = np.asarray(Image.open(path).convert("RGB").resize((8, 16), Image.Resampling.BILINEAR))
    assert np.array_equal(load_picture(path, 16, 8, Preprocessing()), wanted)


def test_bgr_and_gray(tmp_path: Path) -> None:
    path = picture(tmp_path, 8, 8)
    rgb = load_picture(path, 8, 8, Preprocessing())
    assert np.array_equal(load_picture(path, 8, 8, Preprocessing(color="bgr")), rgb[..., ::-1])
    gray = load_picture(path, 8, 8, Preprocessing(color="gray"))
    assert np.array_equal(gray[..., 0], np.asarray(Image.open(path).convert("L")))


def test_crop_takes_the_centred_square(tmp_path: Path) -> None:
    path = picture(tmp_path, 40, 20)
    got = load_picture(path, 10, 10, Preprocessing(resize="crop:0.5"))
    assert np.array_equal(got, np.asarray(Image.open(path).convert("RGB"))[5:15, 15:25])


def test_letterbox_pads_with_114(tmp_path: Path) -> None:
    path = picture(tmp_path, 40, 20)
    got = load_picture(path, 40, 40, Preprocessing(resize="letterbox"))
    assert np.array_equal(got[10:30], np.asarray(Image.open(path).convert("RGB")))
    assert np.all(got[:10] == 114)
    assert np.all(got[30:] == 114)
    assert np.all(load_picture(path, 40, 40, Preprocessing(color="gray", resize="letterbox"))[:10] == 114)


def test_exif_orientation_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 4), "red").save(path, exif=exif)
    assert load_picture(path, 4, 8, Preprocessing()).shape == (4, 8, 3)


def test_unreadable_picture_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe0 not a jpeg")
    with pytest.raises(DataError, match=r"broken\.jpg cannot be read as a picture"):
        load_picture(path, 4, 4, Preprocessing())


def test_truncated_picture_is_named(tmp_path: Path) -> None:
    path = picture(tmp_path, 64, 64, "cut.png")
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"cut\.png cannot be read"):
        load_picture(path, 4, 4, Preprocessing())


def test_normalize_per_channel() -> None:
    prep = Preprocessing(mean=(1, 2, 3), std=(2, 4, 8))
    x = np.full((1, 2, 2, 3), 9, np.uint8)
    got = prep.normalize(x)
    assert got.dtype == np.float32
    assert got[0, 0, 0].tolist() == [4.0, 1.75, 0.75]
    assert np.array_equal(prep.normalize(x.transpose(0, 3, 1, 2), 1), got.transpose(0, 3, 1, 2))
    with pytest.raises(DataError, match="no axis of as many channels"):
        prep.normalize(x, None)


def test_what_is_left_out_is_assumed() -> None:
    assert make(3) == Preprocessing(assumed=True)
    assert make(1, resize="letterbox") == Preprocessing(color="gray", resize="letterbox", assumed=True)
    assert make(3, std=(255.0,)) == Preprocessing(std=(255.0,))
    assert not make(3, known=True).assumed
    assert make(3, mean=(1.0, 2.0, 3.0), color="bgr").color == "bgr"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"color": "gbr"}, "unknown color: gbr"),
        ({"resize": "crop:1.5"}, r"share must be in \(0, 1\]"),
        ({"resize": "crop:x"}, "share must be"),
        ({"resize": "squish"}, "unknown resize: squish"),
        ({"mean": (1.0, 2.0)}, "mean has 2 numbers"),
        ({"std": (1.0, 0.0, 1.0)}, "std not 0"),
        ({"mean": (float("nan"),)}, "finite"),
        ({"mean": (1.0, 2.0, 3.0), "color": "gray"}, "gray has 1 channel"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Preprocessing(**settings)  # type: ignore[arg-type]


def test_numbers_beyond_float32_become_infinite() -> None:
    assert Preprocessing((0.0,), (2.0,)).normalize(np.array([1e300, -1e300, 3.0])).tolist() == [np.inf, -np.inf, 1.5]


def test_words_of_flags() -> None:
    assert parse_numbers("123.7,116.3, 103.5", "mean") == (123.7, 116.3, 103.5)
    with pytest.raises(UsageError, match="--std 1;2"):
        parse_numbers("1;2", "std")


def test_toml_form() -> None:
    assert make(3, **from_table({"mean": 127.5, "std": [1, 2, 3], "color": "bgr"}, "[input]")) == Preprocessing((127.5,), (1, 2, 3), "bgr")
    with pytest.raises(UsageError, match=r"\[input\]: unknown key: men"):
        from_table({"men": 1}, "[input]")
    with pytest.raises(UsageError, match="must be a number or a list"):
        from_table({"mean": ["a"]}, "[input]")


def test_round_trip_through_the_manifest() -> None:
    prep = Preprocessing((1, 2, 3), (4,), "bgr", "crop:0.9", True)
    assert Preprocessing.from_dict(prep.as_dict()) == prep
