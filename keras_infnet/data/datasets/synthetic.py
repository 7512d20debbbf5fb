"""A simulated feed whose true probabilities are known.

Users scroll a feed. Their actions depend on pairs of fields, different pairs
for each task, and on single past events. The probabilities of the labels are
kept, so the best AUC that any model can reach is known.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_infnet.data.datasets.dataset import Dataset
from keras_infnet.data.datasets.simulator import (
    CATEGORIES,
    HOUR,
    SEGMENTS,
    TABS,
    TAGS,
    Log,
    World,
    make_world,
    simulate,
)
from keras_infnet.data.sources.table import ListColumn, Table
from keras_infnet.schema import Behavior, Categorical, Numeric, Schema, Task
from keras_infnet.schema.behavior import sequence_column
from keras_infnet.utils.argument_checks import (
    check_number,
    check_positive,
    check_rate,
)

__all__ = ["load"]

Array = npt.NDArray[Any]

_BURN_IN = 10  # first requests of a user: past events, never rows
_LENGTHS = {"viewed": 20, "liked": 10, "bought": 5}
_EVENTS = {
    "viewed": ("item_id", "author_id", "category"),
    "liked": ("item_id", "author_id", "category"),
    "bought": ("item_id", "category", "price"),
}


def load(
    num_users: int = 2000,
    num_items: int = 300,
    num_rows: int = 80_000,
    missing: float = 0.1,
    seed: int = 0,
) -> Dataset:
    """Simulates a feed with three tasks and three behaviors.

    A row is one item shown to one user. The log-odds of the tasks are sums
    of effects of pairs of fields, different ones for each task, and of single
    events:

    - `click`: user segment x category, hour x tab, user age x category,
      quality of the item, less a fatigue that grows with every recent view
      of the same category;
    - `like`: taste of the user x style of the author (both hidden; the taste
      shows in the authors liked before), likes of the same author before,
      user segment x tags, category x tab;
    - `purchase`, rare and given a click: what makes a like, what makes a
      click, closeness of the price to what the user's age can spend, user
      segment x tab, hour x category, and purchases in the same category
      before.

    `user_id` is the group, by which ranking within a user is measured, and not
    a field: models know users by their histories.

    Rows are in time order; the first 70 % are the training part, the next
    10 % the validation part and the last 20 % the test part. Histories hold
    strictly earlier events only. The columns `true_click`, `true_like` and
    `true_purchase` hold the probabilities that the labels were drawn from;
    the schema does not name them, so no model sees them. `best` is the AUC
    of these probabilities on the test part, NaN where it holds one class
    only.

    Args:
        num_users: integer. Number of users. Defaults to `2000`.
        num_items: integer. Number of items. Defaults to `300`.
        num_rows: integer of at least 10. Rows of the three parts together.
            Defaults to `80_000`.
        missing: float. Share of the `like` labels that are lost (NaN), from
            0 up to, but not including, 1. Defaults to `0.1`.
        seed: integer. The same seed gives the same data. Defaults to `0`.

    Returns:
        A `Dataset` called `"synthetic"`.

    Raises:
        ValueError: If a size or `missing` is out of range.

    Example:

    >>> data = load(num_users=50, num_items=40, num_rows=500)
    >>> len(data.train), len(data.validation), len(data.test)
    (350, 50, 100)
    >>> sorted(data.best)
    ['click', 'like', 'purchase']
    """
    check_positive(num_users=num_users, num_items=num_items)
    check_number("num_rows", num_rows, above=9, kind=int)
    check_rate(missing=missing)
    rng = np.random.default_rng(seed)
    world = make_world(num_users, num_items, rng)
    log = simulate(world, math.ceil(num_rows / num_users) + _BURN_IN, rng)
    table = _to_table(world, log, num_rows, missing, rng)
    train_end, validation_end = num_rows * 7 // 10, num_rows * 8 // 10
    test = table.slice(validation_end, num_rows)
    return Dataset(
        schema=_make_schema(),
        train=table.slice(0, train_end),
        validation=table.slice(train_end, validation_end),
        test=test,
        name="synthetic",
        best=_best_auc(test),
    )


def _make_schema() -> Schema:
    return Schema(
        fields=[
            Categorical("user_segment", dtype="string"),
            Numeric("user_age", bins=16),
            Categorical("item_id"),
            Categorical("author_id"),
            Categorical("category", dtype="string"),
            Categorical("tags", dtype="string", multivalued=True, max_values=3),
            Numeric("price", bins=16, binning="log"),
            Categorical("hour"),
            Categorical("tab", dtype="string"),
        ],
        behaviors=[
            Behavior(name, attributes, max_length=_LENGTHS[name], timed=True)
            for name, attributes in _EVENTS.items()
        ],
        tasks=[
            Task("click"),
            Task("like"),
            Task("purchase", given="click"),
        ],
        group="user_id",
        scenario="tab",
        request_time="time",
        time_unit="ms",
        candidates=["item_id", "author_id", "category", "tags", "price"],
    )


def _to_table(
    world: World,
    log: Log,
    num_rows: int,
    missing: float,
    rng: np.random.Generator,
) -> Table:
    num_users, steps = log.time.shape
    # The newest rows of all users. Older events appear only in histories.
    order = np.argsort(log.time, axis=None, kind="stable")[-num_rows:]
    user, item = order // steps, log.item.ravel()[order]
    items = _item_columns(world, rng)
    ids = 1_000_000 + rng.permutation(10 * num_users)[:num_users]
    time = log.time.ravel()[order]
    columns: dict[str, Array | ListColumn] = {
        "user_id": ids[user],
        "user_segment": np.array(SEGMENTS, object)[world.segment[user]],
        "user_age": world.age[user],
        **{name: column.take(item) for name, column in items.items()},
        "hour": time // HOUR % 24,
        "tab": np.array(TABS, object)[log.tab.ravel()[order]],
        "time": time,
    }
    happened = {
        "viewed": np.ones_like(log.item),
        "liked": log.labels["like"],
        "bought": log.labels["purchase"],
    }
    for name, attributes in _EVENTS.items():
        flags = happened[name].ravel()
        events = np.flatnonzero(flags)  # by user, then by time
        before = (np.cumsum(flags) - flags).reshape(num_users, steps)
        starts = np.maximum(before[:, :1], before - _LENGTHS[name])
        starts, ends = starts.ravel()[order], before.ravel()[order]
        values = {a: items[a][log.item.ravel()[events]] for a in attributes}
        values["time"] = log.time.ravel()[events]
        for attribute, value in values.items():
            column = sequence_column(name, attribute)
            columns[column] = ListColumn(value, starts, ends)
    for name, label in log.labels.items():
        columns[name] = label.ravel()[order]
    like = log.labels["like"].ravel()[order]
    lost = rng.random(num_rows) < missing
    columns["like"] = np.where(lost, np.nan, like)
    for name, probability in log.probabilities.items():
        columns[f"true_{name}"] = probability.ravel()[order]
    return Table(columns)


def _item_columns(world: World, rng: np.random.Generator) -> dict[str, Any]:
    """Returns the raw values of every item."""
    num_items, num_authors = len(world.author), world.author.max() + 1
    ends = np.cumsum(world.tag_counts)
    return {
        "item_id": 10_000 + rng.permutation(10 * num_items)[:num_items],
        "author_id": 500 + rng.permutation(10 * num_authors)[world.author],
        "category": np.array(CATEGORIES, object)[world.category],
        "tags": ListColumn(
            np.array(TAGS, object)[world.tags], ends - world.tag_counts, ends
        ),
        "price": world.price,
    }


def _best_auc(test: Table) -> dict[str, float]:
    from sklearn.metrics import roc_auc_score

    best = {}
    for name in ("click", "like", "purchase"):
        label = np.asarray(test[name], float)
        known = ~np.isnan(label)
        if name == "purchase":
            known &= np.asarray(test["click"]) == 1
        label, truth = label[known], np.asarray(test[f"true_{name}"])[known]
        both = label.size > 0 and label.min() < label.max()
        best[name] = float(roc_auc_score(label, truth)) if both else math.nan
    return best
