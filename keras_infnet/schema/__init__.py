"""What a row of the data means: fields, behaviors, tasks.

A `Schema` is plain data. Every other room of the package reads it: the
encoder learns its vocabularies and bins, the models build their inputs,
tables and heads from it, the exporter names its signatures after it.
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
