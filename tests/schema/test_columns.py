"""Names of columns and inputs, and the one place where they are made."""

import pathlib
import re

import pytest

import keras_infnet
from keras_infnet.schema import Behavior, Categorical, Numeric, Schema, Task
from tests.schema.schema_examples import full_schema

# f-strings such as f"{behavior.name}_{attribute}" and f"{name}_mask".
_MADE = re.compile(
    r"""f["'][^"']*\{(\w+\.)*(behavior|view|history)\w*(\.name)?\}_\{"""
    r"""|f["'][^"']*\{[\w.]+\}_(mask|gap|time)["']"""
)
# Its f"{group}_mask" is a key of the state within the model.
_OTHER_KEYS = "models/infnet_graph.py"


def test_names_of_a_behavior():
    seen = Behavior("seen", ["item", Numeric("price")], timed=True)
    assert seen.column("item") == "seen_item"
    assert seen.column(Numeric("price")) == "seen_price"
    assert seen.columns == ("seen_item", "seen_price")
    assert seen.inputs == ("seen_item", "seen_price", "seen_mask", "seen_gap")
    assert seen.raw_columns == ("seen_item", "seen_price", "seen_time")


def test_an_unknown_attribute_has_no_column():
    seen = Behavior("seen", ["item", Numeric("price")])
    with pytest.raises(ValueError, match="'prise'.*'price'"):
        seen.column("prise")


def test_names_of_a_behavior_without_times():
    seen = Behavior("seen", ["item"])
    assert seen.inputs == ("seen_item", "seen_mask")
    assert seen.raw_columns == ("seen_item",)


def test_columns_are_fields_and_attributes():
    item, seen = Categorical("item"), Behavior("seen", ["item"])
    schema = Schema([item], [Task("click")], [seen])
    assert schema.columns() == (
        ("item", item, None),
        ("seen_item", item, seen),
    )


def test_columns_are_inputs():
    schema = full_schema()
    names = {column.name for column in schema.columns()}
    assert names < set(schema.inputs)
    assert names < set(schema.raw_inputs)
    rest = set(schema.inputs) - names
    assert rest < {b.mask_input for b in schema.behaviors} | {
        b.gap_input for b in schema.behaviors
    }


def test_names_are_made_in_the_schema_alone():
    package = pathlib.Path(keras_infnet.__file__).parent
    found = [
        f"{path.relative_to(package)}: {line.strip()}"
        for path in sorted(package.rglob("*.py"))
        if path.parent != package / "schema"
        for line in path.read_text("utf-8").splitlines()
        if _MADE.search(line) and not path.as_posix().endswith(_OTHER_KEYS)
    ]
    assert found == []
    assert _MADE.search('x = f"{behavior.name}_{part.name}"')
    assert _MADE.search('inputs[f"{name}_mask"]')
