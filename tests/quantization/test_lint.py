"""Each finding on data that has the fault, and none on data that has not."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from exporter.array import Array
from exporter.data import Dataset, InputSpec, open_data
from exporter.errors import DataError
from exporter.preprocessing import Preprocessing
from exporter.quantization.finding import Finding
from exporter.quantization.lint import lint, require_fit

SPEC = InputSpec("x", (32, 32, 3), "nhwc")
PIXELS = Preprocessing((127.5,), (127.5,))
AS_IS = Preprocessing()
ASSUMED = Preprocessing(assumed=True)
IMAGENET = (123.675, 116.28, 103.53)


def photos(n: int = 100, size: int = 32, seed: int = 0) -> Array:
    """Smooth coloured pictures with a little grain, uint8 (n, size, size, 3): neighbours are related as in photos."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (n, 5, 5, 3)).astype(np.uint8)
    big = np.stack([np.asarray(Image.fromarray(c).resize((size, size), Image.Resampling.BICUBIC)) for c in coarse])
    brightness = big.mean(-1, keepdims=True)  # colours of a photo resemble each other
    mixed = 0.7 * brightness + 0.3 * big + rng.normal(0, 4, big.shape)
    return np.clip(mixed, 0, 255).astype(np.uint8)


Found = Callable[..., list[Finding]]


@pytest.fixture
def found(tmp_path: Path) -> Found:
    """The linter on an array as the data's `x`."""

    def run(x: Array, prep: Preprocessing = PIXELS, spec: InputSpec = SPEC, y: Array | None = None, **more: object) -> list[Finding]:
        np.savez(tmp_path / "d.npz", x=x, **({} if y is None else {"y": y}))
        return lint(open_data(tmp_path / "d.npz", [spec], {"x": prep}), [spec], {"x": prep}, **more)  # type: ignore[arg-type]

    return run


def kinds(findings: list[Finding], severity: str = "refuse") -> list[str]:
    return [f.kind for f in findings if f.severity == severity]


def test_good_pictures_pass(found: Found) -> None:
    assert found(photos()) == []


def test_too_few(found: Found) -> None:
    assert kinds(found(photos(7))) == ["too few"]
    assert kinds(found(photos(8))) == []
    assert kinds(found(photos(8)), "warn") == ["few"]
    assert kinds(found(photos(99)), "warn") == ["few"]


def test_copies_do_not_count(found: Found) -> None:
    assert kinds(found(np.repeat(photos(5), 30, axis=0))) == ["too few"]


def test_duplicates_are_told_with_their_share(found: Found) -> None:
    (finding,) = found(np.concatenate([photos(), photos()[:25]]))
    assert (finding.severity, finding.kind) == ("warn", "duplicates")
    assert "25 of 125 samples (20 %)" in finding.message


def test_constant_pictures(found: Found) -> None:
    levels = np.arange(100, dtype=np.uint8)[:, None, None, None] * np.ones((1, 32, 32, 3), np.uint8)
    assert kinds(found(levels)) == ["constant"]
    assert kinds(found(np.concatenate([photos(40), levels[:60]]))) == ["constant"]
    assert kinds(found(np.concatenate([photos(95), levels[:5]])), "warn") == ["constant"]


def test_random_pictures(found: Found) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (100, 32, 32, 3)).astype(np.uint8)
    assert kinds(found(noise)) == ["random"]
    assert kinds(found(noise[..., :1] / 255, AS_IS, InputSpec("x", (32, 32, 1), "nhwc"))) == ["random"]
    assert kinds(found(noise[..., 0].reshape(100, 1024), AS_IS, InputSpec("x", (1024,), "plain"))) == ["random"]


def test_random_pictures_in_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(20):  # 64 x 64, halved by the resize: neighbours are slightly related then
        Image.fromarray(rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)).save(tmp_path / f"{i}.png")
    assert kinds(lint(open_data(tmp_path, [SPEC], {"x": PIXELS}), [SPEC], {"x": PIXELS})) == ["random"]


@pytest.mark.parametrize("shape", [(49, 10, 1), (128, 9), (400,), (64,)])
def test_features_are_no_pictures(found: Found, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(-20, 40, (100, *shape)).astype(np.float32)
    assert found(x, ASSUMED, InputSpec("x", shape, "nhwc" if len(shape) == 3 else "plain")) == []


def test_numbers_of_words_are_no_pictures(found: Found) -> None:
    words = np.random.default_rng(0).integers(0, 200, (100, 64))
    assert found(words, ASSUMED, InputSpec("x", (64,), "plain", "int64")) == []
    assert kinds(found(words, ASSUMED, InputSpec("x", (64,), "plain"))) == ["random", "range"]


@pytest.mark.parametrize(
    ("prep", "x"),
    [
        (Preprocessing((0.0,), (255.0,)), photos() / 255),
        (PIXELS, photos() / 127.5 - 1),
        (Preprocessing((0.0,), (255.0,)), photos() / 127.5 - 1),
        (Preprocessing(IMAGENET, (58.395, 57.12, 57.375)), (photos() - np.array(IMAGENET)) / 57),
        (Preprocessing(IMAGENET, (1.0,)), photos() / 255),
        (PIXELS, photos().astype(np.int16) - 128),
        (PIXELS, photos().astype(np.float32) * 256),
        (Preprocessing((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), photos()),
        (ASSUMED, photos()),
    ],
)
def test_range_against_preprocessing(found: Found, prep: Preprocessing, x: Array) -> None:
    assert kinds(found(x, prep)) == ["range"]


@pytest.mark.parametrize(
    ("prep", "x"),
    [
        (Preprocessing((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), photos() / 255),
        (Preprocessing(IMAGENET, (58.395, 57.12, 57.375)), photos()),
        (AS_IS, photos()),
        (AS_IS, photos() / 255),
        (ASSUMED, photos() / 255),
    ],
)
def test_range_that_agrees(found: Found, prep: Preprocessing, x: Array) -> None:
    assert found(x, prep) == []


def test_model_that_scales_itself_takes_pixels(found: Found) -> None:
    assert kinds(found(photos() / 255, AS_IS, takes_pixels={"x"})) == ["range"]
    assert found(photos(), AS_IS, takes_pixels={"x"}) == []


def test_nan(found: Found) -> None:
    x = photos().astype(np.float32)
    x[17, 3, 3, 0] = np.nan
    (finding,) = found(x)
    assert finding.kind == "not finite"
    assert "17" in finding.message


def test_planes_under_a_channels_last_shape(found: Found) -> None:
    x = photos()
    assert kinds(found(x.transpose(0, 3, 1, 2).reshape(x.shape))) == ["channel order"]


def test_imagenet_mean_tells_the_order(found: Found) -> None:
    assert kinds(found(photos(), Preprocessing(IMAGENET, (57.0,), "bgr"))) == ["channel order"]
    assert found(photos(), Preprocessing(IMAGENET[::-1], (57.0,), "bgr")) == []
    assert kinds(found(photos(), Preprocessing((103.939, 116.779, 123.68), (1.0,), "rgb"))) == ["channel order"]


def test_data_in_the_reverse_of_mean_is_warned_of(found: Found) -> None:
    tinted = np.clip(photos() + np.array([40, 0, -40]), 0, 255)
    mean = tuple(float(m) for m in tinted.mean((0, 1, 2)))
    assert found(tinted, Preprocessing(mean, (58.0,))) == []
    assert kinds(found(tinted[..., ::-1], Preprocessing(mean, (58.0,))), "warn") == ["channel order"]


def test_grey_pictures_where_colours_are_taken(found: Found) -> None:
    assert kinds(found(np.repeat(photos()[..., :1], 3, axis=-1)), "warn") == ["grey"]


def test_classes_missing(found: Found) -> None:
    y = np.arange(100) % 7
    (finding,) = found(photos(), y=y, classes=10)
    assert finding.kind == "classes missing"
    assert "3 of 10 classes have no sample: 7, 8, 9" in finding.message
    assert found(photos(), y=y, classes=7) == []


def test_alpha(tmp_path: Path) -> None:
    for i, x in enumerate(photos(20)):
        picture = Image.fromarray(x)
        if i % 2:
            picture.putalpha(128)
        picture.save(tmp_path / f"{i}.png")
    findings = lint(open_data(tmp_path, [SPEC], {"x": PIXELS}), [SPEC], {"x": PIXELS})
    assert "10 of 20 pictures have an alpha channel" in next(f for f in findings if f.kind == "alpha").message


def redness(x: Mapping[str, Array]) -> Array:
    """Scores of a model that tells red from blue."""
    return np.stack([x["x"][..., 0].mean((1, 2)), x["x"][..., 2].mean((1, 2))], 1)


def test_labels_tell_reversed_channels(found: Found) -> None:
    x, y = photos(), np.arange(100) % 2
    x = np.clip(x + np.where(y[:, None, None, None] == 0, np.array([50, 0, 0]), np.array([0, 0, 50])), 0, 255)
    assert found(x, y=y, scores=redness) == []
    assert kinds(found(x[..., ::-1], y=y, scores=redness)) == ["channel order"]


def test_labels_tell_a_model_that_is_right_by_chance(found: Found) -> None:
    y = np.random.default_rng(1).integers(0, 10, 100)

    def guess(x: Mapping[str, Array]) -> Array:
        return np.random.default_rng(2).random((len(x["x"]), 10))

    assert kinds(found(photos(), y=y, classes=10, scores=guess), "warn") == ["labels"]


def test_refusal_names_finding_and_remedy(found: Found) -> None:
    findings = found(photos(5) / 255)
    with pytest.raises(DataError, match="5 sample") as caught:
        require_fit(findings)
    assert caught.value.code == 12
    assert "1 more: range" in str(caught.value)
    assert "--accept-calibration" in str(caught.value.hint)
    require_fit(findings, accepted=True)
    require_fit([f for f in findings if f.severity == "warn"])


def test_two_inputs_are_looked_at_by_name(tmp_path: Path) -> None:
    specs = [SPEC, InputSpec("mask", (4,), "plain")]
    np.savez(tmp_path / "d.npz", x=photos(), mask=np.ones((100, 4), np.float32))
    prep = {"x": PIXELS}
    assert lint(open_data(tmp_path / "d.npz", specs, prep), specs, prep) == []


@pytest.mark.parametrize(
    ("name", "spec", "prep"),
    [
        ("mnist", InputSpec("x", (28, 28, 1), "nhwc"), Preprocessing((0.0,), (255.0,), "gray")),
        ("mnist", InputSpec("x", (784,), "plain"), Preprocessing((0.0,), (255.0,), "gray")),
        ("cifar10", SPEC, PIXELS),
        ("flowers", InputSpec("x", (3, 96, 96), "nchw"), Preprocessing(IMAGENET, (58.0,))),
        ("imagenet", InputSpec("x", (96, 96, 3), "nhwc"), PIXELS),
        ("kws", InputSpec("x", (49, 10, 1), "nhwc"), ASSUMED),
    ],
)
def test_real_data_is_not_refused(name: str, spec: InputSpec, prep: Preprocessing, request: pytest.FixtureRequest) -> None:
    data: Dataset = open_data(request.getfixturevalue(name), [spec], {"x": prep}).some(128)
    assert kinds(lint(data, [spec], {"x": prep})) == []
