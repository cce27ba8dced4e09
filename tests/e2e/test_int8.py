"""int8 from a model and pictures to proved files, through the command line."""

import json
import xml.etree.ElementTree as ET

import pytest

from exporter.sample import labels_path, model_path, pictures_path
from tests.command import mexport
from tests.e2e.int8_words import QUICK, facts_of

TARGETS = ["ncnn-arm64", "tflite-arm64", "onnx-arm64"]
ALL = [word for t in TARGETS for word in ("-t", t)]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    out = tmp_path_factory.mktemp("int8")
    ended = mexport("build", *ALL, "--calibration", pictures_path(), "-o", out, "--json")
    assert ended.code == 0, ended.err
    return out, ended


def test_calibration_data_alone_mean_int8_and_that_is_said(built):
    assert "precision int8, as calibration data were given and no precision" in built[1].err
    assert all("int8" in facts_of(built[0], t)["notes"][0] for t in TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_a_bundle_says_what_was_calibrated_and_chosen(built, target):
    facts = facts_of(built[0], target)
    assert facts["precision"] == facts["artifact"]["precision"] == "int8"
    assert facts["calibration"]["samples"] == len(facts["calibration"]["names"]) == 300
    assert facts["calibration"]["calibrator"] == "auto"
    assert facts["calibration"]["accepted"] == []
    found = facts["quantization"]
    assert found["layers"] >= 9  # nine convolutions of the sample
    assert {"value", "calibrator", "seen", "used", "saturated", "scale", "zero_point"} <= set(found["values"][0])
    assert any(r["name"] == "calibrators" for r in found["repairs"])
    assert len(found["layer_losses"]) == found["layers"]
    assert facts["parity"]["classes"]["sqnr_db"] >= 25  # the shipped targets' limit for int8
    assert facts["fidelity"]["classes"]["top1_agreement"] >= 15 / 16  # of 16 clothes, one may stand on the edge
    assert facts["samples"] == {"n": 16, "from": "pictures", "input_range_known": True}
    step = facts["steps"][-1]
    assert step["pass"] == "quantize"
    assert step["after"]["bytes"] < 0.5 * step["before"]["bytes"]  # one byte a weight for four, and some scales


def test_the_report_tells_of_int8(built):
    text = (built[0] / "fashion--ncnn-arm64" / "report.md").read_text()
    for said in ("## Calibration", "300 samples", "## Quantization", "a calibrator for each value", "The layers that lose most",
                 "422 (39 %)"):  # fmt: skip
        assert said in text
    assert "(39 %)" not in (built[0] / "fashion--tflite-arm64" / "report.md").read_text()


def test_a_second_build_does_no_work(built):
    before = {p: p.stat().st_mtime_ns for p in built[0].rglob("*")}
    ended = mexport("build", *ALL, "--calibration", pictures_path(), "-o", built[0])
    assert ended.code == 0
    assert ended.out.count("up to date, nothing done") == 3
    assert {p: p.stat().st_mtime_ns for p in built[0].rglob("*")} == before


def test_layers_of_all_formats_in_one_view(built, tmp_path):
    picture = tmp_path / "layers.svg"
    ended = mexport("verify", built[0], "--layers", "--json", "--picture", picture)
    assert ended.code == 0, ended.err
    facts = json.loads(ended.out)
    names = [f"fashion--{t}" for t in TARGETS]
    together = [row for row in facts["view"] if set(row["bundles"]) == set(names)]
    assert len(together) >= 9  # a convolution's activation is in every file
    for row in together:
        for entry in row["bundles"].values():
            assert entry["sqnr_db"] > 15  # a healthy net's worst layer has some 20 dB
    rounded = [e["range"] for row in together for e in row["bundles"].values() if e["range"]]
    assert rounded
    assert all(r["used"][0] <= 0 <= r["used"][1] for r in rounded)
    assert all(0 <= r["saturated"] < 0.05 for r in rounded if r["calibrator"] != "softmax")
    assert any(r["calibrator"] == "softmax" for r in rounded)  # hopeless scores are cut off on purpose
    texts = [t.text for t in ET.parse(picture).getroot().iter() if t.text and t.text.strip()]
    assert set(names) <= set(texts)
    table = mexport("verify", built[0], "--layers").out
    assert "SQNR against float, dB" in table
    assert "range used, calibrator, share cut off" in table


@pytest.mark.parametrize(
    ("words", "place", "said"),
    [
        ((), "x.svg", "--layers is not given"),
        (("--layers",), "x.png", "pictures are written as SVG"),
        (("--layers",), "nowhere/x.svg", "there is no folder"),
    ],
)
def test_pictures_that_cannot_be_drawn(built, tmp_path, words, place, said):
    ended = mexport("verify", built[0], *words, "--picture", tmp_path / place)
    assert ended.code == 2
    assert said in ended.err
    assert not ended.out  # before any work


def test_layers_without_the_cache_name_the_command_that_makes_them_again(built, tmp_path, monkeypatch):
    monkeypatch.setenv("MEXPORT_CACHE", str(tmp_path / "empty"))
    ended = mexport("verify", built[0] / "fashion--onnx-arm64", "--layers")
    assert ended.code == 2
    assert "the rounded graph of fashion--onnx-arm64 is no longer in the cache" in ended.err
    assert facts_of(built[0], "onnx-arm64")["command"] in ended.err
    assert "--force` makes bundle and graph again" in ended.err


@pytest.mark.parametrize("precision", ["int8", "mixed"])
def test_int8_without_data_is_refused_by_name(tmp_path, precision):
    ended = mexport("build", model_path(), *ALL, "--precision", precision, "-o", tmp_path / "out")
    assert ended.code == 12
    assert f"{precision} needs data to calibrate with" in ended.err
    assert "--calibration DATA" in ended.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("precision", ["int8-dynamic", "int8-weights", "int4-weights"])
@pytest.mark.parametrize("target", ["tflite-arm64", "onnx-arm64"])
def test_weights_alone_need_no_data(tmp_path, target, precision):
    words = ("build", model_path(), "-t", target, "--precision", precision, "-o", tmp_path / "out")
    ended = mexport(*words)
    assert ended.code == 0, ended.err
    facts = facts_of(tmp_path / "out", target)
    assert (facts["precision"], facts["calibration"], facts["quantization"]) == (precision, None, None)
    assert mexport("verify", tmp_path / "out", "--layers").code == 0
    limited = mexport(*words, "--min-sqnr-db", "90", "--name", "limited")
    assert limited.code == 5  # eight bits have some 40 dB
    assert "is below the limit 90 dB" in limited.err
    idle = mexport(*words, "--keep-float", "y", "--name", "idle")
    assert idle.code == 2
    assert f"--keep-float is for int8 files, this one is {precision}" in idle.err


@pytest.mark.parametrize("io", ["int8", "uint8"])
@pytest.mark.parametrize("target", ["tflite-arm64", "onnx-arm64"])
def test_integer_ends(few, tmp_path, target, io):
    out = tmp_path / "out"
    ended = mexport("build", model_path(), "-t", target, "--calibration", few, "--io", io, "-o", out, *QUICK)
    assert ended.code == 0, ended.err
    facts = facts_of(out, target)
    for end in (*facts["inputs"], *facts["outputs"]):
        assert end["dtype"] == io
        assert end["scale"] > 0
        assert isinstance(end["zero_point"], int)
    verified = mexport("verify", out, "--json")
    assert verified.code == 0, verified.err
    ended = mexport("eval", out, "--data", pictures_path(), "--labels", labels_path(), "--json", "-q")
    assert ended.code == 0, ended.err
    assert ended.facts["results"][0]["top1"] > 0.85  # the float sample has 0.89 of these 300
    bare = next(f for f in (out / f"fashion--{target}").iterdir() if f.suffix in (".tflite", ".onnx"))
    shape = ["--input-shape", "1,28,28,1"] if target == "onnx-arm64" else []
    assert mexport("bench", bare, "--num-runs", "2", *shape, "-q").code == 0
    assert "dtype" not in mexport("report", out).err
    use = (out / f"fashion--{target}" / "USE.md").read_text()
    assert f"astype(np.{io})" in use
    assert "scores0" in use


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-t", "ncnn-arm64", "--io", "int8"), "inputs and outputs of ncnn files are float32"),
        (("-t", "tflite-arm64", "--io", "int9"), "unknown type of inputs and outputs: int9"),
        (("-t", "tflite-arm64", "--repair", "thorugh"), "unknown repair: thorugh"),
        (("-t", "tflite-arm64", "--calibrator", "percentil-99.9"), "unknown calibrator"),
        (("-t", "tflite-arm64", "--precision", "fp16"), "--calibration is for int8 and mixed files, this one is fp16"),
        (("-t", "tflite-arm64", "--keep-float", "nowhere"), "--keep-float nowhere: no such layer"),
    ],
)
def test_words_about_int8_that_do_not_fit(few, tmp_path, words, said):
    ended = mexport("build", model_path(), *words, "--calibration", few, "-o", tmp_path / "out")
    assert ended.code == 2
    assert said in ended.err
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True


def test_other_places_are_refused_by_name(few, tmp_path):
    ended = mexport("build", model_path(), "-t", "tflite-arm64", "--calibration", few, "--fastest", "--on", "adb:0123", "-o", tmp_path)
    assert ended.code == 11
    assert "--on adb:0123" in ended.err


def test_a_file_without_any_layer_in_integers_says_so(few, tmp_path):
    every = mexport("build", model_path(), *ALL, "--calibration", few, "--keep-float", "zzz", "-o", tmp_path)
    names = every.err.partition("known: ")[2].split("\n")[0].replace(", ", ",")
    ended = mexport("build", model_path(), *ALL, "--calibration", few, "--keep-float", names, "-o", tmp_path, *QUICK)
    assert ended.code == 0, ended.err
    for target in TARGETS:
        assert f"{target}: no layer runs in integers" in ended.err
        facts = facts_of(tmp_path, target)
        assert facts["quantization"]["layers"] == 0
        assert any("no layer runs in integers" in note for note in facts["notes"])


def test_layers_kept_float_by_name(few, tmp_path):
    kept = "block0_pointwise_norm"
    ended = mexport("build", model_path(), "-t", "tflite-arm64", "--calibration", few, "--keep-float", kept, "-o", tmp_path, *QUICK)
    assert ended.code == 0, ended.err
    assert list(facts_of(tmp_path, "tflite-arm64")["quantization"]["kept_float"]) == [kept]
    assert "changes nothing" not in ended.err
    part = "block0_pointwise_relu"  # of the convolution before it, in ncnn
    ended = mexport("build", model_path(), "-t", "ncnn-arm64", "--calibration", few, "--keep-float", part, "-o", tmp_path, *QUICK)
    assert ended.code == 0, ended.err
    assert f"--keep-float {part} changes nothing: ncnn has no integers for it" in ended.err
