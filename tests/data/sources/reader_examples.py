"""A table of every kind of column."""

import numpy as np

from keras_infnet.data.sources.table import Table


def make_table(rows=1000, start=0):
    n = np.arange(start, start + rows)
    return Table(
        {
            "id": n,
            "name": [f"n{i % 7}" for i in n],
            "tags": [list(range(i % 4)) for i in n],
            "label": (n % 3 == 0).astype("float32"),
        }
    )
