"""Graph to a real Keras 3 model of standard layers, which loads without this package."""
