"""Preprocessing layers for pictures, and the layers that do nothing at inference."""

from exporter.sources.keras.builder import Builder
from exporter.sources.keras.call import Call, Handler
from exporter.sources.keras.shaping import cut, resize, spatial_axes
from exporter.sources.keras.tensor import RefusedError, Tensor

IDLE = (
    "Dropout", "SpatialDropout1D", "SpatialDropout2D", "AlphaDropout", "GaussianDropout", "GaussianNoise", "ActivityRegularization",
    "Identity", "FixedDropout", "RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast",
    "RandomBrightness", "RandomShear", "RandomSaturation", "RandomHue", "RandomColorJitter", "RandomColorDegeneration",
    "RandomGrayscale", "RandomErasing", "RandomPosterization", "RandomSharpness", "RandomGaussianBlur", "RandomInvert",
    "RandomPerspective", "RandomElasticTransform", "RandomHeight", "RandomWidth", "MixUp", "CutMix", "AugMix", "RandAugment",
)  # fmt: skip
"""Layers that are the identity outside training."""


def idle(b: Builder, call: Call) -> Tensor:
    """The input as it is."""
    return call.x


def _resizing(b: Builder, call: Call) -> Tensor:
    layer, x = call.layer, call.x
    for option in ("crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias"):
        if getattr(layer, option, False):
            raise RefusedError(f"`{option}`")
    return resize(b, x, (int(layer.height), int(layer.width)), layer.interpolation, spatial_axes(layer, x.rank))


def _center_crop(b: Builder, call: Call) -> Tensor:
    layer, x = call.layer, call.x
    axes = spatial_axes(layer, x.rank)
    ranges = {}
    for axis, wanted in zip(axes, (int(layer.height), int(layer.width)), strict=True):
        spare = x.dims[axis] - wanted
        if spare < 0:
            raise RefusedError(f"a crop of {wanted} out of {x.dims[axis]}, which needs a resize first")
        ranges[axis] = (spare // 2, spare // 2 + wanted, 1)
    return cut(b, x, ranges)


LAYERS: dict[str, Handler] = {**dict.fromkeys(IDLE, idle), "Resizing": _resizing, "CenterCrop": _center_crop, "RandomCrop": _center_crop}
"""Layer class name to its handler."""
