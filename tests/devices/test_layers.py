"""A trimmed program has what its layers make within themselves."""

from pathlib import Path

import pytest

from exporter.devices.layers import ALWAYS, closed, require_known
from exporter.errors import UsageError


def test_nothing_stands_for_all() -> None:
    assert closed([], "arm64-v8a") == ()


def test_layers_bring_what_they_make() -> None:
    got = closed(["deconvolutiondepthwise"], "arm64-v8a")
    assert set(got) == {"deconvolutiondepthwise", "deconvolution", "gemm", "crop", *ALWAYS}
    assert got == tuple(sorted(got))
    assert closed(got, "arm64-v8a") == got


def test_layers_bring_what_they_call_on_some_processors() -> None:
    assert "gemm" in closed(["convolutiondepthwise"], "x86_64")
    assert "gemm" not in closed(["convolutiondepthwise"], "arm64-v8a")


def test_an_unknown_layer_suggests_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "src/layer").mkdir(parents=True)
    (tmp_path / "src/layer/convolution.cpp").touch()
    require_known(tmp_path, ["convolution"])
    with pytest.raises(UsageError, match="unknown ncnn layer: convolutoin") as caught:
        require_known(tmp_path, ["convolutoin"])
    assert "convolution" in str(caught.value.hint)
