"""One small Graph for every lowering rule, in normal form: name to (ONNX text, arrays)."""

from tests.formats.tflite.cases.axes import AXES, FUSED, RESIZES, SEQUENCE
from tests.formats.tflite.cases.case import Case
from tests.formats.tflite.cases.pointwise import POINTWISE
from tests.formats.tflite.cases.shapes import RESHAPES
from tests.formats.tflite.cases.windows import WINDOWS

CASES: dict[str, Case] = {**WINDOWS, **POINTWISE, **SEQUENCE, **RESHAPES, **AXES, **RESIZES, **FUSED}
