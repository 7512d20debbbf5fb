"""Models by name and by import path."""

import sys

import pytest

from keras_infnet import models
from keras_infnet.models import find_model, model_names

OWN_MODEL = """
import keras
from keras_infnet.models import INFNet

@keras.saving.register_keras_serializable("own_rankers")
class MyNet(INFNet):
    pass

class Unregistered(INFNet):
    pass

some_number = 3
"""


@pytest.fixture
def own_package(tmp_path, monkeypatch):
    """A package `own_rankers` with two modules, the second of which fails."""
    package = tmp_path / "own_rankers"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "nets.py").write_text(OWN_MODEL)
    (package / "needs_more.py").write_text("import no_such_library.part\n")
    (package / "fails.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in [n for n in sys.modules if n.startswith("own_rankers")]:
        del sys.modules[name]


def test_names_of_the_package():
    assert find_model("INFNet") is models.INFNet
    assert find_model("keras_infnet.models:DCNv2") is models.DCNv2
    assert len(model_names()) == 20
    for name in model_names():
        assert find_model(name) is getattr(models, name)


def test_an_import_path_names_a_class_of_ones_own(own_package):
    own = find_model("own_rankers.nets:MyNet")
    assert own.__name__ == "MyNet"
    assert own.__module__ == "own_rankers.nets"
    assert issubclass(own, models.INFNet)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("INFnet", ["'INFnet'", "Did you mean 'INFNet'?", "my_module:MyNet"]),
        ("find_model", ["'find_model'", "GDCN"]),
        (3, ["3", "int"]),
        ("own_rankers.nets:", ["'own_rankers.nets:'"]),
        (":MyNet", ["':MyNet'"]),
        ("../own_rankers:MyNet", ["'../own_rankers:MyNet'"]),
        (".nets:MyNet", ["'.nets:MyNet'"]),
        ("no_such_package.nets:MyNet", ["'no_such_package'", "PYTHONPATH"]),
        ("own_rankers.net:MyNet", ["'own_rankers.net'", "PYTHONPATH"]),
        ("own_rankers.nets:Unregistered", ["register_keras_serializable"]),
        ("own_rankers.nets:MyNett", ["'MyNett'", "Did you mean 'MyNet'?"]),
        ("own_rankers.nets:some_number", ["not a model", "Received: 3"]),
        ("own_rankers.needs_more:MyNet", ["needs", "'no_such_library'"]),
        ("own_rankers.fails:MyNet", ["ZeroDivisionError", "own_rankers.fails"]),
    ],
)
def test_errors_say_what_was_wrong(own_package, name, words):
    with pytest.raises(ValueError) as error:
        find_model(name)
    for word in words:
        assert word in str(error.value)
