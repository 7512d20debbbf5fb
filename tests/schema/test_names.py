"""Names: the nearest one, and those that are refused."""

import pytest

from keras_infnet.schema import (
    Behavior,
    Categorical,
    Schema,
    Task,
    nearest_name,
)


class TestNearestName:
    def test_close(self):
        message = nearest_name("itm", ["tab", "item"], "field")
        expected = "unknown field 'itm'. Did you mean 'item'? Known: item, tab."
        assert message == expected

    def test_far(self):
        message = nearest_name("zzz", ["tab", "item"], "task")
        assert message == "unknown task 'zzz'. Known: item, tab."

    def test_nothing_known(self):
        assert nearest_name("a", [], "task").endswith("Known: none.")

    def test_odd_values(self):
        assert nearest_name(None, ["a"], "kind") == (
            "unknown kind None. Known: a."
        )


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"fields": [Categorical("Item"), Categorical("item")]}, "case alone"),
        ({"tasks": [Task("Click"), Task("click")]}, "case alone"),
        (
            {
                "fields": [Categorical("Time")],
                "behaviors": [Behavior("b", [Categorical("i")], timed=True)],
                "request_time": "time",
            },
            "case alone",
        ),
        (
            {
                "fields": [Categorical("age")],
                "tasks": [Task("age", label="dwell")],
            },
            "both a task and an input",
        ),
    ],
)
def test_names_that_a_graph_cannot_hold(parts, message):
    arguments = {"fields": [Categorical("item")], "tasks": [Task("click")]}
    with pytest.raises(ValueError, match=message):
        Schema(**{**arguments, **parts})


def test_words_of_the_language_name_no_field():
    with pytest.raises(ValueError, match="word of the Python language"):
        Categorical("class")
