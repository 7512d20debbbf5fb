"""Cases of `check_layer`: the layers of AutoIFS."""

import numpy as np
from layer_cases import D, case, dense, normal

GROUPS, RANK, UNITS, SCORES = 3, 2, 5, 4

# The last row belongs to no group.
CHOSEN = np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]], "float32")
DECOUPLED = {"units": UNITS, "num_groups": GROUPS, "rank": RANK}
WEIGHTS = dense(D, UNITS) + GROUPS * (D * RANK + RANK * UNITS + UNITS)

CASES = [
    case(
        "DecoupledDense",
        DECOUPLED,
        {"x": normal(D)},
        WEIGHTS,
        ({**DECOUPLED, "rank": 0}, "`rank`"),
        ({**DECOUPLED, "num_groups": 0}, "`num_groups`"),
    ),
    case(
        "DecoupledDense",
        DECOUPLED,
        {"x": normal(2, D)},
        WEIGHTS,
        label="_more_axes",
    ),
    case(
        "DecoupledDense",
        {**DECOUPLED, "rank": 1},
        {"x": normal(D), "chosen": CHOSEN},
        dense(D, UNITS) + GROUPS * (D + UNITS + UNITS),
        label="_chosen",
    ),
    case(
        "InformationFlowGate",
        {"num_tasks": 2, "hidden_dims": (7,), "activation": "silu"},
        {"x": normal(D)},
        dense(D, 7, 2 * SCORES) + 1,
        ({"num_tasks": 0}, "`num_tasks`"),
        ({"num_tasks": 2, "penalties": (0.1,)}, "one number per task"),
        float32_output=True,
    ),
    case(
        "InformationFlowGate",
        {"num_tasks": 3, "penalties": (0.1, 0.0, 0.2)},
        {"x": np.eye(3, dtype="float32")},
        3 * 3 * SCORES + 1,
        label="_table",
        float32_output=True,
    ),
    case(
        "MLP",
        {"units": 2, "hidden_dims": (5,), "use_batch_norm": True},
        {"x": normal(D)},
        dense(D, 5, 2) + 4 * 5,
        label="_batch_norm",
    ),
]
