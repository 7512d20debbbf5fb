"""`summary` groups layers, and Keras can draw every model."""

import shutil

import keras
import pytest

from keras_infnet.models import INFNet, Ranker
from keras_infnet.schema import Behavior, Categorical, Schema, Task

NAMES = [f"field_{i}" for i in range(30)]


@pytest.fixture(scope="module")
def model():
    schema = Schema(
        [*map(Categorical, NAMES)],
        [Task("click"), Task("like")],
        [Behavior("viewed", NAMES[:3])],
        table_sizes=dict.fromkeys(NAMES, 5),
    )
    return INFNet(schema, token_dim=4, num_blocks=1)


def test_the_summary_groups_layers(model):
    printed = []
    model.summary(print_fn=printed.append)
    (text,) = printed
    lines = text.splitlines()
    assert len(lines) < 25 < len(model.layers)
    assert max(map(len, lines)) <= 100
    towers = [line for line in lines if line.startswith("TaskTower")]
    names = {"click", "like"}
    params = sum(model.get_layer(name).count_params() for name in names)
    assert len(towers) == 1 and towers[0].endswith(f" {params:,}")
    assert all(name in towers[0] for name in names)
    # The lines of all groups add up to the model.
    table = text.split("\n\n")[1].splitlines()[1:]
    counts = [int(line.split()[-1].replace(",", "")) for line in table]
    assert sum(counts) == model.count_params()
    assert f"Total params: {model.count_params():,}" in lines


@pytest.mark.parametrize("options", [{"expand": True}, {"line_length": 90}])
def test_keras_prints_all_layers(model, options):
    printed = []
    model.summary(print_fn=lambda line, **_: printed.append(line), **options)
    text = "\n".join(printed)
    assert all(name in text for name in NAMES)
    assert len(text.splitlines()) > len(model.layers)


def test_every_model_has_the_summary():
    assert INFNet.summary is Ranker.summary


def test_plot_model(model, tmp_path):
    pydot = pytest.importorskip("pydot", reason="needs the extra `plot`")
    graph = keras.utils.model_to_dot(model)
    assert isinstance(graph, pydot.Dot)
    assert len(graph.get_nodes()) >= len(model.layers)
    if shutil.which("dot"):  # Graphviz does not come from pip
        path = tmp_path / "model.png"
        keras.utils.plot_model(model, path, show_shapes=True)
        assert path.stat().st_size > 0
