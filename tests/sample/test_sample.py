from PIL import Image

from exporter.sample import CLASS_NAMES, labels_path, model_path, pictures_path

MAX_MODEL_BYTES = 300_000
MAX_PICTURES_BYTES = 600_000


def test_the_labels_are_the_pictures_folders_in_the_nets_order() -> None:
    names = labels_path().read_text().split()
    assert tuple(names) == CLASS_NAMES
    assert sorted(names) == sorted(p.name for p in pictures_path().iterdir())


def test_the_sample_is_small_and_whole() -> None:
    pictures = sorted(pictures_path().glob("*/*.png"))
    assert len(pictures) == 300
    assert sum(p.stat().st_size for p in pictures) < MAX_PICTURES_BYTES
    assert model_path().stat().st_size < MAX_MODEL_BYTES
    with Image.open(pictures[0]) as picture:
        assert (picture.size, picture.mode) == ((28, 28), "L")
