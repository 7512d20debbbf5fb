"""Names: the nearest one, and those that are refused."""

import pytest

from keras_infnet.schema import (
    Behavior,
    Categorical,
    Schema,
    Task,
    nearest_name,
)


@pytest.mark.parametrize(
    ("name", "known", "message"),
    [
        (
            "itm",
            ["tab", "item"],
            "unknown field 'itm'. Did you mean 'item'? Known: item, tab.",
        ),
        ("zzz", ["tab", "item"], "unknown field 'zzz'. Known: item, tab."),
        ("a", [], "unknown field 'a'. Known: none."),
        (None, ["a"], "unknown field None. Known: a."),
    ],
)
def test_nearest_name(name, known, message):
    assert nearest_name(name, known, "field") == message


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"fields": [Categorical("Item"), Categorical("item")]}, "case"),
        ({"tasks": [Task("Click"), Task("click")]}, "case"),
        (
            {
                "fields": [Categorical("Time")],
                "behaviors": [Behavior("b", [Categorical("i")], timed=True)],
                "request_time": "time",
            },
            "case",
        ),
        (
            {
                "fields": [Categorical("age")],
                "tasks": [Task("age", label="dwell")],
            },
            "'age'",
        ),
    ],
)
def test_names_that_a_graph_cannot_hold(parts, message):
    arguments = {"fields": [Categorical("item")], "tasks": [Task("click")]}
    with pytest.raises(ValueError, match=message):
        Schema(**{**arguments, **parts})


def test_words_of_the_language_name_no_field():
    with pytest.raises(ValueError, match="'class'"):
        Categorical("class")
