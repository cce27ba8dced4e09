"""The int8 sections of docs/benchmarks.md."""

from benchmarks.int8_cases import CASES
from benchmarks.int8_judge import FEW, lost, points, verdicts
from benchmarks.int8_peers import PEERS
from benchmarks.markdown import table
from benchmarks.ours import TARGETS
from benchmarks.results import Row, Rows

ACCURACY = """## int8: accuracy

Right answers lost to the float file, by int8 files that were all calibrated on the same samples, in the same preprocessing, each measured
in its engine: in points of top-1, up to 150 pictures in pictures; negative where int8 has more right. Calibration: 300 training pictures
spread evenly over the training set (MNIST, Fashion-MNIST, CIFAR-10, flowers); of ImageNet's 80 photos 40 calibrate and the other 40
measure; of the 1,000 keyword-spotting inputs, which come shuffled, the first 200 calibrate and the other 800 measure. TFLiteConverter:
`optimizations=[DEFAULT]` with a representative data set; ai-edge-quantizer: recipe `static_wi8_ai8` on TFLiteConverter's float file, of an
ONNX source on ours, the samples shuffled, for it averages over time; onnxruntime: `quant_pre_process` and `quantize_static` on tf2onnx's
file or the source; all else their defaults. The makers' own int8 files were calibrated by them on data of theirs. The float reference is
TFLiteConverter's float file, of an ONNX source the source in onnxruntime.

"""
SQNR = """
### int8: signal over noise

Outputs of the same files against the float file's, in dB, the worst output of each; the autoencoder on synthetic spectra, nets of faces,
persons and objects on the ImageNet photos. In brackets: the scores before a final softmax, centred, on up to 200 samples; ours
are cut off in some TFLite files where classes have no chance (docs/decisions/0030), which is far in scores and nothing in probabilities.
"float": a TFLite file with operators that compute in float.

"""
FIGURES = """
### int8: what is asked of our files

TFLite and ONNX: within the net's own limit (TFLite: no operator in float), no more lost than by the best of the three peers plus 0.2 points
(up to 150 pictures: one picture), for nets without labels at most 0.5 dB below the best peer; ncnn: within its limit.

"""
LATENCY = """## int8: latency

Our int8 file against a peer's int8 file or our own fp32 file: same engine, one thread, the same type at the ends (int8 against
ai-edge-quantizer, whose files have it, else float32), interleaved (200 pairs over 5 pairs of processes); medians in ms, ratio ours /
theirs with its 95 % bootstrap interval. Not slower: the interval is not wholly above 1.00 and the ratio is at most 1.05. Native times:
they say nothing of a phone. The kit's nets in onnx and ncnn were timed on a host without int8 dot product (VNNI), all else on one with it.
Intervals draw process pairs first (docs/decisions/0027). Two rows were measured again: vww_96 in onnx, as both files' times had jumped
threefold within the first run (1.21), and mobilenet_v1 in onnx (1.17 with another light layer in uint8). Weights whose products overflow
16-bit sums where there is no VNNI are uint8 in the light layers of our onnx files, right on every processor and slower where there is.
There, of the kit's nets against onnxruntime, kws takes 0.98 of its time, fdmobilenet 1.01, mobilenet_v1_0.25 1.02 (1.00 to 1.03) and
vww_96 1.02 (1.01 to 1.03).

"""
BUILD = """## int8: build time

From a calibrated Graph: the stages that quantize and write, best of five runs, in seconds; "no repair" measures nothing, the default picks
calibrators and repairs by measured error. Whole: wall time and peak resident memory of a default build on 300 pictures for three targets,
verification included (of the last target in the time only), with an empty store.

"""
COLUMNS = [*PEERS, "makers", *(f"ours {f}" for f in TARGETS)]
HEADS = [*PEERS, "makers", *(f"ours, {f}" for f in TARGETS)]
NOTHING, REFUSED = "–", "fails"


def accuracy(rows: Rows) -> str:
    """Losses, signal over noise, and what is asked of ours."""
    scored = [name for name, case in CASES.items() if case.scored and "right" in rows.get(f"{name} float", {})]
    losses = [_losses(name, rows) for name in scored]
    ratios = [[_short(name), *(_sqnr(rows.get(f"{name} {column}", {})) for column in COLUMNS)] for name in CASES if f"{name} float" in rows]
    return "".join(
        [
            ACCURACY, table(["model", "of", "float right", *HEADS], losses),
            SQNR, table(["model", *HEADS], ratios),
            FIGURES, _figures(rows),
        ]
    )  # fmt: skip


def _short(name: str) -> str:
    return f"`{name.split('/', 1)[1]}`"


def _losses(name: str, rows: Rows) -> list[str]:
    reference = rows[f"{name} float"]
    cells = [_lost(rows.get(f"{name} {column}", {}), reference) for column in COLUMNS]
    return [_short(name), str(reference["n"]), str(reference["right"]), *cells]


def _lost(row: Row, reference: Row) -> str:
    if "right" not in row:
        return REFUSED if "error" in row or row.get("peer", "").startswith("fails") else NOTHING
    return f"{lost(row, reference)} of {reference['n']}" if reference["n"] <= FEW else f"{points(row, reference):.2f}"


def _sqnr(row: Row) -> str:
    if "sqnr_db" not in row:
        return REFUSED if "error" in row or row.get("peer", "").startswith("fails") else NOTHING
    logits = f" ({row['logit_sqnr_db']:.1f})" if "logit_sqnr_db" in row else ""
    return f"{row['sqnr_db']:.1f}{logits}" + (" float" if row.get("float_ops") else "")


def _figures(rows: Rows) -> str:
    found = [v for name in CASES for v in verdicts(name, rows)]
    held, pending = sum(v.holds is True for v in found), sum(v.holds is None for v in found)
    lines = [
        [f"{_short(v.name)} {v.file_format}", v.figure, v.got.replace("|", "/"), {True: "yes", False: "no", None: "pending"}[v.holds]]
        for v in found
        if v.holds is not True
    ]
    told = f"{held} of {len(found)} figures hold, {pending} are pending.\n"
    if not lines:
        return told
    told += "Those that do not:\n\n"
    return told + table(["model, format", "asked", "got", "holds"], lines)


def latency(rows: Rows) -> str:
    """Ours against the peers and against our own fp32."""
    timed = {key: row for key, row in rows.items() if "ratio" in row}
    peers = [row for key, row in timed.items() if not key.endswith("fp32")]
    own = [row for key, row in timed.items() if key.endswith("fp32")]
    told = (
        f"Against peers {sum(r['not_slower'] for r in peers)} of {len(peers)} comparisons are not slower; "
        f"{sum(r['ratio'] < 1 for r in own)} of {len(own)} int8 files are faster than our fp32 file of the same net.\n\n"
    )
    heads = ["net, format, peer", "ours ms", "theirs ms", "ratio", "interval", "operators ours / theirs", "not slower"]
    return LATENCY + told + table(heads, [_latency_line(key, row) for key, row in rows.items()])


def _latency_line(key: str, row: Row) -> list[str]:
    if "ratio" not in row:
        return [key, "", (row.get("peer") or row.get("error", ""))[:120].replace("|", "/"), "", "", "", ""]
    times = [f"{row[name]:.2f}" for name in ("ours_ms", "theirs_ms", "ratio")]
    return [
        key,
        *times,
        f"{row['low']:.2f}–{row['high']:.2f}",
        f"{row['our_ops']} / {row['their_ops']}",
        "yes" if row["not_slower"] else "no",
    ]


def build(rows: Rows) -> str:
    """Seconds, and the memory of whole builds."""
    lines = [[key, *(_taken(row) if "error" not in row else (row["error"][:120].replace("|", "/"), ""))] for key, row in rows.items()]
    return BUILD + table(["net, what", "seconds", "peak MB"], lines)


def _taken(row: Row) -> tuple[str, str]:
    return f"{row['seconds']:.1f}", f"{row['peak_rss_bytes'] / 1e6:.0f}" if "peak_rss_bytes" in row else NOTHING
