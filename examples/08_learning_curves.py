"""How much would more rows or longer histories help?

Models are trained on a quarter, a half and all of the training rows, and on all
rows with shorter histories, and evaluated on the validation rows. The test rows
are not read.

    python examples/08_learning_curves.py [--fast]
    python examples/08_learning_curves.py \
        --config my_comparison.toml \
        --label "INFNet hub" --label DCNv2 [--seeds 3]

The settings file is one of `keras-infnet compare`, for a data set of this
package.
"""

import argparse
import pathlib

import numpy as np

import keras_infnet
from keras_infnet import experiments
from keras_infnet.data import Encoder, datasets
from keras_infnet.schema import Schema

SHIPPED = pathlib.Path(keras_infnet.__file__).parent / "example_settings"

parser = argparse.ArgumentParser()
parser.add_argument("--config", default=SHIPPED / "compare/synthetic.toml")
parser.add_argument("--label", action="append", help="default: the reference")
parser.add_argument("--seeds", type=int, default=1)
parser.add_argument("--fast", action="store_true", help="few rows")
options = parser.parse_args()
if options.seeds < 1:
    parser.error("--seeds must be at least 1")

try:
    settings = experiments.ComparisonSettings.from_dict(
        experiments.load_settings(options.config)
    )
except (OSError, ValueError) as error:
    parser.error(str(error))
labels = options.label or [settings.reference or settings.labels[0]]
shares, lengths = (0.25, 0.5, 1.0), (5, 20)
if unknown := [label for label in labels if label not in settings.labels]:
    parser.error(f"{unknown} not in {settings.labels}")
if not settings.data.dataset:
    parser.error("the settings must name a `dataset`")
arguments = dict(settings.data.options)
if options.fast:
    shares, lengths = (0.5,), (5,)
    if settings.data.dataset == "synthetic":
        arguments["num_rows"] = 4_000
dataset = getattr(datasets, settings.data.dataset).load(**arguments)
if dataset.validation is None:
    parser.error("there are no validation rows")
print(dataset)

"""
A share is a random sample of the training rows, in their order. Histories and
statistics belong to the rows and stay complete. The encoder is fitted to the
sample, so ids of other rows are unknown.
"""


def part_of(share: float) -> object:
    count = len(dataset.train)
    drawn = np.random.default_rng(0).permutation(count)[: int(share * count)]
    return dataset.train.take(np.sort(drawn))


def schema_of(length: int | None) -> Schema:
    config = dataset.schema.to_dict()
    for behavior in config["behaviors"]:
        newest = behavior["max_length"] if length is None else length
        behavior["max_length"] = min(behavior["max_length"], newest)
    return Schema.from_dict(config)


def scores(label: str, share: float, length: int | None) -> str:
    """Returns mean AUC and GAUC over tasks, with deviations over seeds."""
    train = part_of(share)
    encoder = Encoder(schema_of(length)).fit(train)
    data = experiments.ExperimentData(encoder, train, dataset.validation, None)
    found = []
    for seed in range(options.seeds):
        run = experiments.run_experiment(
            settings.experiment(label, {}), data, seed, verbose=0
        )
        tasks = run.metrics.values()
        found.append(
            [
                np.mean([task[name] for task in tasks if name in task])
                for name in ("auc", "gauc")
            ]
        )
    means = [f"{mean:.4f}" for mean in np.mean(found, axis=0)]
    spread = np.std(found, axis=0, ddof=1) if len(found) > 1 else ()
    for place, value in enumerate(spread):
        means[place] += f" ± {value:.4f}"
    return " / ".join(means)


longest = max((b.max_length for b in dataset.schema.behaviors), default=0)
variants = [(f"{share:.0%} of the rows", share, None) for share in shares]
variants += [
    (f"histories of {length}", 1.0, length)
    for length in lengths
    if length < longest  # longer ones would not change the histories
]
table = [["mean AUC / GAUC", *labels], ["---"] * (1 + len(labels))]
for words, share, length in variants:
    table.append([words])
    for label in labels:
        table[-1].append(scores(label, share, length))
        print(f"{label}, {words}: {table[-1][-1]}", flush=True)
print("\n" + "\n".join(f"| {' | '.join(line)} |" for line in table))

"""
What to look at: whether a model that is worse on all rows improves faster with
their number, so that it may win with more rows; and whether shorter histories
reduce quality. If not, serve shorter ones.
"""
