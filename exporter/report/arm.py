"""What a file did on ARM, for the report."""

from collections.abc import Mapping
from typing import Any

from exporter.parity import decibels
from exporter.proving.begins import MOST_NAMED
from exporter.report.markdown import table

Facts = Mapping[str, Any]


def arm(m: Facts) -> str:
    """One row a core; empty where the file was not run on ARM."""
    entries = m.get("arm") or ()
    if not entries:
        return ""
    rows = [
        (e["cpu"] or "this computer's", f"{e['engine']} {e['version']}", *_worst(e["parity"]), *_worst(e["fidelity"]), _host(e["host"]))
        for e in entries
    ]
    head = ("core", "engine", "parity rel", "SQNR", "fidelity rel", "SQNR", "integers as on the host")
    runner = entries[0]["runner"]
    how = f"emulated by {runner['emulator'] or 'the Docker engine'}" if runner["cpu"] else "natively"
    said = f"{entries[0]['samples']} samples, {runner['platform']}, {how}, in a container from {runner['base']}."
    mended = next((e["repaired"] for e in entries if e.get("repaired")), None)
    parts = [f"## On ARM\n\n{said}", table(head, rows, range(2, 6))]
    if mended:
        parts.append(f"Repaired: {', '.join(mended['float32'])} are kept in float32. Before: {'; '.join(mended['before'])}.")
    return "\n\n".join(parts)


def _worst(found: Facts) -> tuple[str, str]:
    return f"{max(c['rel'] for c in found.values()):.1e}", decibels(min(c["sqnr_db"] for c in found.values()))


def _host(host: Facts | None) -> str:
    if host is None:
        return ""
    begins = ", ".join(b["layer"] for b in (host.get("begins") or ())[:MOST_NAMED])
    return "equal" if host["equal"] else f"{100 * host['differing']:.3g} % differ" + (f", from {begins} on" if begins else "")
