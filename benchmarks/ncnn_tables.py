"""The published rows that predictions are fitted to, from the kit: `python -m benchmarks.ncnn_tables` writes tables/benchncnn.json."""

import json
import os
import re
from pathlib import Path
from typing import Any

PLACE = Path(__file__).parent.parent / "tables/benchncnn.json"

NAMES: dict[int, tuple[str, ...]] = {
    15: ("snapdragon-855-plus", "sm8150-ac"),
    37: ("snapdragon-410", "msm8916"),
    43: ("raspberry-pi-3b-plus", "bcm2837b0"),
    45: ("raspberry-pi-4b", "bcm2711b0", "raspberry-pi-4"),
    47: ("raspberry-pi-5", "bcm2712"),
    52: ("raspberry-pi-zero-2w", "bcm2710a1", "raspberry-pi-zero-2"),
    64: ("rk3588-early",),
    69: ("station-m3", "rk3588s", "roc-rk3588s-pc"),
    78: ("rk3399", "rk3399-cortex-a72"),
    80: ("rk3399-little", "rk3399-cortex-a53"),
    97: ("eaidk-310", "rk3228h"),
    190: ("rk3588",),
    222: ("ax630c",),
    227: ("arduino-uno-q", "qrb2210"),
}
"""Run number in the published tables to the names that we give its device, the main one first."""

SOURCE = {
    "project": "ncnn", "repository": "https://github.com/Tencent/ncnn", "path": "benchmark/README.md",
    "licence": "BSD-3-Clause, Copyright (C) 2017 THL A29 Limited, a Tencent company",
    "statistic": "milliseconds: the least of benchncnn's timed loops, one thread, processor only",
}  # fmt: skip


def main() -> None:
    """Write the table."""
    kit = Path(os.environ["MEXPORT_KIT"])
    runs = json.loads((kit / "ncnn_benchmarks.json").read_text())
    tables = json.loads((kit / "ncnn_bench/tables.json").read_text())["tables"]
    fitted = [_device(t["core"], NAMES[t["index"]], runs[t["index"]]) for t in tables]
    known = {d["published_as"] for d in fitted}
    others = sorted({run["device"] for run in runs} - known, key=str.casefold)
    facts = {"source": SOURCE, "devices": sorted(fitted, key=lambda d: str(d["name"])), "without_core": {_slug(d): d for d in others}}
    PLACE.parent.mkdir(exist_ok=True)
    PLACE.write_text(_text(facts))


def _device(core: str, names: tuple[str, ...], run: dict[str, Any]) -> dict[str, Any]:
    least = {net: row[0] for net, row in sorted(run["rows"].items())}
    return {"name": names[0], "aliases": names[1:], "published_as": run["device"], "core": core, "ms": least}


def _slug(device: str) -> str:
    """A name from what is published: what stands before its first bracket or comma, without makers that go without saying."""
    short = re.split(r"[(,]|\[", device)[0].replace("+", " plus ")
    short = re.sub(r"^(NVIDIA|nVIDIA|Qualcomm( \w+[\w-]*)?(?= Snapdragon)|HUAWEI|Rockchip)\s+", "", short)
    return re.sub(r"[^a-z0-9]+", "-", short.casefold()).strip("-")


def _text(facts: dict[str, Any]) -> str:
    """JSON with one device a line."""
    devices = ",\n".join(f"  {json.dumps(d)}" for d in facts["devices"])
    others = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in facts["without_core"].items())
    source = json.dumps(facts["source"], indent=2)
    return f'{{\n"source": {source},\n"devices": [\n{devices}\n],\n"without_core": {{\n{others}\n}}\n}}\n'


if __name__ == "__main__":
    main()
