"""Loaders of simulated and public data sets."""

from keras_infnet.data.datasets import kuairand, synthetic
from keras_infnet.data.datasets.dataset import Dataset

__all__ = ["Dataset", "kuairand", "synthetic"]
