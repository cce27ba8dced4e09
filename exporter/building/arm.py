"""A build's proof on ARM: its file on emulated cores, before the bundle is in its place."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exporter.array import Array
from exporter.building.basis import Basis
from exporter.building.common import Common
from exporter.building.options import BuildOptions
from exporter.building.order import Order
from exporter.bundle import Bundle, Manifest, Reference
from exporter.child import Child
from exporter.devices.container import launchers
from exporter.devices.platforms import find_platform
from exporter.errors import EngineError, ParityError
from exporter.formats import Artifact
from exporter.place import DOCKER, HOST, require_kind
from exporter.proving.arm import on_arm
from exporter.proving.begins import Inside
from exporter.proving.layers import inside


def check_engine(given: BuildOptions, order: Order) -> None:
    """Refuse a place that an order's engine is not made for, before any work.

    Raises:
        EngineError: Says so.
    """
    place = require_kind(given.on, HOST, DOCKER, what="build")
    if not place.is_host:
        find_platform(place.name).require_engine(order.target.runtime)


def prove_on_arm(
    common: Common, order: Order, basis: Basis, *, artifact: Artifact, folder: Path, facts: Manifest, kept: Reference
) -> list[dict[str, Any]]:
    """What a file did on each core; nothing when no place but this computer is named.

    Raises:
        ParityError: If it leaves its reference there; names the layers.
        EngineError: If its engine crashes there.
    """
    place = require_kind(common.options.on, HOST, DOCKER, what="build")
    if place.is_host:
        return []

    def look(engine: Child, inputs: Mapping[str, Array]) -> Inside:
        return inside(common.graph, artifact, engine, inputs, written=basis.graph)

    cores = launchers(place.name, common.options.cpu, common.console.say)
    with common.console.stage(f"running {artifact.path.name} on {place}"):
        entries = on_arm(Bundle(folder, facts), kept, cores, look=look)
    bad = next((e for e in entries if not e["ok"]), None)
    if bad is not None:
        kind = EngineError if bad.get("crashed") else ParityError
        mend = "leave --on out, then `mexport verify OUT --on docker:arm64 --repair`" if bad.get("begins") else "verify it on other cores"
        raise kind(bad["verdict"], hint=mend if order.target.format == "ncnn" else "--precision fp32")
    return [{k: v for k, v in e.items() if k != "name"} for e in entries]
