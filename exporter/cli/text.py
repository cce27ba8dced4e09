"""Results as text: plain tables that read the same on a screen, in a file and in a log."""

from collections.abc import Mapping, Sequence
from typing import Any

KIB = 1024


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns under their heads; numbers to the right."""
    cells = [[str(c) for c in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(head), *cells]) for i in range(len(head))]
    right = [bool(rows) and all(_numeric(row[i]) for row in cells) for i in range(len(head))]
    return "\n".join("  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, right, strict=True)).rstrip()
                     for line in [list(head), *cells])  # fmt: skip


def size(count: int) -> str:
    """Bytes in words, e.g. "3.4 MiB"."""
    amount, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < KIB or unit == "GiB":
            break
        amount /= KIB
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"


def facts_text(facts: Mapping[str, Any], indent: str = "") -> str:
    """Names and values, one a line; nested ones indented."""
    lines = []
    for name, value in facts.items():
        if isinstance(value, Mapping):
            lines += [f"{indent}{name}:", facts_text(value, indent + "  ")] if value else []
        elif value is not None:
            lines.append(f"{indent}{name}: {value}")
    return "\n".join(lines)


def doctor_text(findings: Sequence[Mapping[str, Any]]) -> str:
    """What `doctor` found, remedies below the table."""
    marks = {(True, True): "ok", (True, False): "ok", (False, True): "MISSING", (False, False): "absent"}
    rows = [(marks[f["ok"], f["required"]], f["name"], f["found"], f["needed_for"]) for f in findings]
    remedies = [f"{f['name']}: {f['remedy']}" for f in findings if f["remedy"]]
    return "\n".join([table(("", "what", "found", "needed for"), rows), *remedies])


def accuracy_text(results: Sequence[Mapping[str, Any]]) -> str:
    """One row a model, and a core where it ran elsewhere."""
    rows: list[tuple[str, ...]] = []
    away = any("on" in r for r in results)
    for r in results:
        five = "" if r["top5"] is None else f"{100 * r['top5']:.2f} %"
        there = (f"{r['on']} {r['cpu'] or ''}".strip(),) if away else ()
        rows.append((r["name"], f"{100 * r['top1']:.2f} %", five, f"{r['right']}/{r['n']}", r["engine"], *there))
    return table(("model", "top-1", "top-5", "right", "engine", *(["on"] if away else [])), rows)


def bench_text(facts: Mapping[str, Any]) -> str:
    """Statistics a file in ms, then each comparison in a sentence."""
    names = ("min", "p10", "median", "p90", "mean", "mean_2_20", "load", "first", "fps")
    rows = [(r["name"], *(f"{r['statistics'][n]:.3f}" if n in r["statistics"] else "" for n in names), _mib(r)) for r in facts["results"]]
    where = facts["host"] or f"{facts['on']}, {facts['cores']} cores"
    head = f"{where}, {facts['threads']} thread(s), {facts['runs']} runs; milliseconds, peak memory in MiB"
    lines = [head, table(("file", *names, "peak"), rows)]
    lines += [_on_the_phone(r) for r in facts["results"] if "equal" in r]
    lines += sorted({r["note"] for r in facts["results"] if "note" in r})
    for c in facts["comparisons"]:
        verdict = "not slower" if c["not_slower"] else "slower"
        lines.append(f"{c['b']} / {c['a']}: {c['ratio']:.3f} [{c['low']:.3f}, {c['high']:.3f}], {len(c['a_ms'])} pairs: {verdict}")
    return "\n".join(lines)


def _on_the_phone(result: Mapping[str, Any]) -> str:
    """What a bundle's outputs there are like."""
    worst = max(p["rel"] for p in result["parity"].values())
    return f"{result['name']}: its outputs there {'are within' if result['equal'] else 'break'} its limits, rel {worst:.1e}"


def _mib(result: Mapping[str, Any]) -> str:
    """Peak memory, where it was measured."""
    return "" if result["peak_rss_bytes"] is None else f"{result['peak_rss_bytes'] / KIB**2:.0f}"


def plan_text(facts: Mapping[str, Any]) -> str:
    """The source, then each target's settings, passes and problems."""
    lines = [facts_text({"source": facts["source"]})]
    for t in facts["targets"]:
        lines += ["", facts_text({t["target"]: {k: v for k, v in t.items() if k not in ("target", "problems", "passes")}})]
        lines += [f"  {p['pass']}: {pass_words(p['settings'])}" for p in t["passes"]]
        lines += [problem_line(p) for p in t["problems"]]
    lines += [f"note: {note}" for note in facts["notes"]]
    return "\n".join(lines)


def pass_words(settings: Mapping[str, Any]) -> str:
    """What an exact pass changed, or what a compression pass is told."""
    if "changes" in settings:
        return changes(settings["changes"])
    return ", ".join(f"{name} = {value}" for name, value in settings.items() if value is not None and value != ())


def changes(counts: Mapping[str, int]) -> str:
    """Passes and how many changes each made."""
    return ", ".join(f"{name} {n}" for name, n in counts.items()) or "nothing to do"


def problem_line(problem: Mapping[str, Any]) -> str:
    """One layer that a format cannot express or that is slow there."""
    return f"  {'UNSUPPORTED' if problem['fatal'] else 'slow'}: {problem['layer']} ({problem['op']}): {problem['reason']}"


def inspection_text(facts: Mapping[str, Any]) -> str:
    """Layers, totals, then what each format makes of the model."""
    lines = [facts_text({k: facts[k] for k in ("name", "source", "inputs", "outputs") if k in facts})]
    if facts.get("layers"):
        rows = [(c["name"], c["op"], shape(c["shape_in"]), shape(c["shape_out"]), c["params"], c["macs"], c["mac_elements"], c["bytes"])
                for c in facts["layers"]]  # fmt: skip
        lines += ["", table(("layer", "op", "in", "out", "params", "MACs", "memory access", "bytes"), rows)]
    if "totals" in facts:
        lines += ["", facts_text({"totals": facts["totals"]})]
    for name, problems in facts.get("formats", {}).items():
        lines += [f"{name}: {'all on the fast path' if not problems else ''}".rstrip(), *map(problem_line, problems)]
    return "\n".join(lines)


def shape(dims: Any) -> str:
    """E.g. 1x3x224x224."""
    return "x".join(str(d) for d in dims) if dims is not None else "?"


def verify_text(facts: Mapping[str, Any]) -> str:
    """One block a bundle."""
    lines = []
    for b in facts["bundles"]:
        lines.append(f"{b['name']}{_place(b)}: {b['verdict']}")
        if b.get("repaired"):
            lines += [f"  was: {verdict}" for verdict in b["repaired"]["before"]]
            lines.append(f"  repaired: {', '.join(b['repaired']['float32'])} and the layers that make or read them in float32")
        if b.get("host"):
            lines.append(f"  {_equality(b['host'])}")
        for kind in ("parity", "fidelity"):
            lines += [f"  {kind} {name}: {comparison(c)}" for name, c in b.get(kind, {}).items()]
        if b.get("layers") and "real" not in b["layers"][0]:  # those stand in the view below
            rows = [(c["layer"], c["op"], f"{c['rel']:.1e}", f"{c['sqnr_db']:.1f}", f"{c['cosine']:.6f}") for c in b["layers"]]
            lines.append(table(("layer", "op", "rel", "SQNR dB", "cosine"), rows))
        if b.get("first_divergence"):
            lines.append(f"  first layer that differs: {b['first_divergence']}")
    if facts.get("view"):
        lines.append(view_text(facts["view"]))
    return "\n".join(lines)


def _place(b: Mapping[str, Any]) -> str:
    """Where a bundle ran, unless that was this computer."""
    if "on" not in b:
        return ""
    words = [b["cpu"] or "", f"{b['engine']} {b['version']}" if "engine" in b else ""]
    return f" on {b['on']} ({', '.join(filter(None, words))})"


def _equality(host: Mapping[str, Any]) -> str:
    from exporter.proving.arm import UNTOLD
    from exporter.proving.begins import named

    if host["equal"]:
        return "equal to this computer's outputs, bit for bit"
    steps = f", by up to {host['steps']} step{'s' * (host['steps'] != 1)}" if host["steps"] is not None else ""
    told = f"it begins in {named(host['begins'])}" if host["begins"] else "no layer that can be looked into differs"
    begins = UNTOLD if host["begins"] is None else told
    return f"{100 * host['differing']:.3g} % of the outputs differ from this computer's{steps}; {begins}"


def view_text(view: Sequence[Mapping[str, Any]]) -> str:
    """Rounded layers of all bundles: signal over noise against float, then range seen and ranges used."""
    names = list(dict.fromkeys(name for row in view for name in row["bundles"]))
    short = [name.rpartition("--")[2] for name in names]
    heads = short if len(set(short)) == len(names) else names
    noise = [(r["value"], r["op"], *(f"{r['bundles'][n]['sqnr_db']:.1f}" if n in r["bundles"] else "" for n in names)) for r in view]
    ranges = []
    for r in view:
        known = {n: entry["range"] for n, entry in r["bundles"].items() if entry["range"]}
        if known:
            ranges.append((r["value"], span(next(iter(known.values()))["seen"]), *(_used(known[n]) if n in known else "" for n in names)))
    return "\n".join(["SQNR against float, dB", table(("value", "op", *heads), noise), "", "range used, calibrator, share cut off",
                      table(("value", "seen", *heads), ranges)])  # fmt: skip


def span(ends: Sequence[float] | None) -> str:
    """A range, e.g. -1.25..6; empty where it is not known."""
    return "" if ends is None else f"{ends[0]:.3g}..{ends[1]:.3g}"


def _used(found: Mapping[str, Any]) -> str:
    cut = "" if found["saturated"] is None else f" {100 * found['saturated']:.2g} %"
    return f"{span(found['used'])} {found['calibrator']}{cut}"


def comparison(c: Mapping[str, Any]) -> str:
    """The figures of one output in a line."""
    from exporter.parity import decibels

    top = "" if c["top1_agreement"] is None else f", top-1 agreement {100 * c['top1_agreement']:.1f} %"
    return f"max abs {c['max_abs']:.2e}, rel {c['rel']:.2e}, SQNR {decibels(c['sqnr_db'])}, cosine {c['cosine']:.7f}{top}"


def _numeric(text: str) -> bool:
    return text == "" or text.replace(".", "", 1).replace("e-", "", 1).isdigit()


def app_text(report: Mapping[str, Any]) -> str:
    """What the app measured and checked on a phone; figures that do not count say why."""
    device = report["device"]
    lines = [f"{device['maker']} {device['model']}, Android {device['android']}, {device['soc']}; milliseconds, peak memory in MiB"]
    names = ("median", "p10", "p90", "mean", "fps", "load")
    rows = [
        (
            r["name"],
            r["engine"],
            *(f"{r['statistics'][n]:.3f}" for n in names),
            f"{r['peak_rss_bytes'] / KIB**2:.0f}",
            ", ".join(r["reasons"]),
        )
        for r in report["results"]
        if r["statistics"]
    ]
    lines += [table(("model", "engine", *names, "peak", "does not count"), rows)] if rows else []
    lines += [f"{r['name']}: {r['error']}" for r in report["results"] if r["error"]]
    for c in report["checks"]:
        said = c["error"] or f"rel {c['rel']:.1e}, {c['sqnr_db']:.0f} dB, {c['samples']} samples"
        lines.append(f"{c['name']}: outputs {'right' if c['passed'] else 'WRONG'}: {said}")
    return "\n".join(lines)
