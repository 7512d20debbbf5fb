"""Parts that do not fit together."""

import pytest
from schema_examples import BEHAVIORS, FIELDS, TASKS, full_schema, small_schema

from keras_infnet.schema import Behavior, Numeric, Task


class TestValidation:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"fields": []}, "field"),
            ({"tasks": []}, "task"),
            ({"fields": ["a"]}, "fields .*Categorical or Numeric.*'a'"),
            ({"tasks": [Numeric("a")]}, "tasks .*Numeric"),
            ({"behaviors": [Task("y")]}, "behaviors .*Task"),
            ({"time_unit": "sec"}, "unknown time_unit 'sec'"),
            ({"candidates": "tab"}, "candidates .*'tab'"),
            ({"candidates": ["tab", "tab"]}, "candidates .*tab"),
            ({"candidates": ["itm_id"]}, "candidates 'itm_id'.*'item_id'"),
            ({"candidates": ["click"]}, "candidates 'click'"),
            ({"scenario": "tabs"}, "'tabs'.*'tab'"),
            ({"scenario": "price"}, "scenario .*'price'"),
            ({"scenario": "tags"}, "scenario .*'tags'"),
            ({"request_time": None}, "'click'.*request_time"),
            ({"request_time": "price"}, "'price'.*request_time"),
            ({"request_time": "click_time"}, "'click_time'.*request_time"),
            ({"fields": FIELDS * 2}, "fields .*user_id"),
            ({"tasks": TASKS * 2}, "tasks .*purchase"),
            ({"behaviors": BEHAVIORS * 2}, "behaviors .*click"),
        ],
    )
    def test_schema(self, changes, message):
        with pytest.raises(ValueError, match=message):
            full_schema(**changes)

    @pytest.mark.parametrize(
        "field",
        ["click_item_id", "click_mask", "click_gap", "click_time"],
    )
    def test_inputs_do_not_collide(self, field):
        with pytest.raises(ValueError, match=f"inputs .*{field}"):
            full_schema(fields=[*FIELDS, Numeric(field)])

    def test_repeated_attribute(self):
        with pytest.raises(ValueError, match="b_a"):
            small_schema(behaviors=[Behavior("b", ["a", "a"])])

    def test_unknown_attribute(self):
        with pytest.raises(ValueError, match="field 'aa'"):
            small_schema(behaviors=[Behavior("b", ["aa"])])

    @pytest.mark.parametrize(
        "column", ["price", "click_item_id", "click_time", "time"]
    )
    def test_label_is_not_an_input(self, column):
        with pytest.raises(ValueError, match=f"'{column}'.*label.*'y'"):
            full_schema(tasks=[Task("y", label=column)])

    @pytest.mark.parametrize(
        ("tasks", "message"),
        [
            ([Task("y", given="x")], "'x'"),
            ([Task("y", given="y")], "given.*'y'"),
            (
                [Task("y", given="r"), Task("r", kind="regression")],
                "given.*'y'.*'r'",
            ),
            (
                [Task("a1", given="b1"), Task("b1", given="a1")],
                "given.*'a1'.*itself",
            ),
            (
                [
                    Task("y", given="a1"),
                    Task("a1", given="b1"),
                    Task("b1", given="a1"),
                ],
                "given.*itself",
            ),
        ],
    )
    def test_given(self, tasks, message):
        with pytest.raises(ValueError, match=message):
            small_schema(tasks=tasks)

    def test_given_may_be_a_chain(self):
        tasks = [Task("c", given="b"), Task("b", given="d"), Task("d")]
        assert small_schema(tasks=tasks).task("c").given == "b"
