"""Every field that `--json` prints stands in docs/json.md, in the row of its command or above the table."""

import re
from typing import Any

import pytest

from tests.command import ROOT, mexport
from tests.small_models import classifier, pictures

FREE = {"preprocessing", "passes", "manifest", "source", "inputs", "outputs", "write", "runtime_options", "parity", "fidelity", "limits",
        "quantization", "onnx", "io", "formats"}  # fmt: skip
"""Fields whose own keys are names of the user's model, or documented elsewhere (the manifest's schema)."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("json")
    classifier(place / "small.onnx")
    pictures(place / "data", each=1)
    assert mexport("build", place / "small.onnx", "-t", "onnx-arm64", "-o", place / "out", "-q").code == 0
    words = ("--calibration", place / "data", "--accept-calibration", "--calibrator", "minmax", "--repair", "none")
    assert mexport("build", place / "small.onnx", "-t", "tflite-arm64", "-o", place / "int8", "-q", *words).code == 0
    return place


def words(text: str) -> set[str]:
    return set(re.findall(r"`([a-z0-9_]+)`", text))


def keys(facts: Any) -> set[str]:
    if isinstance(facts, list):
        return set().union(*map(keys, facts)) if facts else set()
    if not isinstance(facts, dict):
        return set()
    return set(facts).union(*(keys(v) for k, v in facts.items() if k not in FREE))


@pytest.mark.parametrize(
    "call",
    [
        "build {place}/small.onnx -t onnx-arm64 -t tflite-arm64 -o {place}/again -q", "plan {place}/small.onnx -t ncnn-arm64",
        "inspect {place}/small.onnx", "verify {place}/out", "verify {place}/out --layers", "verify {place}/int8 --layers",
        "eval {place}/out --data {place}/data -q",
        "bench {place}/out {place}/out --num-runs 2 --pairs 5 -q", "report {place}/out", "targets list", "targets show ncnn-arm64",
        "cache ls", "doctor",
    ],
)  # fmt: skip
def test_every_field_is_documented(place, call):
    ended = mexport(*call.format(place=place).split(), "--json")
    assert ended.code == 0, ended.err
    before, _, table = (ROOT / "docs" / "json.md").read_text().partition("| Command |")
    row = next(line for line in table.splitlines() if re.match(rf"\| `{call.split()[0]}[ `]", line) and in_row(call, line))
    known = words(before) | words(row) | words(table.rpartition("A **problem**")[2])
    if call.startswith("targets list"):
        known |= words(next(line for line in table.splitlines() if line.startswith("| `targets show`")))
    assert {key for key in keys(ended.facts) if not key.startswith("small--")} - known == set()  # bundles go by their own names


def in_row(call: str, line: str) -> bool:
    name = re.match(r"\| `([a-z ]+)`", line)
    return name is not None and call.startswith(name[1])
