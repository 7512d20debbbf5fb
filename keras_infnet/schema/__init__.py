"""Schemas: fields, behaviors and tasks of a table.

A `Schema` is plain data. The encoder learns its vocabularies and bins, models
build their inputs, embedding tables and outputs from it, and an export names
its inputs and outputs after it.
"""

from keras_infnet.schema.behavior import Behavior, SchemaColumn
from keras_infnet.schema.fields import Categorical, Field, InputSpec, Numeric
from keras_infnet.schema.schema import GAP_BUCKETS, Schema
from keras_infnet.schema.task import Task
from keras_infnet.schema.value_checks import nearest_name

__all__ = [
    "GAP_BUCKETS",
    "Behavior",
    "Categorical",
    "Field",
    "InputSpec",
    "Numeric",
    "Schema",
    "SchemaColumn",
    "Task",
    "nearest_name",
]
