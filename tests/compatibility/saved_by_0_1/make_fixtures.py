"""Makes the saved models by which later versions are checked.

    KERAS_BACKEND=tensorflow python make_fixtures.py
    KERAS_BACKEND=jax python make_fixtures.py
    KERAS_BACKEND=torch python make_fixtures.py

Run it with the version that is to be remembered. Each call writes
`rows.json`, `model_BACKEND` and, but for PyTorch, `export_BACKEND` beside
this file, and its part of `expected.json`.
"""

import json
import pathlib
import shutil
import tempfile

import keras
import numpy as np

from keras_infnet import Behavior, Categorical, Numeric, Schema, Task
from keras_infnet.data import Batches, Encoder, Table
from keras_infnet.models import INFNet, InterFormer
from keras_infnet.serving import (
    Servable,
    calibrate,
    export,
    load_model_directory,
    save_model_directory,
    serialize_examples,
)
from keras_infnet.training import compile_ranker, fit_ranker, predict_rows
from keras_infnet.version import __version__

HERE = pathlib.Path(__file__).resolve().parent
BACKEND = keras.backend.backend()
NOW = 1_700_000_000_000
# The rows behind hold values that the encoder never saw.
FITTED_ROWS = 32
STEP_ROWS = 16
CITIES = ("Paris", "Zürich", "京都", "New York, NY")
TOPICS = ("red", "blue", "with space", "green")

#: Class, its settings and those of `compile_ranker`, by backend.
MODELS = {
    "tensorflow": (
        INFNet,
        {
            "variant": "hub",
            "token_dim": 4,
            "num_blocks": 1,
            "num_categorical_tokens": 2,
            "num_shared_tokens": 1,
            "expansion": 1,
            "tower_dims": (4,),
            "tower_inputs": "all",
            "normalize_tokens": False,
            "name": "hub",
        },
        {
            "learning_rate": 0.01,
            "warmup_steps": 2,
            "decay_steps": 40,
            "global_clipnorm": 1.0,
        },
    ),
    "jax": (
        INFNet,
        {
            "variant": "proxy",
            "token_dim": 4,
            "num_blocks": 1,
            "num_categorical_tokens": 2,
            "num_shared_tokens": 1,
            "expansion": 1,
            "tower_dims": (4,),
            "activation": "silu",
            "loss_weighting": "uncertainty",
            "name": "proxy",
        },
        {
            "learning_rate": 0.03,
            "embedding_learning_rate": 0.2,
            "embedding_optimizer": "rowwise_adagrad",
            "ema_momentum": 0.5,
        },
    ),
    "torch": (
        InterFormer,
        {
            "token_dim": 4,
            "num_layers": 1,
            "num_heads": 2,
            "num_summary_tokens": 2,
            "num_recent_tokens": 1,
            "cross_rank": 2,
            "hidden_dims": (4,),
            "dropout": 0.0,
        },
        {
            "learning_rate": 0.01,
            "embedding_optimizer": "lazy_adam",
            "embedding_learning_rate": 0.01,
        },
    ),
}


def make_schema():
    return Schema(
        fields=[
            Categorical("user", hash_buckets=12),
            Categorical("item"),
            Categorical("city", dtype="string"),
            Numeric("price", bins=4),
        ],
        tasks=[
            Task("click"),
            Task("like", given="click"),
            Task("stay", kind="regression", weight=0.5, label="seconds"),
        ],
        behaviors=[
            Behavior(
                "seen",
                [
                    "item",
                    Categorical(
                        "topics",
                        dtype="string",
                        multivalued=True,
                        max_values=2,
                    ),
                ],
                max_length=4,
                timed=True,
            )
        ],
        group="user",
        scenario="city",
        request_time="at",
        time_unit="ms",
        candidates=["item", "price"],
    )


def make_columns(rows=40, seed=7):
    """Raw columns; about a tenth of what may be missing is missing."""
    rng = np.random.default_rng(seed)

    def or_missing(value, missing=None):
        return missing if rng.random() < 0.1 else value

    users = rng.integers(2**40, size=9)
    names = ("user", "item", "city", "price", "at")
    seen = ("seen_item", "seen_topics", "seen_time")
    columns = {n: [] for n in (*names, *seen, "click", "like", "seconds")}
    for row in range(rows):
        new = row >= FITTED_ROWS
        item = int(rng.integers(10)) + 100 + 5 * new
        city = CITIES[rng.integers(4 if new else 3)]
        price = round(float(rng.lognormal()), 3)
        at = NOW + int(rng.integers(10**6))
        columns["user"].append(int(rng.choice(users)))
        columns["item"].append(or_missing(item, -1))
        columns["city"].append(or_missing(city))
        columns["price"].append(or_missing(price))
        columns["at"].append(at)
        # Some are longer than the schema keeps.
        events = range(rng.integers(7))
        columns["seen_item"].append(
            [or_missing(100 + int(rng.integers(12)), -1) for _ in events]
        )
        columns["seen_topics"].append(
            [
                [TOPICS[rng.integers(4)] for _ in range(rng.integers(4))]
                for _ in events
            ]
        )
        ages = sorted((2 ** rng.uniform(8, 34, len(events))).astype(int))
        columns["seen_time"].append([at - int(age) for age in ages[::-1]])
        click = int(rng.random() < 0.4 + 0.3 * (item % 2))
        like = int(rng.random() < 0.5)
        columns["click"].append(or_missing(click))
        columns["like"].append(like if click else 0)
        columns["seconds"].append(or_missing(round(price + 2 * click, 3)))
    return columns


def plain(arrays):
    """Lists of numbers that are the same float32 when read again."""
    return {
        name: [
            value.decode()
            if isinstance(value, bytes)
            else float(f"{value:.9g}")
            if np.issubdtype(array.dtype, np.floating)
            else int(value)
            for value in np.asarray(array).ravel()
        ]
        for name, array in sorted(arrays.items())
    }


def predictions(model, encoder, table):
    return plain(predict_rows(model, Batches(table, encoder, 16, labels=False)))


def one_more_step(path, encoder, table):
    """Steps so far, and predictions after one more."""
    model = keras.models.load_model(path)
    steps = int(model.optimizer.iterations)
    rows = Batches(table.slice(0, STEP_ROWS), encoder, STEP_ROWS)
    fit_ranker(model, rows, verbose=0)
    return steps, predictions(model, encoder, table)


def of_model(folder, encoder, table, model):
    steps, after = one_more_step(folder / "model.keras", encoder, table)
    return {
        "backend": BACKEND,
        "model": type(model).__name__,
        "predictions": predictions(model, encoder, table),
        "steps": steps,
        "predictions_after_one_more_step": after,
    }


def of_export(folder, encoder, table):
    """Calls of an export: how, with what, and what comes back."""
    import tensorflow as tf

    everything = list(range(len(table)))
    required = ["user", "item", "city"]
    offered = [3, 5, 8, 13, 21, 34, 2]
    calls = [
        {"call": "predict_raw", "rows": everything, "columns": None},
        {"call": "predict_raw", "rows": [0, 39], "columns": required},
        {"call": "serving_default", "rows": everything},
        {"call": "serve_examples", "rows": everything},
    ]
    servable = Servable.load(folder)
    if servable.schema.candidates:
        call = {"call": "rank", "candidates": offered}
        calls.append({**call, "request": 1, "top_k": None})
        calls.append({**call, "request": 4, "top_k": 3})
    signatures = tf.saved_model.load(str(folder / "1")).signatures
    for call in calls:
        match call["call"]:
            case "predict_raw":
                rows = table.take(call["rows"])
                if call["columns"] is not None:
                    rows = rows.select(call["columns"])
                outputs = servable.predict_raw(rows)
            case "rank":
                outputs = servable.rank(
                    table.take([call["request"]]),
                    table.take(call["candidates"]),
                    top_k=call["top_k"],
                )
            case "serving_default":
                rows = table.take(call["rows"])
                (inputs,) = Batches(rows, encoder, len(rows), labels=False)[0]
                outputs = signatures["serving_default"](
                    **{name: tf.constant(x) for name, x in inputs.items()}
                )
            case "serve_examples":
                rows = table.take(call["rows"])
                examples = serialize_examples(rows, encoder.schema)
                outputs = signatures["serve_examples"](
                    inputs=tf.constant(examples)
                )
        call["outputs"] = plain(
            {
                name: output.numpy() if tf.is_tensor(output) else output
                for name, output in outputs.items()
            }
        )
    return {"backend": BACKEND, "calls": calls}


def export_small(model, encoder, table, target):
    settings = {"warmup_rows": (), "candidates": []}
    if BACKEND == "tensorflow":
        settings = {
            "warmup_rows": (1,),
            "fusion": "click ** 0.5 * (1 + 2 * like) + max(stay, 0) / 10",
            "calibration": calibrate(
                model,
                encoder,
                table,
                {"click": "platt", "like": "temperature"},
                {"click": 0.5},
            ),
            "metrics": {"click": {"auc": 0.5}},
            "description": "Shows later versions what this one wrote.",
        }
    # A model that was loaded has no optimizer, so its file is smaller. Settings
    # of a server come beside the model, where nobody needs them.
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / target.name
        export(model, encoder, path, examples=table, **settings)
        shutil.rmtree(target, ignore_errors=True)
        shutil.move(path, target)


def write(path, content):
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    # A line an entry: short, and later changes show.
    if path.name == "rows.json":
        text = text.replace('],"', '],\n"')
    else:
        text = text.replace('},"', '},\n"').replace('],"', '],\n"')
    path.write_text(text + "\n", encoding="utf-8")


def main():
    keras.utils.set_random_seed(5)
    columns = make_columns()
    write(HERE / "rows.json", columns)
    table = Table(columns)
    encoder = Encoder(make_schema()).fit(table.slice(0, FITTED_ROWS))
    model_class, settings, compiled = MODELS[BACKEND]
    model = model_class(encoder.schema, **settings)
    compile_ranker(model, **compiled)
    train = Batches(table.slice(0, FITTED_ROWS), encoder, 16, shuffle=True)
    history = fit_ranker(model, train, epochs=5, verbose=0).history
    name = f"model_{BACKEND}"
    shutil.rmtree(HERE / name, ignore_errors=True)
    folder = save_model_directory(
        model,
        encoder,
        HERE / name,
        metrics={"click": {"auc": history["click_auc"][-1]}},
        history={"loss": history["loss"]},
        config={"seed": 5},
    )
    path = HERE / "expected.json"
    expected = json.loads(path.read_text("utf-8")) if path.exists() else {}
    expected["version"] = __version__
    expected[name] = of_model(folder, encoder, table, model)
    if BACKEND != "torch":
        name = f"export_{BACKEND}"
        export_small(*load_model_directory(folder), table, HERE / name)
        expected[name] = of_export(HERE / name, encoder, table)
    write(path, dict(sorted(expected.items())))


if __name__ == "__main__":
    main()
