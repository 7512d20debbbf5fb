"""What layers and models must do, as checks for tests of your own."""

from keras_infnet.testing.check_layer import check_layer

__all__ = ["check_layer"]
