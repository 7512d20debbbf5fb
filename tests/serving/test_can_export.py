"""What says before any work that models cannot be exported here."""

import importlib.util

import pytest

from keras_infnet.cli import main
from keras_infnet.serving import check_can_export


@pytest.fixture
def no_tensorflow(monkeypatch):
    find_spec = importlib.util.find_spec

    def find(name, package=None):
        return None if name == "tensorflow" else find_spec(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find)


def test_says_what_to_install(no_tensorflow):
    with pytest.raises(ImportError, match=r"\[tensorflow\]"):
        check_can_export()


def test_quickstart_says_so_before_it_trains(
    no_tensorflow, monkeypatch, tmp_path, capsys
):
    monkeypatch.chdir(tmp_path)
    assert main(["quickstart", "--rows", "500"]) != 0
    said = capsys.readouterr()
    assert "[tensorflow]" in said.err
    assert "Training" not in said.out
    assert not list(tmp_path.iterdir())
