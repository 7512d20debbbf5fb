"""Training: compilation, callbacks, resume."""

from keras_infnet.training.averaged_weights import AveragedWeights
from keras_infnet.training.best_weights import BestWeights
from keras_infnet.training.compilation import compile_ranker, make_optimizer
from keras_infnet.training.fitting import fit_ranker, ranker_callbacks
from keras_infnet.training.learning_curve import LearningCurve
from keras_infnet.training.mean_auc import MeanAUC
from keras_infnet.training.resume import Resume
from keras_infnet.training.warm_up import WarmUp

__all__ = [
    "AveragedWeights",
    "BestWeights",
    "LearningCurve",
    "MeanAUC",
    "Resume",
    "WarmUp",
    "compile_ranker",
    "fit_ranker",
    "make_optimizer",
    "ranker_callbacks",
]
