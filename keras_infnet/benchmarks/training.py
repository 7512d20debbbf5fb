"""How many examples a second does training take?"""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras

from keras_infnet.benchmarks.machine import describe_machine
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
)
from keras_infnet.benchmarks.settings import TrainingSettings
from keras_infnet.benchmarks.step_timing import prepared, step_seconds
from keras_infnet.benchmarks.timing import (
    Case,
    Spread,
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

# Size of INFNet in `examples/configs/kuairand.toml`.
_INFNET: dict[str, Any] = {
    "token_dim": 32,
    "num_blocks": 2,
    "num_categorical_tokens": 8,
    "num_shared_tokens": 2,
    "normalize_tokens": False,
}
_REFERENCE = "INFNet hub, by rows"


def measure(settings: TrainingSettings, log: Callable[[str], None]) -> Report:
    """Measures steps of models on the schema of KuaiRand-Pure."""
    machine = describe_machine()
    size, steps = settings.batch_size, settings.steps
    if settings.data is None:
        schema = tiny_schema() if settings.tiny else kuairand_schema()
        batches = random_batches(schema, size, steps)
    else:
        log("loading KuaiRand-Pure")
        schema, batches = kuairand_batches(settings.data, size, steps)
    cases, notes = _cases(schema, batches, settings)
    times = interleave(cases, settings.repeats, log)
    seconds = {case.name: spread(times[case.name]) for case in cases}
    rates = {
        name: spread([size / value for value in times[name]]) for name in times
    }
    over = {name: ratios(times, name, _REFERENCE) for name in times}
    rows = [
        [
            name,
            f"{rates[name].median:,.0f}",
            f"{rates[name].lower:,.0f} - {rates[name].upper:,.0f}",
            *milliseconds(seconds[name]),
            *quotient(over[name]),
        ]
        for name in times
    ]
    headings = ["model", "examples/s", "quartiles", "ms a step", "quartiles"]
    headings += ["time over hub by rows", "range"]
    source = "random ids" if settings.data is None else "its training part"
    source = "cut to a few columns" if settings.tiny else source
    title = f"Training on the schema of KuaiRand-Pure, {source}, batch {size:,}"
    return Report(
        "training",
        machine,
        {
            **dataclasses.asdict(settings),
            "infnet": infnet_sizes(settings.tiny),
        },
        [SectionTable(title, headings, rows)],
        notes,
        {
            name: {
                "seconds_a_step": times[name],
                "examples_a_second": dataclasses.asdict(rates[name]),
                "time_over_reference": dataclasses.asdict(over[name]),
            }
            for name in times
        },
        [Chart(title, "examples a second", "", {}, _bars(rates))],
    )


def infnet_sizes(tiny: bool) -> dict[str, Any]:
    """Returns the sizes of INFNet that are measured."""
    return _INFNET | ({"num_blocks": 1} if tiny else {})


def kuairand_batches(
    path: Any, batch_size: int, count: int
) -> tuple[Schema, list[Any]]:
    """Encodes the last rows of the training part of KuaiRand-Pure."""
    train = datasets.kuairand.load(path, validation=None)
    encoder = Encoder(train.schema).fit(train.train)
    wanted, found = batch_size * count, len(train.train)
    if wanted > found:
        raise ValueError(
            f"the training part has {found:,} rows. `batch_size` times "
            f"`steps` must not be larger. Received: {wanted:,}."
        )
    rows = train.train.slice(found - wanted, found)
    data = Batches(rows, encoder, batch_size, shuffle=True)
    return encoder.schema, [data[index] for index in range(count)]


def _cases(
    schema: Schema, batches: list[Any], settings: TrainingSettings
) -> tuple[list[Case], list[str]]:
    dim, dtype = _INFNET["token_dim"], settings.dtype
    data, steps = prepared(batches), settings.steps

    sizes = infnet_sizes(settings.tiny)

    def infnet(variant: str) -> Any:
        return INFNet(schema, variant, **sizes, dtype=dtype)

    def bottom() -> Any:
        return SharedBottom.from_preset(
            "small", schema, embedding_dim=dim, dtype=dtype
        )

    def stock() -> Any:
        return stock_keras.shared_bottom(schema, dim, dtype=dtype)

    builders: dict[str, Callable[[], Any]] = {
        _REFERENCE: lambda: compile_ranker(infnet("hub")),
        "INFNet hub, stock optimiser": lambda: _dense(infnet("hub")),
        "INFNet proxy, by rows": lambda: compile_ranker(infnet("proxy")),
        "INFNet proxy, stock optimiser": lambda: _dense(infnet("proxy")),
        "Shared-Bottom, by rows": lambda: compile_ranker(bottom()),
        "Shared-Bottom, stock layers and optimiser": stock,
    }
    cases = []
    for name, build in builders.items():
        model = build()

        def run(model: Any = model) -> float:
            return step_seconds(model, data, steps)

        cases.append(Case(name, run))
    notes = [
        "By rows: AdamW for dense weights, Adagrad for the rows of the batch. "
        "Stock optimiser: AdamW for all weights."
    ]
    if torch_rechub.installed():
        version = torch_rechub.version()
        cases.append(
            Case(
                f"MMoE of torch-rechub {version}",
                torch_rechub.mmoe_step(schema, batches, dim),
            )
        )
        notes.append(
            "torch-rechub runs on PyTorch in float32, with its own trainer "
            "and Adam, from the same arrays, batch by batch."
        )
    else:
        notes.append("skipped: torch-rechub is not installed")
    return cases, notes


def _dense(model: Any) -> Any:
    """Compiles as `compile_ranker`, with one Keras optimiser for all."""
    model.compile(
        optimizer=keras.optimizers.AdamW(1e-3, weight_decay=1e-4),
        embedding_optimizer="dense",
        loss=task_losses(model.schema),
        loss_weights=task_loss_weights(model.schema),
        weighted_metrics=task_metrics(model.schema),
    )
    return model


def _bars(rates: dict[str, Spread]) -> dict[str, Spread]:
    return {name.replace(", ", ",\n"): rate for name, rate in rates.items()}
