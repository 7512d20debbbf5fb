"""Numbers of the recipe are checked before training."""

import pytest

from keras_infnet.optimizers import EmbeddingAdagrad
from keras_infnet.training import make_optimizer


@pytest.mark.parametrize(
    "arguments",
    [
        {"learning_rate": "x"},
        {"learning_rate": 0.0},
        {"embedding_learning_rate": float("nan")},
        {"weight_decay": -1.0},
        {"weight_decay": float("nan")},
        {"warmup_steps": 2.5},
        {"decay_steps": 0},
        {"ema_momentum": 1.0},
        {"global_clipnorm": 0},
        {"global_clipnorm": -1.0},
        {"global_clipnorm": "a"},
        {"learning_rate": float("inf")},
    ],
    ids=str,
)
def test_numbers_out_of_range(arguments):
    ((name, value),) = arguments.items()
    with pytest.raises(ValueError, match=f"`{name}` must be .*{value!r}"):
        make_optimizer(**arguments)


def test_numbers_in_range():
    optimizer = make_optimizer(
        learning_rate=1, weight_decay=0, decay_steps=5, global_clipnorm=1
    )
    dense, table = optimizer.dense, optimizer.embedding
    assert (dense.weight_decay, optimizer.global_clipnorm) == (0, 1)
    assert type(table) is EmbeddingAdagrad
