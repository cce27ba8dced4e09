"""TensorFlow SavedModels: through their Keras layers where they have them, else from the serving signature by tf2onnx."""

from exporter.sources.saved_model.session import Session

__all__ = ["Session"]
