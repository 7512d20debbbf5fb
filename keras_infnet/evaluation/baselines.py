"""Baselines for ranking models."""

import abc
import warnings
from typing import Any, Self

import numpy as np

from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.data.sources.table import Table
from keras_infnet.evaluation.baseline_features import (
    dense_features,
    id_features,
)
from keras_infnet.schema import Schema

__all__ = ["GradientBoostingBaseline", "LogisticRegressionBaseline"]


class _Baseline(abc.ABC):
    """One scikit-learn estimator per task, fitted to its observed rows."""

    def __init__(self, schema: Schema, seed: int) -> None:
        self.schema = schema
        self.seed = seed
        self._encoder: Encoder | None = None
        self._estimators: dict[str, Any] = {}

    def fit(self, encoder: Encoder, train: Table) -> Self:
        """Fits one estimator per task.

        Args:
            encoder: fitted `keras_infnet.data.Encoder`.
            train: `Table`. Raw training rows.

        Returns:
            The fitted baseline.
        """
        encoded = encoder.encode(train)
        features, options = self._features(encoder.schema, train, encoded)
        self._encoder = encoder
        for task in self.schema.tasks:
            weights = encoded[f"weight:{task.name}"]
            observed = np.flatnonzero(weights)
            labels = encoded[f"label:{task.name}"][observed]
            if len(np.unique(labels)) < 2:
                # A constant prediction: the only label, or a guess without.
                guess = 0.5 if task.kind == "binary" else 0.0
                value = float(labels[0]) if len(labels) else guess
                self._estimators[task.name] = value
                continue
            estimator = self._estimator(task.kind, options)
            with warnings.catch_warnings():
                # A baseline may stop at `max_iterations`.
                warnings.filterwarnings("ignore", ".*failed to converge")
                estimator.fit(
                    features[observed], labels, sample_weight=weights[observed]
                )
            self._estimators[task.name] = estimator
        return self

    def predict(self, table: Table) -> dict[str, np.ndarray]:
        """Predicts every task.

        Args:
            table: `Table` with raw columns; labels are not needed.

        Returns:
            Dict of task name to float32 array of shape `(rows,)`:
            probabilities for binary tasks, values for regression.

        Raises:
            ValueError: If the baseline is not fitted.
        """
        if self._encoder is None:
            raise ValueError(
                f"{type(self).__name__} is not fitted. Call `fit` first."
            )
        encoded = self._encoder.encode(table, labels=False)
        features, _ = self._features(self._encoder.schema, table, encoded)
        predictions = {}
        for name, estimator in self._estimators.items():
            if isinstance(estimator, float):
                values = np.full(len(table), estimator)
            elif self.schema.task(name).kind == "binary":
                values = estimator.predict_proba(features)[:, 1]
            else:
                values = estimator.predict(features)
            predictions[name] = values.astype(np.float32)
        return predictions

    @abc.abstractmethod
    def _features(
        self, schema: Schema, table: Table, encoded: Table
    ) -> tuple[Any, Any]:
        """Returns the features and options for the estimator."""

    @abc.abstractmethod
    def _estimator(self, kind: str, options: Any) -> Any:
        """Returns an unfitted estimator for a kind of task."""


class LogisticRegressionBaseline(_Baseline):
    """Logistic regression on ids, one model per task.

    Every id of every field has a weight, including the bins of `Numeric`
    fields. Weights are averaged over the values of multi-valued fields and over
    the newest events of every behavior. Without feature interactions, it shows
    what a deep model gains. Regression tasks use ridge regression.

    Rows without a label are ignored, per task. Tasks with a single class get a
    constant prediction.

    Args:
        schema: `Schema`.
        inverse_penalty: float. Inverse strength of the L2 penalty, `C` of
            scikit-learn. Defaults to `0.03`.
        max_events: integer. Number of newest events used per behavior.
            Defaults to `20`.
        max_iterations: integer. Maximum iterations of the solver. Defaults to
            `200`.
        seed: integer. Has no effect, since the solver is deterministic.
            Defaults to `0`.

    Example:

    >>> from keras_infnet.schema import Categorical, Task
    >>> schema = Schema([Categorical("item_id")], [Task("click")])
    >>> table = Table({"item_id": [1, 1, 2, 2], "click": [1, 1, 0, 0]})
    >>> model = LogisticRegressionBaseline(schema, inverse_penalty=10.0)
    >>> model = model.fit(Encoder(schema).fit(table), table)
    >>> model.predict(table)["click"].round()
    array([1., 1., 0., 0.], dtype=float32)
    """

    def __init__(
        self,
        schema: Schema,
        inverse_penalty: float = 0.03,
        max_events: int = 20,
        max_iterations: int = 200,
        seed: int = 0,
    ) -> None:
        super().__init__(schema, seed)
        self.inverse_penalty = inverse_penalty
        self.max_events = max_events
        self.max_iterations = max_iterations

    def _features(
        self, schema: Schema, table: Table, encoded: Table
    ) -> tuple[Any, Any]:
        return id_features(schema, encoded, self.max_events), None

    def _estimator(self, kind: str, options: Any) -> Any:
        from sklearn.linear_model import LogisticRegression, Ridge

        if kind == "binary":
            return LogisticRegression(
                C=self.inverse_penalty,
                max_iter=self.max_iterations,
                random_state=self.seed,
            )
        return Ridge(
            alpha=1 / self.inverse_penalty,
            solver="sparse_cg",
            max_iter=self.max_iterations,
        )


class GradientBoostingBaseline(_Baseline):
    """Histogram gradient boosting, one model per task.

    Features are the raw values of `Numeric` fields, fields with at most 255 ids
    as categories, and the length and newest gap of every behavior. With good
    point-in-time statistics this is a strong baseline; without them it cannot
    distinguish users or items, since it reads no ids.

    Rows without a label are ignored, per task. Tasks with a single class get a
    constant prediction. A random tenth of the rows decides on early stopping.

    Args:
        schema: `Schema`.
        use_ids: boolean. Whether to read fields with more than 255 ids too, as
            numbers (vocabularies are ordered by frequency). Defaults to
            `False`.
        learning_rate: float. Defaults to `0.05`.
        max_iterations: integer. Maximum number of trees per task. Defaults to
            `300`.
        min_samples_leaf: integer. Minimum number of rows per leaf. Defaults to
            `50`.
        max_features: float. Fraction of the columns considered per split.
            Defaults to `0.3`.
        seed: integer. Defaults to `0`.

    Example:

    >>> from keras_infnet.schema import Numeric, Task
    >>> schema = Schema([Numeric("age")], [Task("click")])
    >>> age = np.arange(200.0)
    >>> table = Table({"age": age, "click": (age > 90).astype(int)})
    >>> model = GradientBoostingBaseline(schema, max_iterations=5)
    >>> model = model.fit(Encoder(schema).fit(table), table)
    >>> low, high = model.predict(table)["click"][[0, -1]]
    >>> bool(low < 0.5 < high)
    True
    """

    def __init__(
        self,
        schema: Schema,
        use_ids: bool = False,
        learning_rate: float = 0.05,
        max_iterations: int = 300,
        min_samples_leaf: int = 50,
        max_features: float = 0.3,
        seed: int = 0,
    ) -> None:
        super().__init__(schema, seed)
        self.use_ids = use_ids
        self.learning_rate = learning_rate
        self.max_iterations = max_iterations
        self.min_samples_leaf = min_samples_leaf
        self.max_features = max_features

    def _features(
        self, schema: Schema, table: Table, encoded: Table
    ) -> tuple[Any, Any]:
        features, _, categorical = dense_features(
            schema, table, encoded, self.use_ids
        )
        return features, categorical

    def _estimator(self, kind: str, options: Any) -> Any:
        from sklearn import ensemble

        cls = (
            ensemble.HistGradientBoostingClassifier
            if kind == "binary"
            else ensemble.HistGradientBoostingRegressor
        )
        return cls(
            learning_rate=self.learning_rate,
            max_iter=self.max_iterations,
            min_samples_leaf=self.min_samples_leaf,
            max_features=self.max_features,
            l2_regularization=1.0,
            categorical_features=options,
            early_stopping=True,
            random_state=self.seed,
        )
