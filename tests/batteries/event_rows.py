"""Rows with the events of two behaviours, embedded and put in order."""

import numpy as np
from keras import ops

from keras_infnet.schema import Behavior, Categorical, Schema, Task

BEHAVIORS = ("clicks", "likes")
ATTRIBUTES = {"clicks": ("item", "channel", "author"), "likes": ("item",)}


def event_schema(timed):
    """`channel` is an attribute without a field; `timed` is one a behaviour."""
    channel = Categorical("channel", hash_buckets=5)
    attributes = {
        name: [channel if part == "channel" else part for part in parts]
        for name, parts in ATTRIBUTES.items()
    }
    return Schema(
        fields=[
            Categorical("user", hash_buckets=11),
            Categorical("item", hash_buckets=13),
            Categorical("author", hash_buckets=7),
        ],
        behaviors=[
            Behavior(name, attributes[name], max_length=length, timed=known)
            for name, length, known in zip(
                BEHAVIORS, (4, 3), timed, strict=True
            )
        ],
        tasks=[Task("click")],
        request_time="time" if any(timed) else None,
    )


def event_rows(model, batch, timed):
    """One dict a row: embedded fields, and a list of events, oldest first.

    An event is a dict of its attributes, with its `"behavior"`, a number, and
    its `"gap"`. Merged by time if all behaviours have times.
    """
    layer = model.get_layer("embedding")
    table = ops.convert_to_numpy(layer.embeddings)

    def read(name, ids):
        return table[layer.offsets[name] + ids]

    for i in range(len(batch["user"])):
        events = []
        for number, name in enumerate(BEHAVIORS):
            for t in np.flatnonzero(batch[f"{name}_mask"][i]):
                event = {
                    part: read(part, batch[f"{name}_{part}"][i, t])
                    for part in ATTRIBUTES[name]
                }
                event["behavior"] = number
                event["gap"] = 0
                if timed[number]:
                    event["gap"] = int(batch[f"{name}_gap"][i, t])
                events.append(event)
        if all(timed):
            # Nobody knows when the events of bucket 0 were.
            events.sort(key=lambda e: -(e["gap"] or 99))
        row = {
            part: read(part, batch[part][i])
            for part in ATTRIBUTES["clicks"]
            if part != "channel"
        }
        row["user"] = read("user", batch["user"][i])
        row["events"] = events
        yield row
