"""Parts that do not fit together."""

import pytest
from schema_examples import BEHAVIORS, FIELDS, TASKS, full_schema, small_schema

from keras_infnet.schema import Behavior, Numeric, Task


class TestValidation:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"fields": []}, "needs at least one field"),
            ({"tasks": []}, "needs at least one task"),
            (
                {"fields": ["a"]},
                "must be Categorical or Numeric. Received: 'a'",
            ),
            ({"tasks": [Numeric("a")]}, "tasks must be Task. Received: Num"),
            ({"behaviors": [Task("y")]}, "behaviors must be Behavior."),
            ({"time_unit": "sec"}, "unknown time_unit 'sec'"),
            ({"candidates": "tab"}, "a list of names. Received: 'tab'"),
            ({"candidates": ["tab", "tab"]}, "names of candidates must be"),
            ({"candidates": ["itm_id"]}, "candidates 'itm_id'. Did you mean"),
            ({"candidates": ["click"]}, "unknown field in candidates 'click'"),
            ({"scenario": "tabs"}, "unknown field 'tabs'. Did you mean 'tab'"),
            ({"scenario": "price"}, "single-valued Categorical. Received: 'p"),
            ({"scenario": "tags"}, "single-valued Categorical. Received: 't"),
            ({"request_time": None}, "'click' is timed, so the schema needs"),
            ({"request_time": "price"}, "both request_time and an input"),
            ({"request_time": "click_time"}, "both request_time and an input"),
            ({"fields": FIELDS * 2}, "names of fields must be unique. Repea"),
            ({"tasks": TASKS * 2}, "names of tasks must be unique"),
            ({"behaviors": BEHAVIORS * 2}, "names of behaviors must be uniq"),
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
        message = f"must be unique. Repeated: {field}"
        with pytest.raises(ValueError, match=message):
            full_schema(fields=[*FIELDS, Numeric(field)])

    def test_repeated_attribute(self):
        with pytest.raises(ValueError, match="Repeated: b_a"):
            small_schema(behaviors=[Behavior("b", ["a", "a"])])

    def test_unknown_attribute(self):
        with pytest.raises(ValueError, match="unknown field 'aa'. Did you"):
            small_schema(behaviors=[Behavior("b", ["aa"])])

    @pytest.mark.parametrize(
        "column", ["price", "click_item_id", "click_time", "time"]
    )
    def test_label_is_no_input(self, column):
        with pytest.raises(ValueError, match="would see the answer"):
            full_schema(tasks=[Task("y", label=column)])

    @pytest.mark.parametrize(
        ("tasks", "message"),
        [
            ([Task("y", given="x")], "unknown task 'x'"),
            ([Task("y", given="y")], "must name another binary task"),
            (
                [Task("y", given="r"), Task("r", kind="regression")],
                "must name another binary task. Received: 'r'",
            ),
            (
                [Task("a1", given="b1"), Task("b1", given="a1")],
                "'a1' leads back to itself",
            ),
            (
                [
                    Task("y", given="a1"),
                    Task("a1", given="b1"),
                    Task("b1", given="a1"),
                ],
                "leads back to itself",
            ),
        ],
    )
    def test_given(self, tasks, message):
        with pytest.raises(ValueError, match=message):
            small_schema(tasks=tasks)

    def test_given_may_be_a_chain(self):
        tasks = [Task("c", given="b"), Task("b", given="d"), Task("d")]
        assert small_schema(tasks=tasks).task("c").given == "b"
