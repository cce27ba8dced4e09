"""What is no model, or none that we export: refused by name, with the way on."""

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest

from exporter.errors import MexportError, SourceError, UsageError
from exporter.sources.onnx import load
from exporter.sources.open import LoadOptions, open_source
from tests.sources.torch_graphs import W, model

GOOD = model("g (float[N,30] x) => (float[N,40] y) { y = MatMul(x,w) }", {"w": W(30, 40)}).SerializeToString()

FILES: dict[str, tuple[bytes, str, str]] = {
    "empty.onnx": (b"", "empty", "again"),
    "lfs.onnx": (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n", "git-lfs", "git lfs pull"),
    "page.onnx": (b"\n<!DOCTYPE html><html>", "web page", "raw"),
    "m.tflite": (b"\x1c\0\0\0TFL3" + bytes(64), "TFLite", "made from"),
    "m.param": (b"7767517\n3 3\n", "ncnn", "made from"),
    "m.pth": (pickle.dumps({"a": 1}), "pickle", "torch.onnx.export"),
    "cut.onnx": (GOOD[: len(GOOD) // 2], "truncated", "again"),
    "noise.onnx": (bytes(range(7, 256)) * 9, "first bytes", "again"),
    "inner.onnx": (GOOD[:40] + b"\xff" * 20 + GOOD[60:], "damaged", "again"),
    "frozen.pb": (b"\x0a\x2d\x0a\x05input\x12\x0bPlaceholder" + bytes(40), "frozen", "tf2onnx"),
    "saved_model.pb": (b"\x08\x01\x12\x00", "SavedModel", "folder"),
    "bad.keras": (b"PK\x03\x04" + bytes(50), "zip", "again"),
    "what.xyz": (b"\x01\x02\x03 something else", "no model", ".onnx"),
    "m.npy": (b"\x93NUMPY\x01\x00", "numpy", "give"),
    "m.json": (b'{"class_name": "Functional"}', "JSON", "weights"),
}


@pytest.mark.parametrize("name", FILES)
def test_file(name: str, tmp_path: Path) -> None:
    content, told, hint = FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError) as caught, open_source(tmp_path / name) as source:
        source.load()
    assert told in caught.value.message
    assert hint in (caught.value.hint or "")


def test_archives(tmp_path: Path) -> None:
    for inside, told in (("m/data.pkl", "PyTorch"), ("m/constants.pkl", "TorchScript"), ("a.npy", "numpy"), ("b/c.onnx", "c.onnx")):
        with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
            archive.writestr(inside, b"x")
        with pytest.raises(SourceError) as caught:
            open_source(tmp_path / "m.zip")
        assert told in f"{caught.value.message} {caught.value.hint}"


def test_missing_path_names_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(GOOD)
    with pytest.raises(SourceError, match="no such model") as caught:
        open_source(tmp_path / "nett.onnx")
    assert "net.onnx" in (caught.value.hint or "")


def test_folders(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no SavedModel"):
        open_source(tmp_path)
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "saved_model.pb").write_bytes(b"x")
    with pytest.raises(SourceError) as caught:
        open_source(tmp_path)
    assert str(tmp_path / "inner") in (caught.value.hint or "")


GRAPHS: dict[str, tuple[onnx.ModelProto, str, str]] = {
    "all at once": (
        model(
            """g (float[N,3] x) => (float[N,5,4] y) { e = Unsqueeze(x,ax)\n a,b = LSTM<hidden_size=4>(e,w,r)
               q,s,z = DynamicQuantizeLinear(a)
               y = DequantizeLinear(q,s,z) }""",
            {"ax": np.array([1]), "w": W(1, 16, 3), "r": W(1, 16, 4)},
        ),
        "LSTM.*DynamicQuantizeLinear.*DequantizeLinear",
        "--outputs e",
    ),
    "nms": (
        model(
            """g (float[1,3,8,8] x) => (int64[k,3] sel, float[1,4,8,8] aux) { c = Conv<kernel_shape=[1,1]>(x,w)\n aux = Relu(c)
               fl = Reshape(c,s)\n bx = Transpose<perm=[0,2,1]>(fl)\n sc = ReduceMax<axes=[1]>(fl)\n sel = NonMaxSuppression(bx,sc) }""",
            {"w": W(4, 3, 1, 1), "s": np.array([1, 4, 64])},
        ),
        "NonMaxSuppression",
        "--outputs bx,sc,aux",
    ),
    "training": (model("g (float[N,3] x) => (float[N,3] y) { tr = Constant<value=bool {1}>()\n y = Dropout(x,,tr) }"), "training mode", ""),
    "embedding": (model("g (int64[N,3] x) => (float[N,3,2] y) { y = Gather<axis=0>(w,x) }", {"w": W(5, 2)}), "integers", "--inputs"),
    "mixed rows": (
        model("g (float[N,3] x) => (float[N,3] y) { m = ReduceMean<axes=[0],keepdims=1>(x)\n y = Sub(x,m) }"),
        "value y mixes the samples",
        "--outputs",
    ),
    "divided by the batch": (
        model("g (float[N,3] x) => (float[N,3] y) { s = Size(x)\n f = Cast<to=1>(s)\n y = Div(x,f) }"),
        "depends on the batch size",
        "--outputs",
    ),
    "old": (model("g (float[N,3] x) => (float[N,3] y) { y = Relu(x) }", opset=6), "operator set 6", "version_converter"),
    "constant": (
        model("g (float[N,3] x) => (float[N,3] y, float[3] k) { y = Relu(x)\n k = Identity(w) }", {"w": W(3)}),
        "same for every",
        "--outputs",
    ),
    "open axes": (model("g (float[N,3,h,w_] x) => (float[N,3,h,w_] y) { y = Relu(x) }"), r"x \(\?, 3, \?, \?\)", "x=1,3,224,224"),
    "single number": (
        model("g (float[N,3] x, int64 sr) => (float[N,3] y) { f = Cast<to=1>(sr)\n y = Mul(x,f) }"),
        r"input sr is a single number \(int64\)",
        "numpy.array(VALUE, 'int64'), 'sr')",
    ),
    "computed weights": (
        model("g (float[1,2,4,4] x) => (float[1,1,4,4] y) { w = GlobalAveragePool(x) y = Conv(x,w) }"),
        r"y \(Conv\): its weights are computed",
        "--outputs w",
    ),
    "mask of a dropout": (model("g (float[N,3] x) => (float[N,3] y, bool[N,3] m) { y,m = Dropout(x) }"), "its mask is used", ""),
    "newer operator": (
        model("g (float[N,4,8] x) => (float[N,4,8] y) { y = Attention<q_num_heads=2,kv_num_heads=2>(x,x,x) }", opset=23, ir=11),
        r"y \(Attention\): an operator of a newer set than 20",
        "",
    ),
    "recurrent state": (
        model(
            """g (float[batch,5,3] x, float[1,batch,4] h) => (float[batch,5,4] y) { t = Transpose<perm=[1,0,2]>(x)
               a,b = GRU<hidden_size=4>(t,w,r,,,h)\n s = Squeeze(a,ax)\n y = Transpose<perm=[1,0,2]>(s) }""",
            {"ax": np.array([1]), "w": W(1, 12, 3), "r": W(1, 12, 4)},
        ),
        r"h \(1, batch, 4\) has the batch on axis 1; the model holds recurrent layers \(GRU\)",
        "--outputs A,B",
    ),
    "left by tf2onnx": (
        model("g (float[N,3] x) => (float[M,3] y) { y = StatefulPartitionedCall(x,w) }", {"w": W(3)}),
        r"y \(StatefulPartitionedCall\): a TensorFlow function",
        "run_functions_eagerly",
    ),
    "no operator": (model("g (float[N,3] x) => (float[M,3] y) { y = Frobnicate(x) }"), r"y \(Frobnicate\): ONNX has no such", ""),
    "misfit": (model("g (float[N,3] x) => (float[N,3] y) { y = MatMul(x,w) }", {"w": W(4, 3)}), r"node y \(MatMul\)", "--input-shape"),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_graph(name: str, tmp_path: Path) -> None:
    proto, told, hint = GRAPHS[name]
    onnx.save(proto, tmp_path / "m.onnx")
    with pytest.raises(SourceError, match=told) as caught:
        load(tmp_path / "m.onnx", LoadOptions(), "m")
    assert hint in (caught.value.hint or "")


def test_single_number_made_a_constant(tmp_path: Path) -> None:
    """What the refusal of such an input tells to do."""
    proto = onnx.ModelProto()
    proto.CopyFrom(GRAPHS["single number"][0])
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.array(16, "int64"), "sr"))
    onnx.save(proto, tmp_path / "m.onnx")
    with open_source(tmp_path / "m.onnx") as source:
        assert [p.name for p in source.load().inputs] == ["x"]
        assert source.reference({"x": np.ones((2, 3), np.float32)})["y"].tolist() == [[16.0] * 3] * 2


def test_refused_part_cut_off(tmp_path: Path) -> None:
    onnx.save(GRAPHS["nms"][0], tmp_path / "m.onnx")
    graph = load(tmp_path / "m.onnx", LoadOptions(outputs=("bx", "sc")), "m")
    assert [p.name for p in graph.outputs] == ["bx", "sc"]


def test_wrong_names_and_shapes(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(GOOD)
    tries: list[tuple[LoadOptions, type[MexportError], str]] = [
        (LoadOptions(outputs=("yy",)), UsageError, "unknown value"),
        (LoadOptions(inputs=("zz",)), UsageError, "unknown value"),
        (LoadOptions(input_shapes={"z": (1, 30)}), UsageError, "unknown input"),
        (LoadOptions(input_shapes={None: (1, 31)}), SourceError, "does not fit"),
    ]
    for options, kind, told in tries:
        with pytest.raises(kind, match=told):
            load(tmp_path / "m.onnx", options, "m")


def test_signature_of_what_has_none(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(GOOD)
    with pytest.raises(UsageError, match=r"--signature a: m\.onnx is no SavedModel"):
        open_source(tmp_path / "m.onnx", LoadOptions(signature="a"))


def test_weight_files(tmp_path: Path) -> None:
    path, weights = tmp_path / "m.onnx", tmp_path / "m.bin"
    proto = model("g (float[N,300] x) => (float[N,40] y) { y = MatMul(x,w) }", {"w": W(300, 40)})
    onnx.save(proto, path, save_as_external_data=True, location="m.bin")
    os.truncate(weights, 1000)
    with pytest.raises(SourceError, match=r"m\.bin is too short: 1000 bytes, 48000 needed"):
        load(path, LoadOptions(), "m")
    weights.unlink()
    with pytest.raises(SourceError, match=r"m\.bin is missing"):
        load(path, LoadOptions(), "m")
    weights.symlink_to("/etc/hostname")
    with pytest.raises(SourceError, match="out of the model's folder"):
        load(path, LoadOptions(), "m")
