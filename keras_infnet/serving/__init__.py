"""Export of trained models, calibration, and calls to served ones."""

from typing import TYPE_CHECKING

from keras_infnet.utils.lazy_imports import lazy_names

if TYPE_CHECKING:
    from keras_infnet.serving.calibration.calibrate import calibrate
    from keras_infnet.serving.calibration.calibration import Calibration
    from keras_infnet.serving.calibration.calibration_report import (
        format_calibration,
    )
    from keras_infnet.serving.calibration.calibrators import (
        Isotonic,
        Platt,
        Temperature,
    )
    from keras_infnet.serving.calibration.task_calibration import (
        CalibrationFigures,
        TaskCalibration,
    )
    from keras_infnet.serving.client.client import Client
    from keras_infnet.serving.client.serving_error import ServingError
    from keras_infnet.serving.exporting.export import export
    from keras_infnet.serving.exporting.export_file import export_file
    from keras_infnet.serving.exporting.file_formats import check_can_export
    from keras_infnet.serving.exporting.versions import latest_version
    from keras_infnet.serving.graph.fusion import (
        Fusion,
        product_of_powers,
        weighted_sum,
    )
    from keras_infnet.serving.model_directory import (
        load_model_directory,
        save_model_directory,
    )
    from keras_infnet.serving.request import serialize_examples
    from keras_infnet.serving.servable import Servable

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
    "check_can_export",
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

# Reading settings or versions needs neither Keras nor its backend.
__getattr__ = lazy_names(__name__)
