"""Every layer through `check_layer`, with parameters counted by hand."""

import autoifs_cases
import interaction_cases
import interformer_cases
import numpy as np
import pytest
import sequence_cases
from layer_cases import (
    BEHAVIORS,
    EVENTS,
    FIELDS,
    HUBS,
    PROXIES,
    RNG,
    ROWS,
    TASKS,
    D,
    case,
    dense,
    normal,
    some_mask,
    start_again,
    state,
)

from keras_infnet import layers
from keras_infnet.testing import check_layer

start_again()
EVENT_INPUTS = {"padded": ("tokens",), "mask": "mask"}
SEQUENCE = {"padded": ("sequence",), "mask": "sequence_mask"}
BAD_GROUPS = (
    ({"updates": ["tasks"]}, "`updates`"),
    ({"updates": ["task"], "broadcasts": ["categorical"]}, "`broadcasts`"),
)
BAD_HEADS = ({"dim": 6, "num_heads": 4}, "`num_heads`")
BAD_SIZES = ({"dim": 6, "num_heads": 0}, "`num_heads`")

CASES = [
    case(
        "AllToAllBlock",
        {"num_heads": 2, "expansion": 2},
        state("hubs", 4, compact=False),
        3 * D * D + 3 * (2 * D + dense(D, 2 * D, 2 * D) + 2 * D),
        ({"variant": "hubs"}, "`variant`"),
        *BAD_GROUPS,
        **SEQUENCE,
        zero_padding=True,
    ),
    case(
        "AllToAllBlock",
        {"variant": "proxy", "broadcasts": ["task"], "expansion": 2},
        state("proxies", 2, compact=False),
        3 * D * D + dense(D, 2 * D, D),
        label="_proxy",
        **SEQUENCE,
        zero_padding=True,
    ),
    case(
        "BehaviorPooling",
        {"reduction": "mean", "hidden_dim": 6},
        {"tokens": normal(EVENTS, D), "mask": some_mask()},
        dense(D, 6, D),
        ({"reduction": "max"}, "`reduction`"),
        **EVENT_INPUTS,
        empty_is_zero=True,
    ),
    case(
        "BehaviorPooling",
        {"reduction": "sum"},
        {"tokens": normal(EVENTS, D), "mask": some_mask()},
        dense(D, D),
        label="_sum",
        **EVENT_INPUTS,
        empty_is_zero=True,
    ),
    case(
        "BroadcastGatedUnit",
        {"expansion": 2, "activation": "silu", "dropout": 0.3},
        {
            "tokens": normal(EVENTS, D),
            "hubs": normal(HUBS, D),
            "tokens_mask": some_mask(),
        },
        dense(HUBS * D, 2 * D, 2 * D) + 2 * D,
        padded=("tokens",),
        mask="tokens_mask",
        zero_padding=True,
        empty_is_zero=True,
    ),
    case(
        "CrossAttention",
        {"dim": 6, "num_heads": 2, "fold": True},
        {
            "query": normal(HUBS, D),
            "source": normal(EVENTS, 3),
            "source_mask": some_mask(),
            "gate": normal(1, 3),
        },
        D * 6 + 3 * 6 + 3 * 6,
        BAD_HEADS,
        BAD_SIZES,
        padded=("source",),
        mask="source_mask",
        empty_is_zero=True,
    ),
    case(
        "CrossAttention",
        {"dim": D, "project_query": False, "fold": False},
        {
            "query": normal(HUBS, D),
            "source": normal(EVENTS, 3),
            "source_mask": some_mask(),
        },
        2 * 3 * D,
        label="_plain",
        padded=("source",),
        mask="source_mask",
        empty_is_zero=True,
    ),
    case(
        "CrossAttention",
        {"dim": 6, "num_heads": 3},
        {"query": normal(HUBS, D), "source": normal(1, 3)},
        3 * 6,
        label="_one_token",
    ),
    case(
        "EventTokenizer",
        {"dim": D, "max_length": 3, "num_gaps": 4},
        {
            "attributes": normal(EVENTS, 2, 3),
            "attributes_mask": some_mask(),
            # Every bucket occurs among the valid events.
            "gap": np.array([[0, 1, 2, 2, 1], [3] * 5, [0] * 5], "int32"),
        },
        dense(2 * 3, D) + 3 * D + 4 * D,
        padded=("attributes", "gap"),
        mask="attributes_mask",
        zero_padding=True,
        empty_is_zero=True,
    ),
    case(
        "HubBlock",
        {"num_heads": 2, "expansion": 2},
        state("hubs", TASKS + 1),
        3 * (D * D + 3 * D * D + 2 * D)
        + dense(HUBS * D, 2 * D, 2 * D)
        + dense(BEHAVIORS * D, 2 * D, 2 * D)
        + dense((TASKS + 1) * D, 2 * D, 2 * D)
        + 3 * 2 * D
        + 3 * 2 * D * D,
        *BAD_GROUPS,
        **SEQUENCE,
    ),
    case(
        "LearnedTokens",
        {"num_tokens": 3, "dim": D},
        {"like": normal(2)},
        3 * D,
    ),
    case(
        "MLP",
        {"units": 2, "hidden_dims": (5, 6), "dropout": 0.2},
        {"x": normal(D)},
        dense(D, 5, 6, 2),
    ),
    case(
        "ProxyBlock",
        {"num_heads": 2, "expansion": 2},
        state("proxies", PROXIES),
        8 * 3 * D * D
        + dense(HUBS * D, 2 * D, D)
        + dense(BEHAVIORS * D, 2 * D, D)
        + dense(PROXIES * D, 2 * D, D),
        *BAD_GROUPS,
        **SEQUENCE,
    ),
    case(
        "ProxyGatedUnit",
        {"expansion": 2},
        {"tokens": normal(EVENTS, D), "proxies": normal(PROXIES, D)},
        dense(PROXIES * D, 2 * D, D),
    ),
    case(
        "StackedEmbedding",
        {
            "table_sizes": {"item": 3, "tag": 4},
            "groups": {
                "fields": [("item", "item"), ("tags", "tag")],
                "clicks": [("clicks_item", "item"), ("clicks_tags", "tag")],
            },
            "multivalued": ("tags", "clicks_tags"),
            "dim": D,
            "row_multiple": 1,
        },
        {
            "inputs": {
                "item": np.array([0, 1, 2], "int32"),
                "tags": np.array([[1, 2], [0, 0], [3, 0]], "int32"),
                "clicks_item": np.array([[1, 1], [2, 0], [0, 0]], "int32"),
                "clicks_tags": RNG.integers(0, 4, (ROWS, 2, 3), "int32"),
            }
        },
        7 * D,
        ({"table_sizes": {"a": 3}, "groups": {"g": [("x", "b")]}}, "table 'b'"),
    ),
    case(
        "TaskTower",
        {"hidden_dims": (5,), "kind": "regression", "dropout": 0.1},
        {"x": normal(D)},
        dense(D, 5, 1),
        ({"kind": "ranking"}, "`kind`"),
        float32_output=True,
    ),
    case(
        "TokenCompression",
        {"num_tokens": 3, "expansion": 2},
        {"x": normal(FIELDS, D)},
        dense(FIELDS * D, 2 * D, 3 * D),
    ),
    case(
        "TokenNormalization",
        {"epsilon": 1e-4},
        {"tokens": normal(EVENTS, D), "mask": some_mask()},
        2 * D,
        **EVENT_INPUTS,
        zero_padding=True,
        empty_is_zero=True,
    ),
]
CASES += interaction_cases.CASES + sequence_cases.CASES
CASES += interformer_cases.CASES + autoifs_cases.CASES


@pytest.mark.parametrize(("cls", "kwargs", "inputs", "more"), CASES)
def test_layer(cls, kwargs, inputs, more):
    check_layer(cls, kwargs, inputs, **more)


def test_every_layer_has_a_case():
    tested = {param.values[0].__name__ for param in CASES}
    assert tested == set(layers.__all__)
