from exporter.doctor import PACKAGES
from tests.command import mexport


def test_targets_list_and_show():
    names = [t["name"] for t in mexport("targets", "list", "--json").facts["targets"]]
    assert names == ["ncnn-arm64", "ncnn-armv7", "onnx-arm64", "tflite-arm64", "tflite-armv7"]
    assert "ncnn-armv7" in mexport("targets", "list").out
    assert mexport("targets", "show", "ncnn-arm64", "--json").facts["abi"] == "arm64-v8a"
    assert "abi: arm64-v8a" in mexport("targets", "show", "ncnn-arm64").out


def test_targets_validate(tmp_path):
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text('format = "ncnn"\nabi = "arm64-v8a"\n')
    bad.write_text('format = "ncnn"\nabi = "arm64-v8a"\nthreds = 2\n')
    assert mexport("targets", "validate", good).out.strip() == "good: valid"
    ended = mexport("targets", "validate", good, bad)
    assert ended.code == 2
    assert "did you mean `threads`?" in ended.err


def test_cache_lists_and_empties(tmp_path, monkeypatch):
    from exporter.store import Store

    monkeypatch.setenv("MEXPORT_CACHE", str(tmp_path))
    assert "empty" in mexport("cache", "ls").out
    store = Store()
    with store.put("graph", store.key("graph", of="test")) as folder:
        (folder / "file").write_bytes(b"x" * 2048)
    entry = mexport("cache", "ls", "--json").facts["entries"][0]
    assert (entry["kind"], entry["bytes"]) == ("graph", 2048)
    assert mexport("cache", "gc", "--json").facts["bytes"] == 2048
    assert mexport("cache", "ls", "--json").facts["entries"] == []


def test_doctor_names_every_package_and_a_remedy_for_what_is_missing():
    ended = mexport("doctor", "--json")
    assert ended.code == 0
    findings = {f["name"]: f for f in ended.facts["findings"]}
    assert set(PACKAGES) <= set(findings)
    assert all(f["remedy"] for f in findings.values() if not f["ok"])
    assert "python" in mexport("doctor").out
