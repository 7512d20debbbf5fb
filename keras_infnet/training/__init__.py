"""Training: compilation, callbacks, resume."""

from keras_infnet.training.autoifs.flow_search import FlowSearch
from keras_infnet.training.autoifs.kept_flows import kept_flows
from keras_infnet.training.autoifs.search_and_retrain import search_and_retrain
from keras_infnet.training.callbacks.averaged_weights import AveragedWeights
from keras_infnet.training.callbacks.best_weights import BestWeights
from keras_infnet.training.callbacks.learning_curve import LearningCurve
from keras_infnet.training.callbacks.mean_auc import MeanAUC, ScenarioTaskAUC
from keras_infnet.training.callbacks.progress_report import ProgressReport
from keras_infnet.training.compilation import compile_ranker, make_optimizer
from keras_infnet.training.fitting import fit_ranker, ranker_callbacks
from keras_infnet.training.learning_rates import ScaledRate, WarmUp
from keras_infnet.training.prediction import predict_rows
from keras_infnet.training.resume import Resume

__all__ = [
    "AveragedWeights",
    "BestWeights",
    "FlowSearch",
    "LearningCurve",
    "MeanAUC",
    "ProgressReport",
    "Resume",
    "ScaledRate",
    "ScenarioTaskAUC",
    "WarmUp",
    "compile_ranker",
    "fit_ranker",
    "kept_flows",
    "make_optimizer",
    "predict_rows",
    "ranker_callbacks",
    "search_and_retrain",
]
