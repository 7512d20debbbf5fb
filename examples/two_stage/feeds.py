"""Two feeds in one form: what a two-stage system needs to know of them."""

import dataclasses

import numpy as np

from keras_infnet.data import PointInTimeStatistics, Table, datasets
from keras_infnet.schema import Schema

__all__ = ["Feed", "kuairand", "synthetic"]

_DAY = 86_400_000
_BEIJING = 8 * 3_600_000  # ahead of UTC


@dataclasses.dataclass(frozen=True)
class Feed:
    """A feed with statistics of users and items, each row at its time.

    Args:
        schema: `Schema`, statistics included.
        train: `Table`.
        validation: `Table`.
        test: `Table`.
        log: `Table`. Events of all parts, from which the statistics of
            candidates are computed: strictly earlier ones alone.
        items: `Table`. The latest training row of every item. What training
            has not seen cannot be retrieved.
        item: string. Column of the item.
        click: string. Column of the label.
        histories: list of strings. Columns of past items, for retrieval.
        shared: list of strings. Columns that items share, for retrieval.
        statistics: `PointInTimeStatistics` of items.
        age: string or `None`. Column of the days since an item appeared.
    """

    schema: Schema
    train: Table
    validation: Table
    test: Table
    log: Table
    items: Table
    item: str
    click: str
    histories: tuple[str, ...]
    shared: tuple[str, ...]
    statistics: PointInTimeStatistics
    age: str | None

    @property
    def time(self) -> str:
        return str(self.schema.request_time)

    def clicked(self, rows: Table) -> Table:
        return rows.filter(rows[self.click] == 1)

    def queries(self, rows: Table) -> dict[str, np.ndarray]:
        """The inputs of the retrieval model: raw ids, padded with -1."""
        inputs = {"user_id": rows["user_id"].astype(np.int64)}
        for name in self.histories:
            behavior = name.removesuffix(f"_{self.item}")
            length = self.schema.behavior(behavior).max_length
            newest = rows[name].newest(length).pad(length, fill=-1)
            inputs[name] = newest.astype(np.int64)
        return inputs

    def positives(self, rows: Table) -> dict[str, np.ndarray]:
        """What the retrieval model learns from: clicks and their queries."""
        rows = self.clicked(rows)
        item_id = rows[self.item].astype(np.int64)
        return {**self.queries(rows), "item_id": item_id}

    def catalogue(self) -> dict[str, np.ndarray]:
        """Items and what they share, as integers."""
        catalogue = {"item_id": self.items[self.item].astype(np.int64)}
        for name in self.shared:
            column = self.items[name]
            if not isinstance(column, np.ndarray):  # a list: its first value
                column = column.first(1).pad(1, fill=-1)[:, 0]
            catalogue[name] = np.unique(column, return_inverse=True)[1]
        return catalogue

    def candidates(self, item_ids: np.ndarray, times: np.ndarray) -> Table:
        """Items as a request at each time sees them.

        Args:
            item_ids: integers of shape `(candidates,)`, known items.
            times: integers of shape `(candidates,)`, of the requests.

        Returns:
            `Table` with the columns of candidates.
        """
        known = self.items[self.item]  # sorted
        rows = self.items.take(np.searchsorted(known, item_ids))
        if self.age is not None:
            then, now = (
                (time + _BEIJING) // _DAY for time in (rows[self.time], times)
            )
            age = rows[self.age] + (now - then).astype(np.float32)
            rows = rows.with_columns({self.age: age})
        rows = rows.with_columns({self.time: times})
        rows = self.statistics.add(rows, events=self.log)
        return rows.select(self.schema.candidates)


def synthetic(num_rows: int, num_items: int) -> Feed:
    """The simulated feed."""
    data = datasets.synthetic.load(num_rows=num_rows, num_items=num_items)
    return _feed(
        data,
        item="item_id",
        feedbacks=("click", "like"),
        histories=("viewed_item_id", "liked_item_id"),
        shared=("author_id", "category"),
    )


def kuairand(path: str) -> Feed:
    """KuaiRand-Pure.

    Statistics are those of the log. The loader can count what is left of an
    earlier log too, but gives statistics to its own rows alone, and those of
    candidates must be made of the same events.
    """
    return _feed(
        datasets.kuairand.load(path, statistics=()),
        item="video_id",
        feedbacks=("is_click", "is_like", "long_view"),
        histories=("watched_video_id", "long_view_video_id"),
        shared=("author_id", "tag"),
        age="video_age_days",
    )


def _feed(
    data: datasets.Dataset,
    item: str,
    feedbacks: tuple[str, ...],
    histories: tuple[str, ...],
    shared: tuple[str, ...],
    age: str | None = None,
) -> Feed:
    schema = data.schema
    time = str(schema.request_time)
    of_users, of_items = (
        PointInTimeStatistics(entities, feedbacks, time)
        for entities in (["user_id"], [item, "author_id"])
    )
    parts = (data.train, data.validation, data.test)
    needed = [time, "user_id", item, "author_id", *feedbacks]
    log = Table.concat([part.select(needed) for part in parts])
    train, validation, test = (
        of_items.add(of_users.add(part, events=log), events=log)
        for part in parts
    )
    newest_first = data.train[item][::-1]
    _, last = np.unique(newest_first, return_index=True)
    return Feed(
        schema=Schema(
            fields=[*schema.fields, *of_users.fields(), *of_items.fields()],
            tasks=schema.tasks,
            behaviors=schema.behaviors,
            group=schema.group,
            scenario=schema.scenario,
            request_time=schema.request_time,
            time_unit=schema.time_unit,
            candidates=[*schema.candidates, *of_items.columns],
        ),
        train=train,
        validation=validation,
        test=test,
        log=log,
        items=data.train.take(len(data.train) - 1 - last),
        item=item,
        click=feedbacks[0],
        histories=histories,
        shared=shared,
        statistics=of_items,
        age=age,
    )
