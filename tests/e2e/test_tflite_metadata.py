import zipfile

from exporter import build
from exporter.sample import labels_path, model_path
from tests.command import mexport


def test_a_tflite_file_carries_its_labels(tmp_path):
    built = build(model_path(), "tflite-arm64", labels=labels_path(), output=tmp_path)
    with zipfile.ZipFile(built.artifact.path) as attached:
        assert attached.read("labels.txt").decode().split() == labels_path().read_text().split()


def test_a_file_with_labels_is_verified_layer_by_layer(tmp_path):
    built = build(model_path(), "tflite-arm64", labels=labels_path(), output=tmp_path)
    ended = mexport("verify", built.path, "--layers", "-q")
    assert ended.code == 0, ended.err
