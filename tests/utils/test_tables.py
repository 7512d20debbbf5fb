"""Text tables fit the width that they are given."""

import io

import pytest

from keras_infnet.utils.tables import aligned_table

HEADINGS = ["model", *(f"metric_{i}" for i in range(14))]
LINES = [HEADINGS, ["INFNet", *("0.1234" for _ in range(14))]]


@pytest.mark.parametrize("width", [20, 80, 100, 120])
def test_columns_that_do_not_fit_follow_below(width):
    text = aligned_table(LINES, width=width)
    assert max(map(len, text.splitlines())) <= width
    tables = text.split("\n\n")
    assert all(table.startswith("model") for table in tables)
    found = [name for t in tables for name in t.splitlines()[0].split()[1:]]
    assert found == HEADINGS[1:]
    if width >= 80:  # no table has one column left
        assert {len(t.splitlines()[0]) > 30 for t in tables} == {True}


def test_the_width_is_that_of_the_terminal_and_at_most_100(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert len(aligned_table(LINES).splitlines()[0]) <= 100
    monkeypatch.setattr("sys.stdout", Terminal())
    for columns in (60, 80, 120):
        monkeypatch.setenv("COLUMNS", str(columns))
        longest = max(map(len, aligned_table(LINES).splitlines()))
        assert longest <= min(columns, 100)


def test_a_cell_wider_than_the_table_is_folded():
    text = aligned_table([["trial", "note"], ["1", "x" * 50]], [1], width=30)
    assert max(map(len, text.splitlines())) <= 30
    assert text.count("x") == 50
