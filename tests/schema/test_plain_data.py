"""Schemas as plain data, as JSON and as files."""

import json
import keyword

import hypothesis
import hypothesis.strategies as st
import pytest
from schema_examples import full_schema, small_schema

from keras_infnet.schema import Behavior, Categorical, Numeric, Schema, Task


class TestPlainData:
    def test_json_round_trip(self):
        schema = full_schema(table_sizes={"tab": 4})
        copy = Schema.from_json(schema.to_json())
        assert copy == schema
        assert hash(copy) == hash(schema)
        assert copy.fields == schema.fields
        assert copy.behaviors == schema.behaviors
        assert copy.tasks == schema.tasks
        assert (copy.group, copy.scenario) == ("user_id", "tab")
        assert (copy.request_time, copy.time_unit) == ("time", "s")
        assert copy.table_sizes == {"tab": 4}

    def test_candidates(self):
        names = ["item_id", "price"]
        schema = full_schema(candidates=names)
        copy = Schema.from_json(schema.to_json())
        assert copy == schema == full_schema().with_candidates(names)
        assert copy.candidates == ("item_id", "price")
        assert schema != full_schema()
        # Files of schemas without any are those of earlier versions.
        assert "candidates" not in full_schema().to_dict()
        shared = set(schema.inputs) - {"item_id", "price"}
        assert set(schema.shared_inputs) == shared
        assert {"user_id", "click_item_id", "click_mask"} <= shared

    def test_equality(self):
        assert full_schema() != full_schema(group=None)
        assert full_schema() != "schema"

    def test_optional_keys(self):
        config = {
            "fields": [{"kind": "categorical", "name": "a"}],
            "tasks": [{"name": "y"}],
        }
        assert Schema.from_dict(config) == small_schema()
        config |= {"behaviors": None, "group": None, "table_sizes": None}
        assert Schema.from_dict(config) == small_schema()

    def test_plain_data_is_not_changed(self):
        config = full_schema().to_dict()
        text = json.dumps(config)
        Schema.from_dict(config)
        assert json.dumps(config) == text

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"feilds": []}, "'feilds'.*'fields'"),
            ({"fields": {"a": 1}}, "fields .*{'a': 1}"),
            ({"fields": 3}, "fields .*3"),
            ({"fields": ["a"]}, "field .*'a'"),
            ({"fields": [{"name": "a"}]}, "kind of field None"),
            (
                {"fields": [{"kind": "numerc", "name": "a"}]},
                "'numerc'.*'numeric'",
            ),
            (
                {"fields": [{"kind": "numeric", "name": "a", "bin": 3}]},
                "Numeric 'bin'.*'bins'",
            ),
            ({"fields": [{"kind": "numeric"}]}, "Numeric .*'name'"),
            ({"tasks": ["y"]}, "Task .*'y'"),
            ({"tasks": "y"}, "tasks .*'y'"),
            ({"tasks": [{"name": "y", "wieght": 1}]}, "'wieght'.*'weight'"),
            ({"behaviors": [3]}, "behavior .*3"),
            ({"behaviors": [{"name": "b"}]}, "Behavior .*'attributes'"),
            (
                {"behaviors": [{"name": "b", "attributes": "item"}]},
                "attributes .*'item'",
            ),
        ],
    )
    def test_bad_plain_data(self, changes, message):
        config = {**small_schema().to_dict(), **changes}
        with pytest.raises(ValueError, match=message):
            Schema.from_dict(config)

    @pytest.mark.parametrize("key", ["fields", "tasks"])
    def test_needed_keys(self, key):
        config = full_schema().to_dict()
        del config[key]
        with pytest.raises(ValueError, match=f"schema .*'{key}'"):
            Schema.from_dict(config)

    def test_bad_json(self):
        with pytest.raises(ValueError, match="JSON.*line 1"):
            Schema.from_json("{")
        with pytest.raises(ValueError, match=r"schema .*\[\]"):
            Schema.from_json("[]")


class TestFiles:
    def test_round_trip(self, tmp_path):
        path = tmp_path / "schema.json"
        full_schema().save(path)
        full_schema(group=None).save(path)
        assert Schema.load(path) == full_schema(group=None)
        assert Schema.load(str(path)) == full_schema(group=None)
        assert [file.name for file in tmp_path.iterdir()] == ["schema.json"]

    def test_errors_name_the_file(self, tmp_path):
        path = tmp_path / "schema.json"
        path.write_text("{")
        with pytest.raises(ValueError, match="schema.json.*JSON"):
            Schema.load(path)
        with pytest.raises(FileNotFoundError):
            Schema.load(tmp_path / "other.json")


# Words of Python are refused as names.
names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: not keyword.iskeyword(name)
)
categoricals = st.builds(
    Categorical,
    names,
    dtype=st.sampled_from(["int", "string"]),
    min_count=st.integers(1, 9),
    max_size=st.none() | st.integers(1, 99),
    hash_buckets=st.none() | st.integers(1, 99),
    multivalued=st.booleans(),
    max_values=st.integers(1, 9),
    separator=st.sampled_from([",", "|", ";"]),
)
numerics = st.builds(
    Numeric,
    names,
    bins=st.integers(2, 99),
    binning=st.sampled_from(["quantile", "log"]),
)
tasks = st.builds(
    Task,
    names.map("task_{}".format),
    kind=st.sampled_from(["binary", "regression"]),
    weight=st.floats(0, 10),
    label=st.none() | st.just("Some Label"),
)


@hypothesis.settings(max_examples=50, deadline=None)
@hypothesis.given(
    st.lists(
        categoricals | numerics, min_size=1, unique_by=lambda part: part.name
    ),
    st.lists(tasks, min_size=1, unique_by=lambda task: task.name),
    st.integers(1, 99),
)
def test_any_schema_survives_json(fields, tasks, max_length):
    behavior = Behavior(
        "Past", [part.name for part in fields], max_length, timed=True
    )
    schema = Schema(fields, tasks, [behavior], request_time="Now")
    copy = Schema.from_json(schema.to_json())
    assert copy == schema
    assert copy.inputs == schema.inputs
    assert copy.raw_inputs == schema.raw_inputs
    assert copy.fields == tuple(fields)
    assert copy.tasks == tuple(tasks)
