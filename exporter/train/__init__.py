"""Graph to trainable TensorFlow model and back: the bridge, losses, the fit loop, Keras files."""
