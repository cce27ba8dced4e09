"""How the static program's tools are found, and what a failure says; nothing is compiled here."""

import os
import shutil
from pathlib import Path

import pytest

from exporter.console import Console
from exporter.devices import fetch, native
from exporter.devices.abi import ABIS
from exporter.errors import ToolError
from exporter.store import Store
from tests.conftest import require

QUIET = Console(quiet=True)


def test_the_index_is_the_one_that_pip_is_set_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://packages.example/simple/")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://more.example/simple/")
    words = fetch._index_words()
    given = [words[i + 1] for i, word in enumerate(words) if word == "--index-url"]
    assert sorted(given) == ["https://more.example/simple/", "https://packages.example/simple/"], "settings in files are overruled"


def test_the_default_index_stays_where_settings_only_add_to_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    assert fetch._index_words() == []
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert fetch._index_words() == ["--find-link", str(tmp_path)]


def test_an_index_that_cannot_be_reached_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with Store(tmp_path) as store, pytest.raises(ToolError, match="pip install") as caught:
        fetch.fetch_tools(store)
    assert "package index" in str(caught.value.hint)
    assert not list(tmp_path.glob("tool/*")), "nothing half done stays"


def test_a_compiler_that_fails_is_told_with_its_last_lines(tmp_path: Path) -> None:
    cmake, make = shutil.which("cmake"), shutil.which("make")
    if cmake is None or make is None:
        require("cmake and make are not installed")
    broken = tmp_path / "zig"
    broken.write_text("#!/bin/sh\necho 'zig is out of order' >&2\nexit 1\n")
    broken.chmod(0o755)
    tools = fetch.Tools(broken, Path(str(cmake)), "Unix Makefiles", Path(str(make)))
    job = native._Job(ABIS["arm64-v8a"], (), tools, tmp_path, tmp_path / "build", tmp_path, "")
    with pytest.raises(ToolError, match="it last wrote") as caught:
        native._build(job, tmp_path, QUIET)
    assert caught.value.hint


def test_another_source_another_compiler_or_another_layer_is_another_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "tool" / "a"
    folder.mkdir(parents=True)
    facts = {"abi": "arm64-v8a", "layers": list(native.closed(["pooling"], "arm64-v8a")), "made_from": native._made_from(ABIS["arm64-v8a"])}
    (folder / "runner.json").write_text(native.json.dumps(facts))
    with Store(tmp_path) as store:
        assert native.find_runner(store, "arm64-v8a", ["pooling"]) is not None
        assert native.find_runner(store, "arm64-v8a", ["relu"]) is not None, "every program has it"
        assert native.find_runner(store, "arm64-v8a", ["softmax"]) is None
        assert native.find_runner(store, "arm64-v8a") is None, "all layers are asked for"
        assert native.find_runner(store, "armeabi-v7a", ["pooling"]) is None
        monkeypatch.setattr(native, "ZIG", "0.0.1")
        assert native.find_runner(store, "arm64-v8a", ["pooling"]) is None
