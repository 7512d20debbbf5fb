"""Raw rows of every kind, and in plain Python what becomes of them."""

import collections
import math

import numpy as np

from keras_infnet.data.sources.table import ListColumn, Table
from keras_infnet.schema import Behavior, Categorical, Numeric, Schema, Task


def make_schema(**kwargs):
    tag = Categorical("tag", multivalued=True, max_values=2)
    return Schema(
        fields=[
            Categorical("item", min_count=2, max_size=20),
            Categorical("city", dtype="string"),
            Categorical("user", hash_buckets=50),
            tag,
            Numeric("price", bins=4),
        ],
        behaviors=[
            Behavior("seen", ["item", "tag"], max_length=3, timed=True),
            Behavior("paid", [Numeric("paid_price", bins=3), "city"]),
        ],
        tasks=[
            Task("click"),
            Task("buy", given="click"),
            Task("stars", kind="regression", given="buy"),
        ],
        group="user",
        request_time="time",
        **kwargs,
    )


def make_rows(count=200, seed=0):
    """Raw rows as plain Python lists, with everything that may be missing."""
    rng = np.random.default_rng(seed)
    rows = collections.defaultdict(list)
    for _ in range(count):
        rows["item"].append(int(rng.integers(-1, 30)))
        city = ["", None, "Rom", "Köln", "東京"][rng.integers(5)]
        rows["city"].append(city)
        rows["user"].append(int(rng.integers(-1, 9)))
        size = rng.integers(0, 4)
        rows["tag"].append(rng.integers(-1, 6, size).tolist())
        price = [math.nan, math.inf, -math.inf, 1.5]
        price += rng.normal(size=12).tolist()
        rows["price"].append(price[rng.integers(len(price))])
        events = rng.integers(0, 6)
        rows["seen_item"].append(rng.integers(-1, 30, events).tolist())
        rows["seen_tag"].append(
            [rng.integers(-1, 6, rng.integers(0, 3)).tolist()] * events
        )
        rows["seen_time"].append(rng.integers(-1, 10**6, events).tolist())
        rows["time"].append(int(rng.integers(-1, 10**7)))
        events = rng.integers(0, 5)
        paid = rng.normal(size=events)
        paid[rng.random(events) < 0.4] = np.nan
        rows["paid_paid_price"].append(paid.tolist())
        cities = ["", "Rom", "Köln", "Oslo"]
        rows["paid_city"].append(
            [cities[k] for k in rng.integers(0, 4, events)]
        )
        for task in ("click", "buy"):
            rows[task].append([0.0, 1.0, 1.0, math.nan][rng.integers(4)])
        rows["stars"].append([2.5, math.nan][rng.integers(2)])
    return dict(rows)


def make_table(rows):
    columns = {}
    for name, values in rows.items():
        if isinstance(values[0], list):
            dtype = None
            if "city" in name:
                dtype = object
            columns[name] = ListColumn.from_lists(values, dtype=dtype)
        elif name == "city":
            columns[name] = np.array(values, object)
        else:
            columns[name] = np.array(values)
    return Table(columns)


def vocabulary(values, min_count=1, max_size=None):
    counts = collections.Counter(v for v in values if v not in ("", None))
    counts = {v: c for v, c in counts.items() if c >= min_count}
    counts = {v: c for v, c in counts.items() if isinstance(v, str) or v >= 0}
    return sorted(counts, key=lambda v: (-counts[v], v))[:max_size]


def bin_of(value, edges):
    if math.isnan(value):
        return 0
    return 1 + sum(edge <= np.float32(value) for edge in edges)


def gap_of(request, event):
    if request < 0 or event < 0:
        return 0
    seconds = max(request - event, 0) // 1000
    return 1 + min(31, int(math.log2(1 + seconds)))
