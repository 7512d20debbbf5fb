"""A schema with every kind of part, and small ones."""

from keras_infnet.schema import Behavior, Categorical, Numeric, Schema, Task

FIELDS = (
    Categorical("user_id", min_count=2),
    Categorical("item_id"),
    Categorical("tags", dtype="string", multivalued=True, max_values=3),
    Categorical("city", dtype="string", hash_buckets=100),
    Numeric("price", bins=16, binning="log"),
    Categorical("tab"),
)
BEHAVIORS = (
    Behavior("click", ["item_id", "tags", "price"], max_length=20, timed=True),
    Behavior("like", ["item_id", Categorical("source", dtype="string")]),
)
TASKS = (
    Task("click_through", label="is_click"),
    Task("purchase", weight=2, given="click_through"),
    Task("dwell", kind="regression"),
)


def full_schema(**changes):
    arguments = {
        "fields": FIELDS,
        "behaviors": BEHAVIORS,
        "tasks": TASKS,
        "group": "user_id",
        "scenario": "tab",
        "request_time": "time",
        "time_unit": "s",
        **changes,
    }
    return Schema(**arguments)


def small_schema(*fields, tasks=None, **arguments):
    fields = fields or (Categorical("a"),)
    return Schema(fields, tasks or [Task("y")], **arguments)
