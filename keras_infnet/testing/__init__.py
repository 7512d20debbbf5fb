"""Checks for custom models and layers, which the package's own tests run.

They need no test framework: a property that does not hold raises an
`AssertionError` that names it.
"""

from keras_infnet.testing.check_layer import check_layer
from keras_infnet.testing.check_ranker import check_ranker

__all__ = ["check_layer", "check_ranker"]
