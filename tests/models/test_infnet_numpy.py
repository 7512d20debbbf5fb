"""Both variants against an independent forward in NumPy."""

import pytest
from keras import ops
from numpy_infnet import infnet
from tiny import (
    NOT_ON_JAX,
    SMALL,
    assert_same_predictions,
    plain_schema,
    predictions,
    random_batch,
    randomize,
    rich_schema,
)

from keras_infnet.models import INFNet


def compare(schema, seed=0, lengths=None, **settings):
    settings = {**SMALL, **settings}
    model = randomize(INFNet(schema, **settings), seed)
    batch = random_batch(schema, lengths=lengths, seed=seed)
    outputs = predictions(model, batch)
    weights = {w.path: ops.convert_to_numpy(w) for w in model.weights}
    expected = infnet(weights, batch, schema, **settings)
    assert set(outputs) == set(schema.task_names)
    assert {y.shape for y in outputs.values()} == {(5, 1)}
    assert_same_predictions(outputs, expected)


@pytest.mark.parametrize(
    ("num_blocks", "fold"),
    [
        (2, True),
        (1, None),
        *(
            pytest.param(*case, marks=NOT_ON_JAX)
            for case in ((1, True), (2, False), (3, None))
        ),
    ],
)
@pytest.mark.parametrize("variant", ["hub", "proxy"])
def test_equals_the_equations(variant, num_blocks, fold):
    compare(
        rich_schema(),
        seed=num_blocks,
        variant=variant,
        num_blocks=num_blocks,
        fold=fold,
    )


@NOT_ON_JAX
@pytest.mark.parametrize(
    "settings",
    [
        {"residual": False, "normalize_tokens": False, "fold": True},
        {"num_heads": 2, "fold": True},
        {"use_positions": False, "use_time_gaps": False, "num_blocks": 1},
        {"ablate": ("task",), "variants": ("hub",)},
        {"ablate": ("aggregate",)},
        {"ablate": ("broadcast",)},
        {"tower_inputs": "all"},
        {"hub_initialization": "mean", "variants": ("hub",)},
        {"hub_initialization": "random", "variants": ("hub",)},
        {"normalize_tokens": False},
        {"residual": False},
        {"num_heads": 3, "fold": False},
        {"num_heads": 6},
        {"use_positions": False},
        {"use_time_gaps": False},
        {"tower_dims": ()},
        {"tower_dims": (7, 3), "expansion": 3},
        {"num_shared_tokens": 1, "num_categorical_tokens": 1},
        {"num_shared_tokens": 0, "variants": ("hub",)},
        {"ablate": ("task",), "variants": ("hub",), "num_blocks": 1},
        {"ablate": ("aggregate",), "num_blocks": 1},
        {"ablate": ("broadcast",), "num_blocks": 1},
        {"tower_inputs": "all", "num_blocks": 1},
        {"tower_inputs": "all", "ablate": ("aggregate",)},
        {"tower_inputs": "all", "ablate": ("broadcast",)},
        {
            "tower_inputs": "all",
            "ablate": ("task",),
            "variants": ("hub",),
        },
    ],
    ids=str,
)
def test_options_equal_the_equations(settings):
    settings = dict(settings)
    for variant in settings.pop("variants", ("hub", "proxy")):
        compare(rich_schema(), variant=variant, **settings)


@NOT_ON_JAX
@pytest.mark.parametrize("variant", ["hub", "proxy"])
@pytest.mark.parametrize(
    "schema",
    [
        plain_schema(num_tasks=1),
        plain_schema(behaviors=()),
        plain_schema(num_tasks=1, behaviors=()),
        plain_schema(behaviors=("a", "b", "c"), timed=True),
    ],
    ids=["one_task", "no_behaviors", "one_task_no_behaviors", "three"],
)
def test_schemas_equal_the_equations(schema, variant):
    compare(schema, variant=variant)
    compare(schema, variant=variant, tower_inputs="all", num_blocks=1)


@NOT_ON_JAX
@pytest.mark.parametrize("variant", ["hub", "proxy"])
@pytest.mark.parametrize("length", [1, 9])
def test_other_lengths_equal_the_equations(variant, length):
    """A behavior may be shorter or longer than its `max_length`."""
    lengths = {"clicks": length, "likes": 2 * length}
    compare(rich_schema(), variant=variant, lengths=lengths)
