"""Fits of the parameters of calibrators."""

import logging
from collections.abc import Callable

import numpy as np
from scipy import optimize, special  # type: ignore[import-untyped]

from keras_infnet.serving.calibration.calibrators import (
    Calibrator,
    Isotonic,
    Platt,
    Temperature,
    logits,
)

__all__ = ["FITS", "fit_isotonic", "fit_platt", "fit_temperature"]

_LOGGER = logging.getLogger(__name__)

# Rows that a threshold separates would need an infinite slope, rows in the
# wrong order a negative one.
_LEAST, _MOST = 0.01, 100.0


def fit_temperature(
    predictions: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    name: str = "",
) -> Temperature:
    """Returns the temperature of the smallest weighted log loss.

    The log loss is convex in `1 / T`: its slope has one zero, or `1 / T` is
    one of the bounds, 0.01 and 100. All fits take float64 probabilities,
    labels of 0 and 1 and positive weights, of shape `(rows,)`; warnings name
    the task, and there are none without a `name`.
    """
    scores = logits(predictions)
    if not scores.any():  # one half divided by anything is one half
        return Temperature(1.0)
    shares = weights / weights.sum()

    def slope(scale: float) -> float:
        errors = special.expit(scale * scores) - labels
        return float(np.sum(shares * errors * scores))

    if slope(_LEAST) >= 0:
        scale = _LEAST
    elif slope(_MOST) <= 0:
        scale = _MOST
    else:
        scale = float(
            optimize.brentq(slope, _LEAST, _MOST, xtol=1e-14, rtol=1e-14)
        )
    _warn_at_ends(name, scale)
    return Temperature(1.0 / scale)


def fit_platt(
    predictions: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    name: str = "",
) -> Platt:
    """Returns slope and intercept of the smallest weighted log loss.

    The log loss is convex in both. The slope is kept between 0.01 and 100,
    since a negative one would reverse the ranking.
    """
    scores = logits(predictions)
    shares = weights / weights.sum()
    # Makes the stopping criterion independent of the share of positives.
    rarest = min(shares @ labels, shares @ (1 - labels))
    # Standardized, since slope and intercept are correlated otherwise.
    center = float(shares @ scores)
    scores = scores - center
    spread = float(np.sqrt(shares @ scores**2))
    if spread < 1e-9:  # a constant prediction determines no slope
        scores, spread = np.zeros_like(scores), 1.0
    scores = scores / spread

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        z = parameters[0] * scores + parameters[1]
        # log(1 + exp(z)) - y * z
        losses = np.logaddexp(0.0, z) - labels * z
        errors = shares * (special.expit(z) - labels)
        slopes = np.array([errors @ scores, errors.sum()])
        return float(shares @ losses / rarest), slopes / rarest

    found = optimize.minimize(
        loss,
        np.array([spread, center]),  # the identity
        jac=True,
        method="L-BFGS-B",
        bounds=[(_LEAST * spread, _MOST * spread), (None, None)],
        options={"ftol": 0.0, "gtol": 1e-9, "maxiter": 1000},
    )
    slope = float(np.clip(found.x[0] / spread, _LEAST, _MOST))
    _warn_at_ends(name, slope)
    return Platt(slope, float(found.x[1]) - slope * center)


def fit_isotonic(
    predictions: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    name: str = "",
) -> Isotonic:
    """Returns the non-decreasing function of least weighted squares."""
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=0.0, y_max=1.0).fit(
        predictions, labels, sample_weight=weights
    )
    # Means may decrease by rounding.
    values = np.maximum.accumulate(fitted.y_thresholds_)
    return Isotonic(
        tuple(fitted.X_thresholds_.tolist()),
        tuple(np.clip(values, 0.0, 1.0).tolist()),
    )


#: Functions by the name of their method.
FITS: dict[str, Callable[..., Calibrator]] = {
    Temperature.method: fit_temperature,
    Platt.method: fit_platt,
    Isotonic.method: fit_isotonic,
}


def _warn_at_ends(name: str, scale: float) -> None:
    # One warning for all folds.
    if not name or _LEAST * 1.001 < scale < _MOST * 0.999:
        return
    what = (
        "predictions hardly separate the labels, or rank them in reverse"
        if scale < 1
        else "a threshold on predictions separates the labels almost perfectly"
    )
    _LOGGER.warning(
        "task %r: %s. Logits are multiplied by %g, the bound of calibration. "
        "Look at the labels of these rows.",
        name,
        what,
        scale,
    )
