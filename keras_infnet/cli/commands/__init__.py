"""What the commands of `keras-infnet` do, by their names."""

import keras

from keras_infnet.cli.commands.comparison import compare, sweep
from keras_infnet.cli.commands.others import bench, schema
from keras_infnet.cli.commands.serving import export, predict, serving_config
from keras_infnet.cli.commands.training import evaluate, quickstart, train

__all__ = [
    "bench",
    "compare",
    "evaluate",
    "export",
    "predict",
    "quickstart",
    "schema",
    "serving_config",
    "sweep",
    "train",
]

# Loads the devices of the backend, with all that it has to say about them.
keras.ops.convert_to_tensor(0.0)
