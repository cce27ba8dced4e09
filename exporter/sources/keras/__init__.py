"""Keras models: `.keras` and `.h5` of Keras 3, `.h5` / `.hdf5` of Keras 2 (through tf_keras)."""

from exporter.sources.keras.lower import lower_model
from exporter.sources.keras.session import Session

__all__ = ["Session", "lower_model"]
