"""Training with rounded numbers through the command line: in every format, told in the bundle, refused where it has nothing to do."""

import pytest

from exporter.sample import labels_path, pictures_path
from exporter.train.settings import TrainSettings
from tests.command import mexport
from tests.e2e.int8_words import QUICK, facts_of

TARGETS = ["ncnn-arm64", "tflite-arm64", "onnx-arm64"]
TRAINED = ("--calibration", pictures_path(), "--train", pictures_path(), "--labels", labels_path(), "--qat", "0.2", *QUICK)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    out = tmp_path_factory.mktemp("qat")
    ended = mexport("build", *[word for t in TARGETS for word in ("-t", t)], "--precision", "int8", *TRAINED, "-o", out)
    assert ended.code == 0, ended.err
    return out


@pytest.mark.parametrize("target", TARGETS)
def test_a_bundle_says_how_it_was_trained(built, target):
    facts = facts_of(built, target)
    assert [s["pass"] for s in facts["steps"][-2:]] == ["quantize", "qat"]
    step, repair = facts["steps"][-1], facts["quantization"]["repairs"][-1]
    assert step["settings"]["minutes"] == 0.2
    assert step["settings"]["trained weights"] in ("kept", "of no use")
    assert (repair["name"], repair["kept"]) == ("qat", step["settings"]["trained weights"] == "kept")
    told = step["facts"]
    done = told["epochs"] - told["best_epoch"] >= TrainSettings().patience  # a quick computer is, before its time is up
    why = "patience" if done and told["stopped"] == "patience" else "minutes"
    assert (told["samples"], told["stopped"]) == (300, why)
    assert step["history"][0]["epoch"] == 0
    first, best = step["facts"]["held_out_loss"]
    assert best < first if repair["kept"] else best == first
    assert any("--qat" in note for note in facts["notes"]) != repair["kept"]
    assert facts["parity"]["classes"]["sqnr_db"] >= 25  # the shipped targets' limit for int8
    assert facts["fidelity"]["classes"]["top1_agreement"] >= 15 / 16  # of 16 clothes, one may stand on the edge
    assert "training with rounded numbers" in (built / f"fashion--{target}" / "report.md").read_text()


def test_a_training_that_is_done_is_taken_from_the_store(built, tmp_path):
    ended = mexport("build", "-t", TARGETS[1], "--precision", "int8", *TRAINED, "-o", tmp_path)
    assert ended.code == 0, ended.err
    first, again = (facts_of(out, TARGETS[1]) for out in (built, tmp_path))
    assert again["steps"][-1]["history"] == first["steps"][-1]["history"]
    assert [f["sha256"] for f in again["files"]] == [f["sha256"] for f in first["files"]]


def test_other_minutes_are_another_build(built):
    words = ["0.3" if word == "0.2" else word for word in TRAINED]
    ended = mexport("build", "-t", TARGETS[0], "--precision", "int8", *words, "-o", built)
    assert ended.code == 2
    assert "--force" in ended.err
    assert mexport("build", "-t", TARGETS[0], "--precision", "int8", *TRAINED, "-o", built).out.count("up to date") == 1


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        (("--precision", "int8", "--calibration", pictures_path(), "--qat", "1"), "nothing to train it with", "--train DATA"),
        (("--qat", "1", "--train", pictures_path()), "--qat is for int8 files", "leave --qat out, or add --calibration DATA"),
        (("--precision", "int8-weights", "--qat", "1", "--train", pictures_path()), "this one is int8-weights", "leave --qat out"),
        (("--calibration", pictures_path(), "--qat", "0", "--train", pictures_path()), "minutes must be above 0", "--qat 10"),
    ],
)
def test_what_cannot_be_trained_is_refused(words, said, hint, tmp_path):
    ended = mexport("build", "-t", "tflite-arm64", *words, "-o", tmp_path / "out")
    assert ended.code == 2, ended.err
    assert said in ended.err
    assert hint in ended.err
    assert not (tmp_path / "out").exists()


def test_a_net_that_loses_too_much_is_told_of_training(nets, tmp_path):
    words = ("build", nets / "collapsing.onnx", "-t", "tflite-arm64", "--calibration", nets / "data.npz", "-o", tmp_path / "out", *QUICK)
    ended = mexport(*words)
    assert ended.code == 5
    assert "--qat MINUTES --train DATA" in ended.err
