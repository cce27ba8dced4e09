import json

import numpy as np
import pytest

import exporter as mx
from exporter.bundle import read_bundle
from exporter.errors import LimitError, ParityError, UsageError
from tests.command import mexport
from tests.small_models import classifier, pictures

TARGETS = ["ncnn-arm64", "tflite-arm64", "onnx-arm64"]
ALL = [word for t in TARGETS for word in ("-t", t)]
STRICT = 'format = "{}"\nabi = "arm64-v8a"\n[parity]\nmax_rel = {{ fp32 = 1e-12 }}\n'


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return classifier(tmp_path_factory.mktemp("model") / "small.onnx")


@pytest.fixture(scope="module")
def built(model, tmp_path_factory):
    out = tmp_path_factory.mktemp("built")
    ended = mexport("build", model, *ALL, "--precision", "fp32", "-o", out, "--json", "-q")
    assert ended.code == 0, ended.err
    return out, ended.facts


@pytest.mark.parametrize("target", TARGETS)
def test_a_bundle_holds_its_files_its_proof_and_its_documents(built, target):
    folder = built[0] / f"small--{target}"
    bundle = read_bundle(folder)  # every sha256, and the schema
    facts = bundle.manifest
    assert {"report.md", "USE.md", "reference.npz", "manifest.json"} <= {p.name for p in folder.iterdir()}
    for kind in ("parity", "fidelity"):
        found = facts[kind]["scores"]
        assert found["n"] == 8
        assert found["rel"] <= 1e-4  # the contract's limit for fp32
        assert found["before_activation"]["rel"] <= 1e-4  # likewise: a softmax hides errors
        assert found["top1_agreement"] == 1.0
    assert facts["inputs"][0]["source_name"] == "image"
    assert facts["source"]["framework"] == "onnxruntime"
    assert facts["tools"]["mexport"] == mx.__version__
    assert facts["samples"]["input_range_known"] is False
    assert "input range unknown" in facts["notes"][0]
    numbers = {n["name"]: n["value"] for n in facts["numbers"]}
    assert numbers["params"] == 8 * 27 + 8 + 5 * 8 + 5  # conv and its folded bias, dense and its bias
    assert numbers["seconds_verify_excluded"] > 0
    assert numbers["peak_rss_verify_excluded"] > 2**20


@pytest.mark.parametrize("target", TARGETS)
def test_the_reference_is_the_sources_own(built, model, target):
    import onnxruntime as ort

    kept = read_bundle(built[0] / f"small--{target}").reference()
    session = ort.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    wanted = session.run(None, {"image": kept.inputs["image"]})[0]
    np.testing.assert_allclose(kept.reference["scores"], wanted, rtol=1e-5, atol=1e-7)  # optimised against not optimised
    np.testing.assert_allclose(kept.graph["scores"], wanted, rtol=1e-5, atol=1e-7)  # batch norm folded


def test_json_says_what_was_made(built):
    for target, outcome in zip(TARGETS, built[1]["outcomes"], strict=True):
        assert outcome["target"] == target
        assert outcome["up_to_date"] is False
        assert outcome["error"] is None
        assert {"path", "files", "parity", "fidelity"} <= set(outcome)


def test_a_second_build_does_nothing(built, model):
    out, _ = built
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*")}
    ended = mexport("build", model, *ALL, "--precision", "fp32", "-o", out)
    assert ended.code == 0
    assert ended.out.count("up to date, nothing done") == 3
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*")} == before


def test_another_build_is_refused_without_force(model, tmp_path):
    words = ("build", model, "-t", "ncnn-arm64", "-o", tmp_path, "-q")
    assert mexport(*words, "--precision", "fp32").code == 0
    ended = mexport(*words, "--precision", "fp16")
    assert ended.code == 2
    assert "precision: fp32 there, fp16 here" in ended.err
    assert mexport(*words, "--precision", "fp16", "--force").code == 0
    assert read_bundle(tmp_path / "small--ncnn-arm64").manifest["precision"] == "fp16"


def test_one_target_fails_and_the_others_stand(model, tmp_path):
    strict = tmp_path / "strict.toml"
    strict.write_text(STRICT.format("ncnn"))
    ended = mexport("build", model, "-t", "tflite-arm64", "-t", strict, "-t", "onnx-arm64", "-o", tmp_path / "out", "--json", "-q")
    assert ended.code == 5
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["small--onnx-arm64", "small--tflite-arm64"]
    first, second = (json.loads(part) for part in ended.out.replace("}\n{", "}\n\0{").split("\0"))
    assert [o["error"] and o["error"]["type"] for o in first["outcomes"]] == [None, "ParityError", None]
    assert second["error"]["exit_code"] == 5
    for said in ("output scores", "is above the limit 1.0e-12", "first layer that differs: "):
        assert said in ended.err


def test_unsupported_layers_are_named_all_at_once_and_the_other_targets_go_on(tmp_path):
    model = classifier(tmp_path / "odd.onnx", extra_op="Asinh")
    ended = mexport("build", model, *ALL, "-o", tmp_path / "out", "--json", "-q")
    assert ended.code == 4
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["odd--onnx-arm64"]
    said = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert len(said) == 2  # ncnn and tflite, each with both layers
    assert all("odd0 (Asinh)" in line and "odd1 (Asinh)" in line and "2 layers" in line for line in said)


def test_limits_of_a_target(model, tmp_path):
    small = tmp_path / "small-target.toml"
    small.write_text('format = "tflite"\nabi = "arm64-v8a"\n[limits]\nsize_mib = 0.0001\n')
    with pytest.raises(LimitError, match="are above the target's limit"):
        mx.build(model, small, output=tmp_path / "out")
    assert not list((tmp_path / "out").glob("*"))


def test_accuracy_is_counted_and_limited(model, tmp_path):
    target = tmp_path / "careful.toml"
    target.write_text('format = "tflite"\nabi = "arm64-v8a"\n[limits]\ntop1_drop = 0.0\n')
    with pytest.raises(LimitError, match="needs labelled data"):
        mx.build(model, target, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    data = pictures(tmp_path / "data")
    result = mx.build(model, target, output=tmp_path / "out", data=str(data))
    numbers = {n["name"]: n for n in read_bundle(result.path).manifest["numbers"]}
    assert numbers["top1"]["value"] == numbers["top1_source"]["value"]
    assert (numbers["top1"]["n"], numbers["top1"]["engine"]) == (10, "litert")


def test_a_target_that_gives_no_limits_is_still_held_to_the_usual(model, tmp_path):
    target = tmp_path / "bare.toml"
    target.write_text('format = "onnx"\nabi = "arm64-v8a"\n')
    result = mx.build(model, target, output=tmp_path / "out")
    assert read_bundle(result.path).manifest["limits"]["max_rel"] == 1e-4


def test_the_library_call(model, tmp_path):
    result = mx.build(model, mx.load_target("tflite-arm64"), precision="fp16", output=tmp_path)
    assert result.artifact is not None
    assert result.artifact.path.is_file()
    assert result.parity["scores"]["sqnr_db"] > 15  # the contract's limit for fp16
    again = mx.build(model, "tflite-arm64", precision="fp16", output=tmp_path)
    assert again.up_to_date
    assert again.artifact.path == result.artifact.path
    assert mx.verify(result).error is None
    with pytest.raises(UsageError, match="unknown setting: precison"):
        mx.build(model, "tflite-arm64", precison="fp16")
    strict = tmp_path / "strict.toml"
    strict.write_text(STRICT.format("tflite"))
    with pytest.raises(ParityError):
        mx.build(model, strict, output=tmp_path)


def test_pictures_labels_and_preprocessing_reach_the_manifest(model, tmp_path):
    data = pictures(tmp_path / "data")
    ended = mexport("build", model, "-t", "onnx-arm64", "-o", tmp_path / "out", "--samples", data, "--mean", "127.5", "--std", "127.5",
                    "--color", "bgr", "-q")  # fmt: skip
    assert ended.code == 0, ended.err
    folder = tmp_path / "out" / "small--onnx-arm64"
    facts = read_bundle(folder).manifest
    assert facts["preprocessing"]["image"] == {"mean": [127.5], "std": [127.5], "color": "bgr", "resize": "squash", "assumed": False}
    assert facts["samples"]["n"] == 10
    assert (folder / "labels.txt").read_text().split() == [f"class{i}" for i in range(5)]
    assert facts["notes"] == []


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("-t", "ncnn-arm64", "--precision", "int4-weights"), "cannot be written at int4-weights"),
        (("-t", "ncnn-arm64", "--precision", "int7"), "unknown precision: int7"),
        (("-t", "ncnn-arm64", "--repair", "thorough"), "--repair is for int8 files, this one is fp16"),
        (("-t", "ncnn-arm64", "--fastest", "--precision", "fp32"), "--fastest chooses the precision"),
        (("-t", "ncnn-arm64", "--layout", "nhwc"), "--layout nhwc for ncnn"),
        (("-t", "ncnn-arm64", "--io", "uint8"), "--io uint8 is for int8 files"),
        (("-t", "ncnn-arm64", "-t", "ncnn-arm64"), "target given twice: ncnn-arm64"),
        (("-t", "ncnn-arm64", "--custom-objects", "os"), "--custom-objects os runs code of yours"),
    ],
)
def test_flags_that_do_not_fit(model, tmp_path, flags, said):
    ended = mexport("build", model, *flags, "-o", tmp_path / "out")
    assert ended.code == 2
    assert said in ended.err
    assert not (tmp_path / "out").exists()


def test_plan_says_what_would_be_done_and_does_not(model, tmp_path):
    ended = mexport("plan", model, *ALL, "-o", tmp_path / "out", "--json")
    assert ended.code == 0
    assert not (tmp_path / "out").exists()
    ncnn = ended.facts["targets"][0]
    assert (ncnn["precision"], ncnn["up_to_date"], ncnn["problems"]) == ("fp16", False, [])
    assert any(step["settings"]["changes"].get("fold_batch_norm") == 1 for step in ncnn["passes"])
    assert "fold_batch_norm 1" in mexport("plan", model, "-t", "ncnn-arm64").out


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_layout_of_an_onnx_file(model, tmp_path, layout):
    result = mx.build(model, "onnx-arm64", layout=layout, output=tmp_path)
    assert result.artifact.inputs[0].shape[1:] == ((3, 12, 12) if layout == "nchw" else (12, 12, 3))


def test_cut_at_inner_values(model, tmp_path):
    result = mx.build(model, "tflite-arm64", outputs=("logits",), output=tmp_path)
    assert list(result.fidelity) == ["logits"]
