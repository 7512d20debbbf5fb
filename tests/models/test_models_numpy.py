"""Models against forward passes in NumPy, row by row."""

import functools

import numpy as np
import numpy_baselines as by_hand
import pytest
from gradients import value_and_gradients
from keras import ops
from small_models import small_model
from tiny import NOT_ON_JAX, plain_schema, predictions, random_batch, randomize

SCHEMA = plain_schema(num_tasks=2)
TASKS = SCHEMA.task_names


def logits_fm(rows, linear, w):
    return [by_hand.fm(rows, linear, w, m) for m in range(2)]


def logits_deepfm(rows, linear, w):
    h = by_hand.hidden(rows.reshape(-1), w, "deep")
    return [
        by_hand.fm(rows, linear, w, m) + by_hand.tower(h, w, task)
        for m, task in enumerate(TASKS)
    ]


def logits_deepfm_towers(rows, linear, w):
    h = by_hand.hidden(rows.reshape(-1), w, "deep")
    x = np.concatenate([by_hand.pairs(rows), h])
    return [
        linear[:, m].sum() + by_hand.tower(x, w, task)
        for m, task in enumerate(TASKS)
    ]


def on_trunk(trunk):
    def logits(rows, linear, w):
        h = trunk(rows, w)
        return [
            by_hand.tower(h, w, task)
            + (0 if linear is None else linear[:, m].sum())
            for m, task in enumerate(TASKS)
        ]

    return logits


def parallel(rows, w, step=by_hand.cross):
    x = rows.reshape(-1)
    deep = by_hand.hidden(x, w, "deep")
    return np.concatenate([by_hand.crossed(x, w, step), deep])


def stacked(rows, w):
    x = by_hand.crossed(rows.reshape(-1), w)
    return by_hand.hidden(x, w, "deep_on_crosses")


def stacked_parallel(rows, w):
    deep = by_hand.hidden(rows.reshape(-1), w, "deep")
    return np.concatenate([stacked(rows, w), deep])


def autoint(rows, w, heads=1, scale=False):
    x = rows
    for i in range(2):
        x = by_hand.field_attention(x, w, f"attention_{i}", heads, scale)
    x = x.reshape(-1)
    if heads > 1:
        return x
    deep = by_hand.hidden(rows.reshape(-1), w, "deep")
    return np.concatenate([x, deep])


def wukong(rows, w):
    for i in range(2):
        rows = by_hand.wukong_block(rows, w, f"block_{i}")
    return by_hand.hidden(rows.reshape(-1), w, "deep")


def bottom(rows, w):
    return by_hand.hidden(rows.reshape(-1), w, "bottom")


def logits_mmoe(rows, linear, w):
    x = rows.reshape(-1)
    said = by_hand.experts(x, w, "experts")
    return [
        by_hand.tower(by_hand.mix(x, said, w, f"{task}_gate"), w, task)
        for task in TASKS
    ]


def logits_omoe(rows, linear, w):
    x = rows.reshape(-1)
    said = by_hand.experts(x, w, "experts")
    mixed = by_hand.mix(x, said, w, "gate")
    return [by_hand.tower(mixed, w, task) for task in TASKS]


def logits_ple(rows, linear, w):
    x = {task: rows.reshape(-1) for task in TASKS}
    shared = rows.reshape(-1)
    for level in range(2):
        own = {
            t: by_hand.experts(x[t], w, f"{t}_experts_{level}") for t in TASKS
        }
        common = by_hand.experts(shared, w, f"shared_experts_{level}")
        x = {
            t: by_hand.mix(x[t], own[t] + common, w, f"{t}_gate_{level}")
            for t in TASKS
        }
        if level == 0:
            said = [y for t in TASKS for y in own[t]] + common
            shared = by_hand.mix(shared, said, w, "shared_gate_0")
    return [by_hand.tower(x[task], w, task) for task in TASKS]


def logits_stem(rows, linear, w):
    parts = np.split(rows, 3, axis=1)
    x = {t: part.reshape(-1) for t, part in zip(TASKS, parts, strict=False)}
    shared = parts[-1].reshape(-1)
    for layer in range(2):
        own = [by_hand.experts(x[t], w, f"{t}_experts_{layer}") for t in TASKS]
        common = by_hand.experts(shared, w, f"shared_experts_{layer}")
        said = [y for part in own for y in part] + common
        x = {
            t: by_hand.mix(x[t] + shared, said, w, f"{t}_gate_{layer}")
            for t in TASKS
        }
        if layer == 0:
            shared = by_hand.mix(shared, said, w, "shared_gate_0")
    return [by_hand.tower(x[task], w, task) for task in TASKS]


FORWARD = {
    "AutoInt": on_trunk(autoint),
    "AutoInt_bare": on_trunk(functools.partial(autoint, heads=2, scale=True)),
    "DCNv2": on_trunk(parallel),
    "DCNv2_low_rank": on_trunk(stacked_parallel),
    "DCNv2_mixture": on_trunk(stacked),
    "DCNv2_crosses": on_trunk(
        lambda rows, w: by_hand.crossed(rows.reshape(-1), w)
    ),
    "DeepFM": logits_deepfm,
    "DeepFM_towers": logits_deepfm_towers,
    "FM": logits_fm,
    "GDCN": on_trunk(functools.partial(parallel, step=by_hand.gated_cross)),
    "MMoE": logits_mmoe,
    "OMoE": logits_omoe,
    "PLE": logits_ple,
    "STEM": logits_stem,
    "SharedBottom": on_trunk(bottom),
    "WuKong": on_trunk(wukong),
}


@pytest.mark.parametrize(
    "label",
    [
        pytest.param(label, marks=NOT_ON_JAX if "_" in label else ())
        for label in FORWARD
    ],
)
def test_equals_the_papers(label):
    model = randomize(small_model(label, SCHEMA))
    batch = random_batch(SCHEMA)
    weights = by_hand.weights_of(model)
    linears = [None] * 5
    if any("linear_embedding" in path for path in weights):
        linears = by_hand.embedded(model, batch, name="linear_embedding")
    expected = np.array(
        [
            FORWARD[label](rows, linear, weights)
            for rows, linear in zip(
                by_hand.embedded(model, batch), linears, strict=False
            )
        ]
    )
    assert expected.shape == (5, 2)
    got = predictions(model, batch)
    for m, task in enumerate(TASKS):
        np.testing.assert_allclose(
            got[task][:, 0],
            by_hand.sigmoid(expected[:, m]),
            rtol=1e-5,
            atol=1e-6,
        )


def test_one_task_of_fm_has_no_weight_on_the_products():
    model = small_model("FM", plain_schema(num_tasks=1))
    paths = [w.path for w in model.weights]
    assert "factorization_machine/bias" in paths
    assert "factorization_machine/kernel" not in paths


def test_losses_of_stem_stay_off_the_embeddings_of_other_tasks():
    """With one layer: that of its own, and the shared one."""
    model = randomize(small_model("STEM", SCHEMA, num_layers=1))
    batch = random_batch(SCHEMA)
    table = model.get_layer("embedding").embeddings
    for m, task in enumerate(TASKS):
        _, (gradient,) = value_and_gradients(
            lambda task=task: ops.sum(model(batch)[task]), [table]
        )
        own, other, shared = (
            np.abs(part).max()
            for part in (
                gradient[:, 3 * m : 3 * m + 3],
                gradient[:, 3 * (1 - m) : 3 * (1 - m) + 3],
                gradient[:, 6:],
            )
        )
        assert own > 0 and shared > 0 and other == 0
