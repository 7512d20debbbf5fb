"""What would more rows or longer histories bring?

Models differ in how much data they need. Here some models are trained on a
quarter, a half and all of the training rows, and then on all rows with
shorter histories, and scored on the validation rows. The test rows are not
looked at.

    python examples/08_learning_curves.py [--fast]
    python examples/08_learning_curves.py \
        --config examples/comparisons/kuairand.toml \
        --label "INFNet hub" --label DCNv2 [--seeds 3]

The settings are those of `keras-infnet compare`, with one of the data sets
of this package.
"""

import argparse
import pathlib

import numpy as np

from keras_infnet import experiments
from keras_infnet.data import Encoder, datasets
from keras_infnet.schema import Schema

HERE = pathlib.Path(__file__).parent

parser = argparse.ArgumentParser()
parser.add_argument("--config", default=HERE / "comparisons/synthetic.toml")
parser.add_argument("--label", action="append", help="the reference without it")
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
A share is a random part of the training rows, in their order. Histories and
statistics of a row stay what they are: they are part of the row. The encoder
is fitted on the share alone, so ids that only other rows have are unknown.
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
    """Mean AUC and GAUC of the tasks, and their spread over the seeds."""
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
arms = [(f"{share:.0%} of the rows", share, None) for share in shares]
arms += [
    (f"histories of {length}", 1.0, length)
    for length in lengths
    if length < longest  # others are the histories as they are
]
table = [["mean AUC / GAUC", *labels], ["---"] * (1 + len(labels))]
for words, share, length in arms:
    table.append([words])
    for label in labels:
        table[-1].append(scores(label, share, length))
        print(f"{label}, {words}: {table[-1][-1]}", flush=True)
print("\n" + "\n".join(f"| {' | '.join(line)} |" for line in table))

"""
Look at: whether a model that is behind with all rows gains faster with their
number; then more rows may put it in front. Whether shorter histories cost
anything; if not, serve shorter ones.
"""
