"""TensorFlow started without a word: what it prints of drivers it does not find is no concern of a user's."""

import os
import sys


def start_tensorflow() -> None:
    """Import it and let it find its devices, with standard error closed meanwhile; nothing where that was done already."""
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        import tensorflow as tf

        tf.config.list_logical_devices()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
