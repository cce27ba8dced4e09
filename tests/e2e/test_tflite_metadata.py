import zipfile

from exporter import build
from exporter.sample import labels_path, model_path


def test_a_tflite_file_carries_its_labels(tmp_path):
    built = build(model_path(), "tflite-arm64", labels=labels_path(), output=tmp_path)
    with zipfile.ZipFile(built.artifact.path) as attached:
        assert attached.read("labels.txt").decode().split() == labels_path().read_text().split()
