"""Examples per second of training."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import keras

from keras_infnet.benchmarks.peers import stock_keras, torch_rechub
from keras_infnet.benchmarks.random_batches import (
    kuairand_schema,
    random_batches,
    tiny_schema,
)
from keras_infnet.benchmarks.report import (
    Chart,
    Report,
    SectionTable,
    milliseconds,
    quotient,
    rate,
)
from keras_infnet.benchmarks.settings import TrainingSettings
from keras_infnet.benchmarks.step_timing import prepared, step_seconds
from keras_infnet.benchmarks.timing import (
    Case,
    interleave,
    ratios,
    spread,
)
from keras_infnet.data import Batches, Encoder, datasets
from keras_infnet.losses import task_loss_weights, task_losses
from keras_infnet.metrics import task_metrics
from keras_infnet.models import INFNet, SharedBottom
from keras_infnet.schema import Schema
from keras_infnet.training import compile_ranker

__all__ = ["infnet_sizes", "kuairand_batches", "measure"]

# Sizes of INFNet in `example_settings/train/kuairand.toml`.
_INFNET: dict[str, Any] = {
    "token_dim": 32,
    "num_blocks": 2,
    "num_categorical_tokens": 8,
    "num_shared_tokens": 2,
    "normalize_tokens": False,
}
_REFERENCE = "INFNet hub, row-sparse"


def measure(settings: TrainingSettings, log: Callable[[str], None]) -> Report:
    """Measures training steps of models on the schema of KuaiRand-Pure."""
    batch_size, steps = settings.batch_size, settings.steps
    if settings.data is None:
        schema = tiny_schema() if settings.tiny else kuairand_schema()
        batches = random_batches(schema, batch_size, steps)
        source = "a few columns" if settings.tiny else "random ids"
    else:
        log("loading KuaiRand-Pure")
        schema, batches = kuairand_batches(settings.data, batch_size, steps)
        source = "its training rows"
    cases, notes = _cases(schema, batches, settings)
    times = interleave(cases, settings.repeats, log)
    rates = {
        name: spread([batch_size / value for value in values])
        for name, values in times.items()
    }
    over = {name: ratios(times, name, _REFERENCE) for name in times}
    headings = ["model", "examples/s", "quartiles", "ms per step", "quartiles"]
    headings += [f"time over {_REFERENCE}", "range"]
    title = f"Training on the schema of KuaiRand-Pure, {source}, "
    table = SectionTable(
        f"{title}batch {batch_size:,}",
        headings,
        [
            [
                name,
                *rate(rates[name]),
                *milliseconds(spread(times[name])),
                *quotient(over[name]),
            ]
            for name in times
        ],
    )
    bars = {name.replace(", ", ",\n"): rates[name] for name in times}
    return Report(
        settings,
        [table],
        notes,
        {
            name: {
                "seconds_a_step": times[name],
                "examples_a_second": dataclasses.asdict(rates[name]),
                "time_over_reference": dataclasses.asdict(over[name]),
            }
            for name in times
        },
        [Chart(table.title, "examples per second", bars=bars)],
    )


def infnet_sizes(tiny: bool) -> dict[str, Any]:
    """Returns the constructor arguments of the measured INFNet."""
    return _INFNET | ({"num_blocks": 1} if tiny else {})


def kuairand_batches(
    path: Any, batch_size: int, count: int
) -> tuple[Schema, list[Any]]:
    """Encodes the last training rows of KuaiRand-Pure."""
    train = datasets.kuairand.load(path, validation=None)
    encoder = Encoder(train.schema).fit(train.train)
    wanted, found = batch_size * count, len(train.train)
    if wanted > found:
        raise ValueError(
            f"`batch_size` times `steps` must be at most {found:,}, the number "
            f"of training rows. Received: {wanted:,}."
        )
    rows = train.train.slice(found - wanted, found)
    data = Batches(rows, encoder, batch_size, shuffle=True)
    return encoder.schema, [data[index] for index in range(count)]


def _cases(
    schema: Schema, batches: list[Any], settings: TrainingSettings
) -> tuple[list[Case], list[str]]:
    dim, dtype = _INFNET["token_dim"], settings.dtype
    sizes = infnet_sizes(settings.tiny)
    data, steps = prepared(batches), settings.steps

    def bottom() -> Any:
        return SharedBottom.from_preset(
            "small", schema, embedding_dim=dim, dtype=dtype
        )

    models = {
        f"INFNet {variant}, {name}": compiled(
            INFNet(schema, variant, **sizes, dtype=dtype)
        )
        for variant in ("hub", "proxy")
        for name, compiled in (
            ("row-sparse", compile_ranker),
            ("dense optimizer", _compile_dense),
        )
    }
    models |= {
        "Shared-Bottom, row-sparse": compile_ranker(bottom()),
        "Shared-Bottom, stock layers and optimizer": (
            stock_keras.shared_bottom(schema, dim, dtype=dtype)
        ),
    }
    cases = [
        Case(name, functools.partial(step_seconds, model, data, steps))
        for name, model in models.items()
    ]
    notes = [
        "Row-sparse: AdamW for dense weights, Adagrad for the embedding rows "
        "of the batch. Dense optimizer: AdamW for all weights.",
        "INFNet: " + ", ".join(f"{k}={v}" for k, v in sizes.items()),
    ]
    if torch_rechub.installed():
        step = torch_rechub.mmoe_step(schema, batches, dim)
        cases.append(
            Case(f"MMoE of torch-rechub {torch_rechub.version()}", step)
        )
        notes.append(
            "torch-rechub runs on PyTorch in float32, with its own trainer "
            "and Adam, on the same batches."
        )
    else:
        notes.append("Skipped: torch-rechub is not installed.")
    return cases, notes


def _compile_dense(model: Any) -> Any:
    """Compiles like `compile_ranker`, with one Keras optimizer for all."""
    model.compile(
        optimizer=keras.optimizers.AdamW(1e-3, weight_decay=1e-4),
        embedding_optimizer="dense",
        loss=task_losses(model.schema),
        loss_weights=task_loss_weights(model.schema),
        weighted_metrics=task_metrics(model.schema),
    )
    return model
