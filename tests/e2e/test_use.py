"""What is done with a bundle: verify, eval, bench, report; and with files of other tools."""

import json
import shutil

import numpy as np
import pytest

from tests.command import mexport
from tests.small_models import classifier, pictures

TARGETS = ["ncnn-arm64", "onnx-arm64", "tflite-arm64"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("use")
    model = classifier(place / "small.onnx")
    flags = ["--mean", "127.5", "--std", "127.5"]
    ended = mexport("build", model, *[w for t in TARGETS for w in ("-t", t)], "--precision", "fp32", "-o", place / "out", "-q", *flags)
    assert ended.code == 0, ended.err
    pictures(place / "data", each=3)
    return place


def test_verify_runs_every_bundle_again(place):
    ended = mexport("verify", place / "out", "--json", "-q")
    assert ended.code == 0
    assert ended.facts["ok"] is True
    assert [b["name"] for b in ended.facts["bundles"]] == [f"small--{t}" for t in TARGETS]
    for bundle in ended.facts["bundles"]:
        assert bundle["parity"]["scores"]["rel"] <= 1e-4  # the contract's limit for fp32
        assert bundle["fidelity"]["scores"]["before_activation"]["rel"] <= 1e-4


def test_verify_layer_by_layer_in_all_formats(place):
    ended = mexport("verify", place / "out", "--layers", "--json", "-q")
    assert ended.code == 0, ended.err
    for bundle in ended.facts["bundles"]:
        values = [layer["value"] for layer in bundle["layers"]]
        assert "scores" in values
        assert len(values) >= 3
        assert all(layer["rel"] <= 1e-4 for layer in bundle["layers"])
        assert bundle["first_divergence"] is None
    assert "SQNR dB" in mexport("verify", place / "out" / "small--tflite-arm64", "--layers").out


def test_verify_names_the_layer_where_a_file_goes_wrong(place, tmp_path):
    """The weights of the last layer are changed in the file, and the manifest made to agree: only running it can tell."""
    from exporter.bundle import sha256_file

    folder = shutil.copytree(place / "out" / "small--ncnn-arm64", tmp_path / "small--ncnn-arm64")
    weights = folder / "model.ncnn.bin"
    data = bytearray(weights.read_bytes())
    data[-8:-4] = np.float32(9.0).tobytes()
    weights.write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_text())
    for file in manifest["files"]:
        file["sha256"] = sha256_file(folder / file["path"])
    (folder / "manifest.json").write_text(json.dumps(manifest))
    ended = mexport("verify", folder, "--json")
    assert ended.code == 5
    assert "differs from the graph it was written from: output scores" in ended.err
    assert "build it again, or see --layers" in ended.err


def test_verify_on_other_samples_and_with_a_source_that_moved(place, tmp_path):
    bundle = place / "out" / "small--tflite-arm64"
    assert mexport("verify", bundle, "--samples", place / "data", "-q").code == 0
    moved = shutil.copytree(bundle, tmp_path / bundle.name)
    ended = mexport("verify", moved, "--layers")
    assert ended.code == 2
    assert "--source" in ended.err
    assert mexport("verify", moved, "--layers", "--source", place / "small.onnx", "-q").code == 0
    other = classifier(tmp_path / "other.onnx", seed=1)
    assert mexport("verify", moved, "--layers", "--source", other).code == 9


@pytest.mark.parametrize("file", ["small--tflite-arm64/model.tflite", "small--onnx-arm64/model.onnx", "small--ncnn-arm64/model.ncnn.param"])
def test_bare_files(place, file, tmp_path):
    bare = place / "out" / file
    right = mexport("verify", bare, "--against", place / "small.onnx", "--json", "-q")
    assert right.code == 0, right.err
    assert right.facts["bundles"][0]["fidelity"]["scores"]["rel"] <= 1e-4
    wrong = mexport("verify", bare, "--against", classifier(tmp_path / "other.onnx", seed=1), "-q")
    assert wrong.code == 5
    assert "`mexport build`: its bundle tells the layers" in wrong.err
    bench = mexport("bench", bare, "--num-runs", "3", "--json", "-q")
    assert bench.code == 0, bench.err
    assert mexport("inspect", bare, "--json").facts["layers"]


def test_eval_counts_alike_everywhere(place):
    flags = ("--data", place / "data", "--json", "-q")
    said = (*flags, "--mean", "127.5", "--std", "127.5")
    results = mexport("eval", place / "out", *flags).facts["results"]
    own = mexport("eval", place / "small.onnx", *said).facts["results"]
    bare = mexport("eval", place / "out/small--tflite-arm64/model.tflite", *said).facts["results"]
    assert {(r["right"], r["n"], r["top1"]) for r in [*results, *own, *bare]} == {(own[0]["right"], 15, own[0]["right"] / 15)}
    assert results[0]["top5"] is None  # five classes


def test_eval_without_labels_or_with_too_many_classes(place, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    for i, picture in enumerate((place / "data").rglob("*.png")):
        shutil.copy(picture, flat / f"{i}.png")
    for data in (flat, pictures(tmp_path / "many", classes=7)):
        ended = mexport("eval", place / "out" / "small--onnx-arm64", "--data", data, "-q")
        assert ended.code == 12
        assert "label" in ended.err


def test_bench_keeps_every_sample(place):
    folder = place / "out"
    ended = mexport(
        "bench", folder / "small--tflite-arm64", folder / "small--onnx-arm64", "--num-runs", "20", "--pairs", "10", "--json", "-q"
    )
    assert ended.code == 0, ended.err
    facts = ended.facts
    for result in facts["results"]:
        assert len(result["ms"]) == 20
        assert {"min", "p10", "median", "p90", "mean", "mean_2_20", "load", "first", "fps"} == set(result["statistics"])
        assert result["peak_rss_bytes"] > 2**20
        assert result["engine"].split()[0] in ("litert", "onnxruntime")
    (comparison,) = facts["comparisons"]
    assert (len(comparison["a_ms"]), len(comparison["b_ms"]), comparison["process_pairs"]) == (10, 10, 5)
    assert comparison["low"] <= comparison["ratio"] <= comparison["high"]


def test_report_in_both_forms(place):
    folder = place / "out" / "small--ncnn-arm64"
    assert mexport("report", folder).out.strip() == (folder / "report.md").read_text().strip()
    assert mexport("report", place / "out", "--json").facts["bundles"][0]["manifest"]["schema"] == 1


def test_inspect_a_source(place):
    facts = mexport("inspect", place / "small.onnx", "--json").facts
    assert facts["totals"]["macs"] == 8 * 27 * 12 * 12 + 8 * 5
    assert facts["totals"]["flops"] == 2 * facts["totals"]["macs"]
    assert facts["formats"] == {"ncnn": [], "tflite": [], "onnx": []}
    assert "memory access" in mexport("inspect", place / "small.onnx").out


@pytest.mark.parametrize(("command", "on"), [("verify", "adb:123"), ("bench", "docker:arm64")])
def test_other_places_are_refused_by_name(place, command, on):
    ended = mexport(command, place / "out", "--on", on)
    assert ended.code == 11
    assert f"--on {on}: {command} does not run there" in ended.err
