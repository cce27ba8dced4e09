import pytest

from benchmarks import int8_judge
from benchmarks.int8_cases import Case, photos
from benchmarks.int8_judge import Verdict, points, verdicts
from benchmarks.results import Rows
from exporter.preprocessing import Preprocessing


@pytest.fixture
def cases(monkeypatch: pytest.MonkeyPatch) -> dict[str, Case]:
    known: dict[str, Case] = {}
    monkeypatch.setattr(int8_judge, "CASES", known)
    return known


def case(**facts: object) -> Case:
    return Case(photos, Preprocessing(), (8, 8, 3), **facts)  # type: ignore[arg-type]


def rows(n: int, right: int, ours: int, *peers: int) -> Rows:
    names = ["TFLiteConverter", "ai-edge-quantizer", "onnxruntime"]
    theirs = {f"net {name}": {"n": n, "right": r} for name, r in zip(names, peers, strict=False)}
    return {"net float": {"n": n, "right": right}, "net ours tflite": {"n": n, "right": ours}, **theirs}


def of_tflite(found: list[Verdict]) -> list[bool | None]:
    return [v.holds for v in found if v.file_format == "tflite" and "operator" not in v.figure]


def test_losses_are_points_of_top1() -> None:
    assert points({"right": 4335}, {"n": 5000, "right": 4345}) == pytest.approx(0.2)  # ten answers of 5,000


def test_a_fifth_of_a_point_behind_the_best_peer_is_allowed_and_no_more(cases: dict[str, Case]) -> None:
    cases["net"] = case()
    assert of_tflite(verdicts("net", rows(5000, 4345, 4330, 4340, 4300))) == [True]  # 15 lost, the best peer 5: ten more is 0.2 points
    assert of_tflite(verdicts("net", rows(5000, 4345, 4329, 4340, 4300))) == [False]


def test_of_few_pictures_one_is_allowed(cases: dict[str, Case]) -> None:
    cases["net"] = case()
    assert of_tflite(verdicts("net", rows(150, 141, 140, 141))) == [True]
    assert of_tflite(verdicts("net", rows(150, 141, 139, 141))) == [False]


def test_the_nets_own_limit_counts_beside_the_peers(cases: dict[str, Case]) -> None:
    cases["net"] = case(max_lost=(0.3, 0.5))
    assert of_tflite(verdicts("net", rows(5000, 4345, 4329, 4330))) == [False, True]  # 16 of 5,000 are 0.32 points


def test_without_labels_sqnr_is_held_to_half_a_decibel_below_the_best(cases: dict[str, Case]) -> None:
    cases["net"] = case(scored=False)
    found = {"net float": {"n": 40}, "net onnxruntime": {"n": 40, "sqnr_db": 20.0}, "net TFLiteConverter": {"n": 40, "sqnr_db": 25.0}}
    assert of_tflite(verdicts("net", {**found, "net ours tflite": {"n": 40, "sqnr_db": 24.5}})) == [True]
    assert of_tflite(verdicts("net", {**found, "net ours tflite": {"n": 40, "sqnr_db": 24.4}})) == [False]


def test_on_few_photos_agreement_and_scores_count_too(cases: dict[str, Case]) -> None:
    cases["net"] = case(few_photos=True)
    found = rows(40, 30, 30, 30)
    found["net TFLiteConverter"] |= {"agree": 38, "logit_sqnr_db": 20.0}
    found["net ours tflite"] |= {"agree": 35, "logit_sqnr_db": 19.6}
    assert of_tflite(verdicts("net", found)) == [True, False, True]  # 38 - 2 are asked


def test_what_is_not_built_is_pending_and_says_why(cases: dict[str, Case]) -> None:
    cases["net"] = case()
    found = rows(150, 141, 140, 141)
    found["net ours onnx"] = {"error": "cannot"}
    onnx = next(v for v in verdicts("net", found) if v.file_format == "onnx")
    assert (onnx.holds, onnx.got) == (None, "cannot")
    assert "pending net onnx" in onnx.line()


def test_operators_in_float_are_told(cases: dict[str, Case]) -> None:
    cases["net"] = case()
    for ops, holds in (([], True), (["SOFTMAX"], False)):
        found = rows(150, 141, 141, 141)
        found["net ours tflite"]["float_ops"] = ops
        assert [v.holds for v in verdicts("net", found) if "operator" in v.figure] == [holds]


def test_ncnn_is_held_to_its_own_limit_only(cases: dict[str, Case]) -> None:
    cases["net"] = case(max_lost=(2, 4))
    found = {**rows(150, 141, 141, 141), "net ours ncnn": {"n": 150, "right": 137}}
    assert [v.holds for v in verdicts("net", found) if v.file_format == "ncnn"] == [True]
