"""Cases of `check_layer`: sequences of events in order of time."""

import numpy as np
from layer_cases import EVENTS, FIELDS, D, case, dense, normal, some_mask

HSTU = {
    "tokens": normal(EVENTS, D),
    "position": np.cumsum(some_mask(), axis=1, dtype="int32") - 1,
    "tokens_mask": some_mask(),
}
# The second token is older than its neighbors; one time is unknown.
GAPS = np.array([[3, 32, 7, 0, 1], [4] * EVENTS, [0] * EVENTS], "int32")
HSTU_WEIGHTS = 4 * D + 2 * dense(D, 2 * D) + D * D
ONE_TRANS = {
    "sequence": normal(EVENTS, D),
    "fields": normal(FIELDS, D),
    "sequence_mask": some_mask(),
}
# Query, key, value and output of the attention; a hidden layer.
OF_FIELDS = FIELDS * (4 * dense(D, D) + dense(D, 3 * D, D))

CASES = [
    case(
        "HSTULayer",
        {"num_heads": 2, "max_length": 7, "num_gaps": 33, "dropout": 0.1},
        {**HSTU, "gap": GAPS},
        HSTU_WEIGHTS + 7 + 33,
        ({"num_heads": 0}, "`num_heads`"),
        ({"max_length": 0}, "`max_length`"),
        padded=("tokens", "position", "gap"),
        mask="tokens_mask",
    ),
    case(
        "HSTULayer",
        {"num_heads": 1, "max_length": 2, "last_only": True},
        HSTU,
        HSTU_WEIGHTS + 2,
        label="_last",
    ),
    case(
        "OneTransBlock",
        {"expansion": 3, "activation": "silu", "dropout": 0.1},
        ONE_TRANS,
        2 * D + OF_FIELDS + 4 * dense(D, D) - D + dense(D, 3 * D, D),
        ({"num_heads": 0}, "`num_heads`"),
        ({"expansion": 0}, "`expansion`"),
        ({"num_queries": -1}, "`num_queries`"),
        padded=("sequence",),
        mask="sequence_mask",
    ),
    case(
        "OneTransBlock",
        {"num_queries": 0, "expansion": 3, "activation": "silu"},
        ONE_TRANS,
        2 * D + OF_FIELDS + 2 * dense(D, D) - D,
        label="_last",
        padded=("sequence",),
        mask="sequence_mask",
    ),
    case(
        "OneTransBlock",
        {"num_queries": 2, "expansion": 3, "activation": "silu"},
        ONE_TRANS,
        2 * D + OF_FIELDS + 4 * dense(D, D) - D + dense(D, 3 * D, D),
        label="_pyramid",
    ),
    case(
        "RecentTokens",
        {"length": 2},
        {"tokens": normal(EVENTS, D), "mask": some_mask()},
        0,
        ({"length": 0}, "`length`"),
        padded=("tokens",),
        mask="mask",
        output_masks={"outputs": [[1, 1], [0, 1], [0, 0]]},
        empty_is_zero=True,
    ),
    case(
        "RecentTokens",
        {"length": 7},
        {"tokens": normal(EVENTS, D), "tokens_mask": some_mask(), "gap": GAPS},
        0,
        label="_timed",
        padded=("tokens", "gap"),
        mask="tokens_mask",
        output_masks={"outputs": [[0] * 4 + [1] * 3, [0] * 6 + [1], [0] * 7]},
        empty_is_zero=True,
    ),
]
