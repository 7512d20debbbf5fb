"""Cases of `check_layer`: the layers of InterFormer."""

import numpy as np
from layer_cases import (
    EVENTS,
    FIELDS,
    HUBS,
    ROWS,
    D,
    case,
    dense,
    normal,
    some_mask,
)

SUMMARY = HUBS  # tokens that summarize the fields
S_SUM = SUMMARY + 2 + 2  # plus two learned queries and two events

# With `some_mask`: rows of three events, one and none.
POSITIONS = np.array([[3, 2, 0, 1, 0], [1, 0, 0, 0, 0], [0] * 5], "int32")
RECENT = np.array([[0, 1, 0, 2, 0], [2, 0, 0, 0, 0], [0] * 5], "int32")

OF_EVENTS = {"padded": ("events", "recent"), "mask": "events_mask"}
OF_SEQUENCE = {
    "padded": ("sequence", "positions"),
    "mask": "sequence_mask",
    "zero_padding": True,
    "empty_is_zero": True,
}
OF_STATE = {
    "padded": ("events", "positions", "recent"),
    "mask": "events_mask",
    "zero_padding": True,
}

GATE = dense(D, D, D)
# The keys have no bias.
ATTENTION = 4 * D * D + 3 * D
CROSS_TOKENS = FIELDS * SUMMARY + GATE
CROSS_SEQUENCE = 2 * D + ATTENTION + GATE
HYPER = dense(SUMMARY * D, 2 * D, D * D)
SEQUENCE_ARCH = HYPER + ATTENTION + 2 * 2 * D


def dhen(seen, out, rank):
    """Parameters of one ensemble, without the normalization after it."""
    return (
        dense(seen * (seen - 1) // 2, out * D)
        + 2 * seen * D * rank
        + seen * D
        + dense(seen * D, out * D)
        + seen * out
        + 2 * D
    )


def both(cls=True):
    inputs = {
        "tokens": normal(FIELDS, D),
        "events": normal(EVENTS, D),
        "events_mask": some_mask(),
        "recent": RECENT,
    }
    return {**inputs, "cls": normal(SUMMARY, D)} if cls else inputs


def state(*more):
    return {
        **both(cls=False),
        "events": normal(EVENTS, D) * some_mask()[..., None],
        "positions": POSITIONS,
        **{name: normal(SUMMARY, D) for name in more},
    }


def two_behaviors():
    likes = np.array([[0, 1, 1], [1, 1, 1], [0, 0, 0]], bool)
    return {
        "events": {"clicks": normal(EVENTS, 2, 3), "likes": normal(3, 1, 3)},
        "mask": {"clicks": some_mask(), "likes": likes},
    }


SIZES = {
    "num_summary_tokens": SUMMARY,
    "num_pma_tokens": 2,
    "num_recent_tokens": 2,
    "num_heads": 2,
}
PAIR = {"tokens": normal(FIELDS, D), "summary": normal(SUMMARY, D)}
PERSONAL = {"sequence": normal(EVENTS, D), "summary": normal(SUMMARY, D)}
MASKED = {**PERSONAL, "sequence_mask": some_mask(), "positions": POSITIONS}
SEEN = FIELDS + SUMMARY

CASES = [
    case(
        "MaskNet",
        {"dim": 3, "activation": "relu"},
        {"x": normal(EVENTS, 6), "mask": some_mask()},
        dense(6, 6, 6) + dense(6, 3),
        ({"dim": 0}, "`dim`"),
        padded=("x",),
        mask="mask",
        zero_padding=True,
        empty_is_zero=True,
    ),
    case(
        "SelfGate",
        {},
        {"x": normal(FIELDS, D)},
        GATE,
        ({"gate": "open"}, "`gate`"),
    ),
    case(
        "SelfGate",
        {"gate": "paper", "gate_activation": "tanh", "activation": "relu"},
        {"x": normal(FIELDS, D)},
        GATE,
        label="_paper",
    ),
    case(
        "RotaryAttention",
        {"num_heads": 2, "base": 100.0},
        {
            "query": normal(HUBS, D),
            "source": normal(EVENTS, 3),
            "source_mask": some_mask(),
            "query_positions": np.array([[0, 1, 7]] * ROWS, "int32"),
            "positions": POSITIONS,
        },
        2 * D * D + 2 * 3 * D + 3 * D,
        ({"num_heads": 0}, "`num_heads`"),
        padded=("source", "positions"),
        mask="source_mask",
        output_masks={},
    ),
    case(
        "EventStream",
        {"behaviors": ("clicks",), "dim": D, "num_recent_tokens": 1},
        {
            "events": {"clicks": normal(EVENTS, 2, 3)},
            "mask": {"clicks": some_mask()},
        },
        dense(6, 6, 6) + dense(6, D),
        ({"behaviors": ()}, "`behaviors`"),
        ({"behaviors": ("a",), "merge": "space"}, "`merge`"),
    ),
    case(
        "EventStream",
        {"behaviors": ("clicks", "likes"), "dim": D, "activation": "relu"},
        two_behaviors(),
        dense(9, 9, 9) + dense(9, D),
        label="_by_feature",
    ),
    case(
        "EventStream",
        {"behaviors": ("likes", "clicks"), "dim": D, "merge": "time"},
        two_behaviors(),
        dense(6, 6, 6) + dense(6, D) + dense(3, 3, 3) + dense(3, D),
        label="_by_time",
    ),
    case(
        "CrossArch",
        SIZES,
        both(),
        CROSS_TOKENS + CROSS_SEQUENCE,
        ({"summarize": "all"}, "`summarize`"),
        ({"num_recent_tokens": 0}, "`num_recent_tokens`"),
        ({"gate": "open"}, "`gate`"),
        **OF_EVENTS,
    ),
    case(
        "CrossArch",
        SIZES,
        both(cls=False),
        CROSS_TOKENS + CROSS_SEQUENCE,
        label="_first",
        **OF_EVENTS,
    ),
    case(
        "CrossArch",
        {**SIZES, "summarize": "sequence", "gate": "paper"},
        both(),
        CROSS_SEQUENCE,
        label="_of_events",
        **OF_EVENTS,
    ),
    case(
        "CrossArch",
        {**SIZES, "summarize": "tokens"},
        both(),
        CROSS_TOKENS,
        label="_of_fields",
        **OF_EVENTS,
    ),
    case(
        "InteractionEnsemble",
        {"num_tokens": 3, "cross_rank": 2},
        {"tokens": normal(FIELDS, D)},
        dhen(FIELDS, 3, 2),
        ({"num_tokens": 0}, "`num_tokens`"),
    ),
    case(
        "InteractionArch",
        {"cross_rank": 2},
        PAIR,
        dhen(SEEN, FIELDS, 2) + 2 * D,
        ({"interaction": "fm"}, "`interaction`"),
        ({"interaction": "dot", "num_layers": 2}, "num_layers=2"),
    ),
    case(
        "InteractionArch",
        {"cross_rank": 2, "num_layers": 2, "residual": False},
        PAIR,
        dhen(SEEN, SEEN, 2) + dhen(SEEN, FIELDS, 2),
        label="_two_layers",
    ),
    case(
        "InteractionArch",
        {"interaction": "dot"},
        PAIR,
        dense(SEEN * (SEEN - 1) // 2, FIELDS * D) + 2 * D,
        label="_dot",
    ),
    case(
        "InteractionArch",
        {"interaction": "dcnv2", "num_layers": 2, "cross_rank": 2},
        PAIR,
        2 * (2 * SEEN * D * 2 + SEEN * D) + dense(SEEN * D, FIELDS * D) + 2 * D,
        label="_dcnv2",
    ),
    case(
        "PersonalizedFFN",
        {},
        PERSONAL,
        HYPER,
        ({"mode": "film"}, "`mode`"),
        ({"hidden_dim": 3}, "`hidden_dim`"),
        ({"mode": "twolayer", "hidden_dim": 0}, "`hidden_dim`"),
    ),
    case(
        "PersonalizedFFN",
        {"mode": "lowrank"},
        PERSONAL,
        SUMMARY * D,
        label="_lowrank",
    ),
    case(
        "PersonalizedFFN",
        {"mode": "twolayer", "hidden_dim": 3, "activation": "relu"},
        PERSONAL,
        2 * dense(SUMMARY * D, 2 * D, 3 * D) + 2 * 3 + 2 * D,
        label="_twolayer",
    ),
    case(
        "SequenceArch",
        {"num_heads": 2, "dropout": 0.1},
        MASKED,
        SEQUENCE_ARCH,
        ({"pffn": "film"}, "`pffn`"),
        ({"num_heads": 0}, "`num_heads`"),
        **OF_SEQUENCE,
    ),
    case(
        "SequenceArch",
        {"num_heads": 1, "pffn": "lowrank", "residual": False},
        MASKED,
        SUMMARY * D + ATTENTION,
        label="_literal",
        **OF_SEQUENCE,
    ),
    case(
        "InterFormerBlock",
        {**SIZES, "cross_rank": 2},
        state("cls"),
        CROSS_TOKENS
        + CROSS_SEQUENCE
        + dhen(FIELDS + S_SUM, FIELDS, 2)
        + 2 * D
        + SEQUENCE_ARCH,
        ({"exchange": "all"}, "`exchange`"),
        ({"num_pma_tokens": 0}, "`num_pma_tokens`"),
        ({"interaction": "fm"}, "`interaction`"),
        **OF_STATE,
    ),
    case(
        "InterFormerBlock",
        {**SIZES, "interaction": "dot", "exchange": "n2s"},
        state(),
        CROSS_TOKENS + dense(1, FIELDS * D) + 2 * D + SEQUENCE_ARCH,
        label="_first_n2s",
        **OF_STATE,
    ),
    case(
        "InterFormerBlock",
        {
            **SIZES,
            "interaction": "dot",
            "gate": "paper",
            "pffn": "lowrank",
            "residual": False,
            "exchange": "s2n",
        },
        state("summary"),
        CROSS_SEQUENCE
        + dense((FIELDS + S_SUM) * (FIELDS + S_SUM - 1) // 2, FIELDS * D)
        + SUMMARY * D
        + ATTENTION,
        label="_first_s2n",
        **OF_STATE,
    ),
    case(
        "InterFormerBlock",
        {**SIZES, "interaction": "dcnv2", "cross_rank": 2, "exchange": "none"},
        state("summary", "cls"),
        2 * FIELDS * D * 2
        + FIELDS * D
        + dense(FIELDS * D, FIELDS * D)
        + 2 * D
        + SEQUENCE_ARCH,
        label="_none",
        **OF_STATE,
    ),
]
