"""Cases of `check_layer`: interactions, target attention, experts."""

from layer_cases import EVENTS, FIELDS, TASKS, D, case, dense, normal, some_mask

W = 6  # width of a vector
PAIR = {"x0": normal(W), "x": normal(W)}
EXPERTS = 3

# A target, and events with the same two attributes.
TARGET = {
    "query": normal(2, D),
    "events": normal(EVENTS, 2, D),
    "events_mask": some_mask(),
}
OF_EVENTS = {"padded": ("events",), "mask": "events_mask"}

CASES = [
    case(
        "InterestEvolution",
        {},
        TARGET,
        3 * (2 * 8 * 8 + 2 * 8) + (3 * (2 * 8 * 8 + 8) + 8) + 8 * 8,
        ({"gru_type": "lstm"}, "`gru_type`"),
        ({"attention": "cosine"}, "`attention`"),
        **OF_EVENTS,
        empty_is_zero=True,
    ),
    case(
        "InterestEvolution",
        {
            "gru_type": "agru",
            "attention": "din",
            "attention_dims": (5,),
            "activation": "silu",
        },
        TARGET,
        3 * (2 * 8 * 8 + 2 * 8)
        + (2 * (2 * 8 * 8 + 8) + 8)
        + dense(4 * 8, 5)
        + 5,
        label="_din",
        **OF_EVENTS,
        empty_is_zero=True,
    ),
    case("Dice", {}, {"x": normal(EVENTS, W)}, 3 * W),
    case(
        "TargetAttention",
        {"hidden_dims": (5, 4)},
        TARGET,
        dense(4 * 2 * D, 5, 4, 1) + 3 * (5 + 4),
        ({"hidden_dims": (0,)}, "`hidden_dims`"),
        **OF_EVENTS,
        empty_is_zero=True,
    ),
    case(
        "TargetAttention",
        {"hidden_dims": (5,), "activation": "silu", "use_softmax": True},
        TARGET,
        dense(4 * 2 * D, 5) + 5,
        label="_softmax",
        **OF_EVENTS,
        empty_is_zero=True,
    ),
    case(
        "TargetSequence",
        {"max_length": 2, "position_dim": 3},
        TARGET,
        3 * 3,
        ({"max_length": 0}, "`max_length`"),
    ),
    case(
        "TransformerBlock",
        {"num_heads": 2, "hidden_dim": 5, "activation": "silu"},
        {"tokens": normal(EVENTS, D), "mask": some_mask()},
        4 * D * D + dense(D, 5, D) + 4 * D,
        ({"num_heads": 0}, "`num_heads`"),
        padded=("tokens",),
        mask="mask",
    ),
    case(
        "TokenDense",
        {"units": 3, "activation": "silu"},
        {"tokens": normal(FIELDS, D)},
        FIELDS * dense(D, 3),
        ({"units": 0}, "`units`"),
    ),
    case(
        "RankMixerBlock",
        {"expansion": 3, "activation": "silu"},
        {"tokens": normal(FIELDS, D)},
        FIELDS * dense(D, 3 * D, D) + 4 * D,
        ({"expansion": 0}, "`expansion`"),
    ),
    case(
        "ExpertGate",
        {},
        {"x": normal(W), "experts": normal(EXPERTS, D)},
        W * EXPERTS,
        ({"hidden_dims": (0,)}, "`hidden_dims`"),
    ),
    case(
        "ExpertGate",
        {"hidden_dims": (5,), "activation": "silu", "dropout": 0.1},
        {"x": normal(W), "experts": normal(EXPERTS, D)},
        dense(W, 5) + 5 * EXPERTS,
        label="_hidden",
    ),
    case(
        "ExpertMLPs",
        {
            "num_experts": EXPERTS,
            "hidden_dims": (5, D),
            "activation": "silu",
            "dropout": 0.1,
        },
        {"x": normal(W)},
        EXPERTS * dense(W, 5, D),
        ({"num_experts": 0}, "`num_experts`"),
        ({"num_experts": 2, "hidden_dims": ()}, "`hidden_dims`"),
    ),
    case(
        "FactorizationMachine",
        {"num_tasks": TASKS},
        {"interaction": normal(D), "linear": normal(FIELDS, TASKS)},
        TASKS + D * TASKS,
        ({"num_tasks": 0}, "`num_tasks`"),
    ),
    case(
        "FactorizationMachine",
        {},
        {"interaction": normal(D), "linear": normal(FIELDS, 1)},
        1,
        label="_one_task",
    ),
    case(
        "FeatureCross",
        {},
        PAIR,
        W * W + W,
        ({"num_experts": 2}, "`projection_dim`"),
        ({"projection_dim": 0}, "`projection_dim`"),
    ),
    case(
        "FeatureCross",
        {"projection_dim": 2},
        PAIR,
        2 * 2 * W + W,
        label="_low_rank",
    ),
    case(
        "FeatureCross",
        {"projection_dim": 2, "num_experts": EXPERTS},
        PAIR,
        EXPERTS * (2 * 2 * W + 2 * 2) + W * EXPERTS + W,
        label="_mixture",
    ),
    case(
        "FieldAttention",
        {"num_heads": 2, "head_dim": 3, "use_scale": True},
        {"tokens": normal(FIELDS, D)},
        4 * D * 6,
        ({"head_dim": 0}, "`head_dim`"),
    ),
    case("GatedCross", {}, PAIR, 2 * W * W + W),
    case("PairwiseInteraction", {}, {"tokens": normal(FIELDS, D)}, 0),
    case(
        "WuKongBlock",
        {
            "num_interaction_tokens": 3,
            "num_compressed_tokens": 2,
            "projection_dim": 2,
            "hidden_dims": (7,),
            "activation": "silu",
            "dropout": 0.1,
        },
        {"tokens": normal(FIELDS, D)},
        FIELDS * (2 + 2 + 5)
        + 2 * 2 * FIELDS
        + dense(2 * FIELDS, 7, 3 * D)
        + 2 * D,
        ({"projection_dim": 0}, "`projection_dim`"),
    ),
    case(
        "WuKongBlock",
        {
            "num_interaction_tokens": 1,
            "num_compressed_tokens": FIELDS - 1,
            "projection_dim": 2,
            "hidden_dims": (),
        },
        {"tokens": normal(FIELDS, D)},
        FIELDS * (2 + FIELDS - 1)
        + 2 * 2 * FIELDS
        + dense(2 * FIELDS, D)
        + 2 * D,
        label="_as_many_tokens",
    ),
]
