"""Python code that makes a model's inputs, the same way as they were made for its proof."""

from exporter.preprocessing import PAD_VALUE, crop_share
from exporter.report.markdown import numbers
from exporter.report.ports import End


def python_inputs(inputs: list[End]) -> str:
    """One variable `x0`, `x1`, ... for each input."""
    pictures = any(e.picture for e in inputs)
    lines = ["import numpy as np", *(["from PIL import Image"] if pictures else []), ""]
    for i, end in enumerate(inputs):
        lines += _picture(end, i) if end.picture else _values(end, i)
    return "\n".join(lines)


def _values(end: End, i: int) -> list[str]:
    lines = [f"x{i} = np.zeros({end.shape}, np.float32)  # your values for {end.source_name}"]
    if end.prep is not None and (end.prep["mean"], end.prep["std"]) != ([0.0], [1.0]):
        lines.append(f"x{i} = (x{i} - np.float32({end.prep['mean']})) / np.float32({end.prep['std']})")
    return lines + _quantize(end, i)


def _picture(end: End, i: int) -> list[str]:
    assert end.prep is not None
    assert end.picture is not None
    height, width, channels = end.picture
    lines = [f'picture = Image.open("picture.jpg").convert("{"L" if channels == 1 else "RGB"}")', *_fit(end.prep["resize"], height, width)]
    lines.append(f"x{i} = np.asarray(picture, np.float32).reshape({height}, {width}, {channels})")
    if end.prep["color"] == "bgr":
        lines.append(f"x{i} = x{i}[..., ::-1]")
    mean, std = numbers(end.spread("mean")), numbers(end.spread("std"))
    lines.append(f"x{i} = (x{i} - np.float32([{mean}])) / np.float32([{std}])")
    if end.channels_first:
        lines.append(f"x{i} = x{i}.transpose(2, 0, 1)")
    return [*lines, f"x{i} = np.ascontiguousarray(x{i}, np.float32).reshape({end.shape})", *_quantize(end, i)]


def _quantize(end: End, i: int) -> list[str]:
    if end.scale is None:
        return []
    limits = f"np.iinfo(np.{end.dtype}).min, np.iinfo(np.{end.dtype}).max"
    return [f"x{i} = np.clip(np.round(x{i} / {end.scale:.9g}) + {end.zero_point}, {limits}).astype(np.{end.dtype})"]


def _fit(resize: str, height: int, width: int) -> list[str]:
    scaled = f"picture = picture.resize(({width}, {height}), Image.Resampling.BILINEAR)"
    share = crop_share(resize)
    if share is not None:
        return [
            f"side = max(1, round(min(picture.size) * {share:g}))",
            "left, top = (picture.width - side) // 2, (picture.height - side) // 2",
            "picture = picture.crop((left, top, left + side, top + side))",
            scaled,
        ]
    return _letterbox(height, width) if resize == "letterbox" else [scaled]


def _letterbox(height: int, width: int) -> list[str]:
    return [
        f"scale = min({width} / picture.width, {height} / picture.height)",
        "size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))",
        f'canvas = Image.new(picture.mode, ({width}, {height}), "#{PAD_VALUE:02x}{PAD_VALUE:02x}{PAD_VALUE:02x}")',
        "inner = picture.resize(size, Image.Resampling.BILINEAR)",
        f"canvas.paste(inner, (({width} - size[0]) // 2, ({height} - size[1]) // 2))",
        "picture = canvas",
    ]
