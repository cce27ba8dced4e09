"""The same model in another opset."""

from typing import Any

import numpy as np

from exporter.array import Array
from exporter.errors import UsageError
from exporter.graph import OPSET

OPSETS = range(11, 24)
"""Opsets that may be asked for."""

_SMALL = 1024


def convert(proto: Any, weights: dict[str, Array], opset: int) -> tuple[Any, dict[str, Array]]:
    """A ModelProto without initializers, and its weights, in another opset; big weights never pass through onnx's converter.

    Raises:
        UsageError: If the opset is out of range, or the model uses what that opset does not have.
    """
    from onnx import checker, helper, numpy_helper, version_converter

    if opset not in OPSETS:
        raise UsageError(f"opset {opset} cannot be written, {OPSETS[0]} to {OPSETS[-1]} can", hint=f"leave it out for opset {OPSET}")
    small = {k: a for k, a in weights.items() if a.nbytes <= _SMALL}
    big = {k: a for k, a in weights.items() if k not in small}
    proto.graph.initializer.extend(numpy_helper.from_array(np.ascontiguousarray(a), k) for k, a in small.items())
    proto.graph.input.extend(helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for k, a in big.items())
    try:
        result = version_converter.convert_version(proto, opset)
        checker.check_model(result, full_check=True)
    except Exception as problem:
        first = str(problem).strip().splitlines()[0]
        raise UsageError(f"the model cannot be written in opset {opset}: {first}", hint=f"leave the opset out for {OPSET}") from problem
    converted = {t.name: numpy_helper.to_array(t) for t in result.graph.initializer}
    result.graph.ClearField("initializer")
    inputs = [v for v in result.graph.input if v.name not in big]
    del result.graph.input[:]
    result.graph.input.extend(inputs)
    return result, {**{k: a for k, a in converted.items() if k not in big}, **big}
