"""Which precision a target's file gets, and whether the words about int8 fit it."""

from dataclasses import replace

from exporter.building.common import Common
from exporter.building.inherited import fitting
from exporter.building.options import CALIBRATED, QUANTIZED, BuildOptions
from exporter.errors import DataError, UsageError, unknown_name
from exporter.formats import load_writer
from exporter.parity import Limits
from exporter.quantization.calibrators import CALIBRATORS
from exporter.quantization.settings import AUTO, REPAIRS, QuantizeSettings
from exporter.target import IO_DTYPES, PRECISIONS, Target

GUARD_DB = 6.0
"""Signal over noise against the float Graph below which a net has collapsed; a healthy MobileNet's int8 logits have 13 dB."""

IMPLIED = "precision int8, as calibration data were given and no precision"

TRAIN_HINT = "--train DATA: the pictures it was trained on, in class folders, or flat to learn from the float model alone"

DATA_HINT = "--calibration DATA: some hundreds of the pictures it was trained on, never the ones it is tested on"


def settle(common: Common, target: Target) -> str:
    """The precision: the flag's, else int8 with calibration data or where the source has its own, else the target's.

    Raises:
        UsageError: For a precision that nobody or this format does not have.
        DataError: If int8 is asked without data to calibrate with.
    """
    given = common.options
    precision = given.precision or _unsaid(common, target)
    if precision not in PRECISIONS:
        raise unknown_name("precision", precision, PRECISIONS)
    known = load_writer(target.format).PRECISIONS
    if precision not in known:
        raise UsageError(f"{target.format} files cannot be written at {precision}", hint=f"--precision {' | '.join(known)}")
    if precision in CALIBRATED and given.calibration is None and not common.quantized_source:
        raise DataError(f"{precision} needs data to calibrate with, and none were given", hint=DATA_HINT)
    if precision not in CALIBRATED and given.calibration is not None:
        raise UsageError(f"--calibration is for int8 and mixed files, this one is {precision}", hint="leave --calibration out")
    check_words(given, precision)
    return precision


def _unsaid(common: Common, target: Target) -> str:
    if common.options.calibration is not None:
        common.remark(IMPLIED)
        return "int8"
    if common.quantized_source and (target.format == "onnx" or fitting(common, target.format) is not None):
        return "int8"
    return target.precision


def check_words(given: BuildOptions, precision: str) -> None:
    """Whether the flags about int8 are known and have something to be about.

    Raises:
        UsageError: Names the first that is not.
    """
    for kind, word, known in (("repair", given.repair, REPAIRS), ("calibrator", given.calibrator, (AUTO, *CALIBRATORS))):
        if word not in known:
            raise unknown_name(kind, word, known)
    said = {
        "--calibrator": given.calibrator != AUTO, "--repair": given.repair != "default", "--keep-float": bool(given.keep_float),
        "--accept-calibration": given.accept_calibration, "--qat": given.qat is not None,
    }  # fmt: skip
    idle = [flag for flag, spoken in said.items() if spoken and given.calibration is None]
    idle += ["--min-sqnr-db"] if given.min_sqnr_db is not None and precision not in QUANTIZED else []
    if not idle:
        _check_training(given)
        return
    hint = f"leave {idle[0]} out, or add --calibration DATA"
    if precision in CALIBRATED:
        raise UsageError(f"{idle[0]} is for ranges from calibration data, and those of the quantized source are kept", hint=hint)
    raise UsageError(f"{idle[0]} is for int8 files, this one is {precision}", hint=hint)


def _check_training(given: BuildOptions) -> None:
    if given.qat is not None and given.train is None:
        raise UsageError("--qat trains the model, and there is nothing to train it with", hint=TRAIN_HINT)
    if given.qat is not None and not given.qat > 0:
        raise UsageError(f"--qat {given.qat:g}: minutes must be above 0", hint="--qat 10 trains for ten minutes")


def settle_io(given: BuildOptions, target: Target, precision: str) -> str:
    """Type of the file's inputs and outputs.

    Raises:
        UsageError: For a type that nobody has, or one that the file cannot have.
    """
    io = given.io or (target.io.dtype if precision in CALIBRATED else "float32")
    if io not in IO_DTYPES:
        raise unknown_name("type of inputs and outputs", io, IO_DTYPES)
    if io != "float32" and precision not in CALIBRATED:
        raise UsageError(f"--io {io} is for int8 files, this one is {precision}", hint="leave --io out")
    if io != "float32" and target.format == "ncnn":
        raise UsageError(f"--io {io} for {target.name}: inputs and outputs of ncnn files are float32", hint="leave --io out")
    return io


def settings(given: BuildOptions, target: Target, precision: str) -> QuantizeSettings | None:
    """What is asked of the quantization; None where no ranges are looked for. The target's limits drive a mixed precision."""
    if precision not in CALIBRATED or given.calibration is None:
        return None
    asked = QuantizeSettings(given.calibrator, given.repair, precision, seed=given.seed, keep_float=frozenset(given.keep_float))
    if precision != "mixed":
        return asked
    return replace(asked, min_sqnr_db=target.quantization.min_sqnr_db.get(precision), top1_drop=target.limits.top1_drop)


def limited(target: Target, given: BuildOptions, precision: str) -> Target:
    """The target with the limits that flags set in place of its own."""
    if given.top1_drop is not None:
        target = replace(target, limits=replace(target.limits, top1_drop=given.top1_drop))
    if given.min_sqnr_db is not None:
        asked = {**target.quantization.min_sqnr_db, precision: given.min_sqnr_db}
        target = replace(target, quantization=replace(target.quantization, min_sqnr_db=asked))
    return target


def guard(target: Target, precision: str) -> Limits:
    """What a quantized Graph must hold against the float one; mixed and weights alone are held to int8's where nothing else is said."""
    asked = target.quantization.min_sqnr_db
    return Limits(target.quantization.max_rel.get(precision), asked.get(precision, asked.get("int8", GUARD_DB)))
