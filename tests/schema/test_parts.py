"""Arguments of fields, behaviors and tasks."""

import dataclasses
import math

import pytest
from schema_examples import BEHAVIORS, FIELDS, TASKS, small_schema

from keras_infnet.schema import Behavior, Categorical, Numeric, Task


class TestParts:
    @pytest.mark.parametrize("part", [FIELDS[0], FIELDS[4], *BEHAVIORS, *TASKS])
    def test_cannot_be_changed(self, part):
        with pytest.raises(dataclasses.FrozenInstanceError):
            part.name = "other"

    def test_defaults_follow_the_name(self):
        assert Categorical("a").table_name == "a"
        assert Numeric("a", table="t").table_name == "t"
        assert Task("y").label_column == "y"
        assert Task("y", label="y of today").label_column == "y of today"
        assert Task("y", weight=2).weight == 2.0
        assert Categorical("a").fixed_size is None

    @pytest.mark.parametrize(
        "name", ["", "1st", "a-b", "a b", "a.b", "ä", "a\n", None, 3]
    )
    @pytest.mark.parametrize(
        "make",
        [
            Categorical,
            Numeric,
            Task,
            lambda name: Behavior(name, ["a"]),
            lambda name: Categorical("a", table=name or "-"),
            lambda name: Numeric("a", table=name or "-"),
            lambda name: small_schema(group=name or "-"),
            lambda name: small_schema(request_time=name or "-"),
        ],
    )
    def test_names(self, make, name):
        with pytest.raises(ValueError, match="names"):
            make(name)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"dtype": "str"}, "dtype of field 'a' 'str'"),
            ({"dtype": ["int"]}, r"dtype of field 'a' \['int'\]"),
            ({"min_count": 0}, "min_count of field 'a'.*0"),
            ({"min_count": True}, "min_count .*True"),
            ({"max_size": 0}, "max_size of field 'a'"),
            ({"max_size": 1.5}, "max_size .*1.5"),
            ({"hash_buckets": -1}, "hash_buckets of field 'a'"),
            ({"max_values": 0}, "max_values of field 'a'"),
            ({"multivalued": "no"}, "multivalued of field 'a'.*'no'"),
            ({"separator": ""}, "separator of field 'a'.*''"),
            ({"separator": 1}, "separator .*1"),
        ],
    )
    def test_categorical(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            Categorical("a", **arguments)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"bins": 1}, "bins of field 'a'.*1"),
            ({"bins": "8"}, "bins .*'8'"),
            ({"binning": "logs"}, "binning .*'logs'"),
        ],
    )
    def test_numeric(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            Numeric("a", **arguments)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"attributes": "item"}, r"attributes .*'item'.*\['item'\]"),
            ({"attributes": 3}, "attributes .*3"),
            ({"attributes": []}, "'b'.*attribute"),
            ({"attributes": [3]}, "attributes .*3"),
            ({"max_length": 0}, "max_length of behavior 'b'"),
            ({"timed": "false"}, "timed of behavior 'b'.*'false'"),
        ],
    )
    def test_behavior(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            Behavior("b", **{"attributes": ["a"], **arguments})

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"kind": "binry"}, "'binry'.*'binary'"),
            ({"weight": -1}, "weight .*-1"),
            ({"weight": math.nan}, "weight .*nan"),
            ({"weight": math.inf}, "weight .*inf"),
            ({"weight": True}, "weight .*True"),
            ({"weight": "1"}, "weight .*'1'"),
            ({"label": ""}, "label of task 'y'.*''"),
            ({"label": 4}, "label .*4"),
        ],
    )
    def test_task(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            Task("y", **arguments)
