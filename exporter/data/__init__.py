"""Samples in, arrays out: picture folders, .npz, .npy, idx files, and a user's own function."""

from exporter.data.dataset import Dataset
from exporter.data.open import open_data
from exporter.data.spec import InputSpec
from exporter.data.synthetic import input_range_known, synthetic

__all__ = ["Dataset", "InputSpec", "input_range_known", "open_data", "synthetic"]
