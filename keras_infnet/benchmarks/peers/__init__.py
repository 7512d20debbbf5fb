"""Training with other libraries, on the same arrays."""

from keras_infnet.benchmarks.peers import stock_keras, torch_rechub

__all__ = ["stock_keras", "torch_rechub"]
