"""What `compress`, and `build` with its flags, refuse or tell before any training; a plan of it."""

from pathlib import Path

import numpy as np
import pytest

from exporter.sample import model_path
from tests.command import mexport


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "no pictures"),
        (["--macs", "0.5", "--params", "0.5", "--samples", "DATA"], 2, "together"),
        (["--latency", "fast", "--samples", "DATA"], 2, "--latency fast"),
        (["--macs", "0.5", "--score", "l3", "--samples", "DATA"], 2, "unknown score"),
        (["--macs", "0.001", "--samples", "DATA"], 6, "narrowest"),
        (["--minutes", "1", "--samples", "DATA"], 2, "training needs data"),
        (["--recipe", "RECIPE", "--macs", "0.5"], 2, "and so do flags"),
        (["--train", "nowhere"], 12, "nowhere does not exist"),
        (["--train", "DATA", "--teacher", "nowhere.keras"], 2, "no such teacher"),
    ],
)
def test_what_cannot_be_done_is_refused(words: list[str], code: int, said: str, sample_npz: Path, half: Path, tmp_path: Path) -> None:
    given = [{"DATA": str(sample_npz), "RECIPE": str(half)}.get(w, w) for w in words]
    ended = mexport("compress", model_path(), *given, "-o", tmp_path / "small")
    assert (ended.code, said in ended.err) == (code, True), ended.err
    assert not (tmp_path / "small").exists()


def test_classes_that_are_missing_are_told(sample_npz: Path, tmp_path: Path) -> None:
    with np.load(sample_npz) as stored:
        some = stored["y"] < 3
        np.savez(tmp_path / "three.npz", x=stored["x"][some], y=stored["y"][some])
    words = ["--macs", "0.7", "--minutes", "0", "--train", tmp_path / "three.npz", "-o", tmp_path / "small", "--json"]
    ended = mexport("compress", model_path(), *words)
    assert ended.code == 0, ended.err
    assert "3 of the model's 10 classes" in ended.err
    assert any("3 of the model's 10 classes" in note for note in ended.facts["record"]["notes"])


def test_labels_that_the_model_does_not_know_are_told(sample_npz: Path, tmp_path: Path) -> None:
    with np.load(sample_npz) as stored:
        np.savez(tmp_path / "turned.npz", x=stored["x"], y=(stored["y"] + 1) % 10)
    words = ["--macs", "0.7", "--minutes", "0", "-o", tmp_path / "small", "--json"]
    ended = mexport("compress", model_path(), *words, "--train", tmp_path / "turned.npz")
    assert ended.code == 0, ended.err
    assert any("of 100 training samples right, as by chance: check --mean" in note for note in ended.facts["record"]["notes"])
    again = mexport("compress", model_path(), *words[:-2], tmp_path / "other", "--json", "--train", sample_npz)
    assert again.facts["record"]["notes"] == []


def test_data_that_nothing_is_trained_with_are_refused(sample_npz: Path, tmp_path: Path) -> None:
    ended = mexport("build", model_path(), "-t", "onnx-arm64", "--train", sample_npz, "-o", tmp_path / "out")
    assert (ended.code, "nothing is trained" in ended.err) == (2, True), ended.err


def test_a_plan_of_compression_trains_nothing(sample_npz: Path, half: Path, tmp_path: Path) -> None:
    ended = mexport("plan", model_path(), "-t", "onnx-arm64", "--recipe", half, "--train", sample_npz, "-o", tmp_path / "out", "--json")
    assert ended.code == 0, ended.err
    passes = ended.facts["targets"][0]["passes"]
    assert [p["pass"] for p in passes] == ["clean", "PruneChannels", "Distill", "fold"]
    assert "PruneChannels: macs = 0.5, score = entropy-next" in mexport("plan", model_path(), "-t", "onnx-arm64", "--macs", "0.5").out


def test_a_teacher_of_another_kind_is_refused(sample_npz: Path, tmp_path: Path) -> None:
    from tests.small_models import classifier

    words = ["--macs", "0.5", "--train", sample_npz, "--minutes", "0.05", "--teacher", classifier(tmp_path / "other.onnx")]
    ended = mexport("compress", model_path(), *words, "-o", tmp_path / "small")
    assert (ended.code, "the teacher has inputs of shapes" in ended.err) == (2, True), ended.err
