"""From a trained model to a served one, and back to its answers."""

from keras_infnet.serving.calibrate import calibrate
from keras_infnet.serving.calibration import Calibration
from keras_infnet.serving.calibration_report import format_calibration
from keras_infnet.serving.calibrators import Isotonic, Platt, Temperature
from keras_infnet.serving.client import Client
from keras_infnet.serving.export import export
from keras_infnet.serving.export_file import export_file
from keras_infnet.serving.fusion import (
    Fusion,
    product_of_powers,
    weighted_sum,
)
from keras_infnet.serving.model_directory import (
    load_model_directory,
    save_model_directory,
)
from keras_infnet.serving.requests import serialize_examples
from keras_infnet.serving.servable import Servable
from keras_infnet.serving.serving_error import ServingError
from keras_infnet.serving.task_calibration import (
    CalibrationFigures,
    TaskCalibration,
)
from keras_infnet.serving.versions import latest_version

__all__ = [
    "Calibration",
    "CalibrationFigures",
    "Client",
    "Fusion",
    "Isotonic",
    "Platt",
    "Servable",
    "ServingError",
    "TaskCalibration",
    "Temperature",
    "calibrate",
    "export",
    "export_file",
    "format_calibration",
    "latest_version",
    "load_model_directory",
    "product_of_powers",
    "save_model_directory",
    "serialize_examples",
    "weighted_sum",
]
