"""Options that an engine is run with, here and on the phone: what stands as `runtime_options` in the manifest."""

from typing import Any

NCNN_HALF = ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic")

FLOAT_ERROR = 5e-6
"""Of a layer's output, relative: float32 sums of products that largely cancel, a scale from a product of two."""

RECIPROCAL_ERROR = 1.5 * 2.0**-12
"""Of x86's `rcpps` instruction, relative, as its makers give it."""


def depthwise_error(runtime: str) -> float:
    """Relative error of an int8 depthwise layer's scale in an engine.

    ncnn divides by `rcpps` on x86 where channels are a multiple of 8 (layer/x86/convolutiondepthwise_x86.cpp); exactly on ARM.
    """
    return RECIPROCAL_ERROR if runtime == "ncnn" else FLOAT_ERROR


def runtime_options(runtime: str, precision: str) -> dict[str, Any]:
    """The options of an engine at a precision: what runs, not only what is stored.

    ncnn computes in half precision by default, where the processor can, even from a float32 file: fp32 means that off. Below fp32 it is
    on, as by ncnn's own default: what an int8 file computes in floats is far coarser already.
    """
    if runtime != "ncnn":
        return {}
    half = precision != "fp32"
    return {**dict.fromkeys(NCNN_HALF, half), "use_bf16_storage": False, "use_packing_layout": True, "use_int8_inference": True}
