"""What users of the simulated feed would click, had it been shown to them."""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import lsqr
from sklearn.preprocessing import OneHotEncoder

from keras_infnet.data import Table

__all__ = ["TrueClicks"]


class TrueClicks:
    """The probability of a click on any item, from those of the items shown.

    The simulator keeps the probability of every row, `true_click`, and its
    log-odds are a sum of effects (see `datasets.synthetic.load`): segment and
    category, hour and tab, age and category, the item, and how often the
    category was viewed of late. There is no noise on them, so least squares
    find the effects, and their sum for items that were not shown.

    Args:
        rows: `Table` of the simulated feed.
    """

    def __init__(self, rows: Table) -> None:
        self._encoder = OneHotEncoder(handle_unknown="ignore")
        self._encoder.fit(_pairs(rows))
        odds = rows["true_click"] / (1 - rows["true_click"])
        self._effects = lsqr(
            self._design(rows), np.log(odds), atol=1e-12, btol=1e-12
        )[0]

    def __call__(self, rows: Table) -> np.ndarray:
        """Returns the probability of a click on the item of every row."""
        return 1 / (1 + np.exp(-(self._design(rows) @ self._effects)))

    def _design(self, rows: Table) -> sparse.csr_matrix:
        pairs = self._encoder.transform(_pairs(rows))
        return sparse.hstack([pairs, _fatigue(rows)[:, None]]).tocsr()


def _pairs(rows: Table) -> np.ndarray:
    age = rows["user_age"]
    band = np.where(np.isnan(age), -1, np.minimum((age - 16) // 9, 5))
    category = rows["category"].astype(str)

    def together(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.char.add(np.char.add(one.astype(str), "|"), other.astype(str))

    return np.column_stack(
        [
            together(rows["user_segment"], category),
            together(rows["hour"], rows["tab"]),
            together(band, category),
            rows["item_id"].astype(str),
        ]
    )


def _fatigue(rows: Table) -> np.ndarray:
    """Views of the category: the newest weighs 1, each older one 15 % less."""
    views = rows["viewed_category"].newest(10)
    older = views.lengths[:, None] - 1 - np.arange(10)
    same = views.pad(10, fill="") == rows["category"][:, None]
    return (same * np.where(older >= 0, 0.85 ** np.maximum(older, 0), 0)).sum(1)
