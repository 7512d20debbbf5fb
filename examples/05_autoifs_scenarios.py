"""Which information should flow between scenarios and tasks?

Users behave differently on a friend's page than on the home page. AutoIFS has
weights that all scenarios share and weights of each scenario and task, and
searches which information flows between them help. Here the scenarios are the
pages (`tab`) of KuaiRand-Pure. Download it from zenodo.org/records/10439422,
unpack it, and pass the directory that contains `data/`; without it, the
simulated feed is used.

    python examples/05_autoifs_scenarios.py [PATH] [--fast]
"""

import argparse

import keras
import numpy as np
import pandas as pd

from keras_infnet import evaluation, models, training
from keras_infnet.data import Batches, Encoder, datasets

parser = argparse.ArgumentParser()
parser.add_argument("path", nargs="?", help="directory of KuaiRand-Pure")
parser.add_argument("--fast", action="store_true", help="few rows")
options = parser.parse_args()

"""
The schemas of both data sets have `Schema(scenario="tab")`.
"""

if options.path is None:
    rows = 4_000 if options.fast else 40_000
    data = datasets.synthetic.load(num_rows=rows)
else:
    data = datasets.kuairand.load(options.path)
train, validation, test = data.train, data.validation, data.test
if options.fast:
    train = train.slice(max(0, len(train) - 4_000), len(train))
    validation, test = validation.slice(0, 1_000), test.slice(0, 1_000)
print(data)
encoder = Encoder(data.schema).fit(train)
batches = Batches(train, encoder, 256, shuffle=True)
watched = Batches(validation, encoder, 4096)


def compile_model(model, optimizer=None):
    return training.compile_ranker(
        model, learning_rate=2e-3, warmup_steps=50, optimizer=optimizer
    )


"""
Training has two stages. During the search, the temperature of the gates falls.
Then the weights are rewound (here to their initial values, since a second epoch
would overfit the ids) and retrained with binary gates. The authors of the paper
use a gate learning rate of a hundredth of the others, which would hardly move
the gates in so few steps; here the rates are equal. The best weights have the
highest mean AUC over all pages and tasks, so small pages count as much as the
home page.
"""


def search(seed):
    keras.utils.set_random_seed(seed)
    model, _ = training.search_and_retrain(
        models.AutoIFS.from_preset("small", encoder.schema, l2=0.0),
        batches,
        watched,
        training.FlowSearch(epochs=2, rewind_epoch=0, gate_ratio=1.0),
        compile_model=compile_model,
        callbacks=[training.ScenarioTaskAUC(watched)],
        verbose=2,
    )
    return model


model = search(seed=0)

"""
The fraction of rows of each page that keep a flow. Flows go from a part of the
scenario to a part of the task: "shared_to_specific" goes from the part shared
by all pages to the part specific to the task.
"""

kept = training.kept_flows(model, watched)
with pd.option_context("display.width", 120, "display.max_columns", 9):
    print(kept.round(3).to_string(index=False))

"""
Is the result due to chance? A second search with another seed should keep
similar flows.
"""

again = training.kept_flows(search(seed=1), watched)
first, second = kept.iloc[:, 3:].to_numpy(), again.iloc[:, 3:].to_numpy()
print(
    f"fractions of two searches: mean difference "
    f"{np.abs(first - second).mean():.3f}, correlation "
    f"{np.corrcoef(first.ravel(), second.ravel())[0, 1]:.2f}"
)

"""
Comparison with a single network for all pages.
"""

keras.utils.set_random_seed(0)
shared = compile_model(models.SharedBottom.from_preset("small", encoder.schema))
training.fit_ranker(shared, batches, watched, verbose=2)

rows = Batches(test, encoder, 4096)
labels, weights = rows.labels(), rows.weights()
tab = np.concatenate([rows[i][0]["tab"] for i in range(len(rows))])
tables = []
for name, one in (("AutoIFS", model), ("SharedBottom", shared)):
    predictions = training.predict_rows(one, rows)
    for page in np.unique(tab):
        chosen = tab == page
        results = evaluation.evaluate(
            {task: y[chosen] for task, y in labels.items()},
            {task: p[chosen] for task, p in predictions.items()},
            {task: w[chosen] for task, w in weights.items()},
            encoder.schema,
        )
        for task, metrics in results.items():
            tables.append((name, page, task, chosen.sum(), metrics["auc"]))
table = pd.DataFrame(
    tables, columns=["model", "tab (id)", "task", "rows", "AUC"]
)
print(
    table.pivot_table(
        index=["tab (id)", "rows", "task"], columns="model", values="AUC"
    ).round(4)
)

"""
What to look at: whether the two searches agree (otherwise the flows reveal
nothing about the data), and whether small pages gain.
`model.save("autoifs.keras")` saves the model to serve. `keras-infnet train`
runs both stages if `[model]` names AutoIFS.
"""
