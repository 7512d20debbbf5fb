"""Which information should flow between scenarios and tasks?

The same video means something else on the page of a friend than on the home
page. AutoIFS has weights that all scenarios share, and some of every scenario
and task alone, and searches the flows between them that help. Here it does so
for the pages (`tab`) of KuaiRand-Pure. Download it from
zenodo.org/records/10439422, unpack it, and give the folder that holds `data/`;
without one the simulated feed stands in.

    python examples/05_autoifs_scenarios.py [PATH] [--fast]
"""

import argparse

import keras
import numpy as np
import pandas as pd

from keras_infnet import evaluation, models, training
from keras_infnet.data import Batches, Encoder, datasets

parser = argparse.ArgumentParser()
parser.add_argument("path", nargs="?", help="folder of KuaiRand-Pure")
parser.add_argument("--fast", action="store_true", help="few rows")
options = parser.parse_args()

"""
The schema of both names `tab` as its scenario: `Schema(scenario="tab")`.
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
Two stages. While flows are searched, gates close slowly; then the model goes
back to its weights of before the last epoch (here: to those it began with, a
second epoch would overfit the ids) and learns again with gates that are open
or shut. So few steps move the gates little at the rate of the paper's authors,
a hundredth of the others: here they have the same rate. The mean over all
pages and tasks chooses the best weights, so that small pages count as much as
the home page.
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
The share of the rows of each page that keep a flow, named from the part of the
scenario to that of the task: "shared_to_specific" goes from what all pages
share to what is the task's own.
"""

kept = training.kept_flows(model, watched)
with pd.option_context("display.width", 120, "display.max_columns", 9):
    print(kept.round(3).to_string(index=False))

"""
Is that a finding, or chance? A second search, from other first weights, must
keep much the same flows.
"""

again = training.kept_flows(search(seed=1), watched)
first, second = kept.iloc[:, 3:].to_numpy(), again.iloc[:, 3:].to_numpy()
print(
    f"shares of two searches: mean difference "
    f"{np.abs(first - second).mean():.3f}, correlation "
    f"{np.corrcoef(first.ravel(), second.ravel())[0, 1]:.2f}"
)

"""
Against one network for all, page by page.
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
Look at: whether the two searches agree (where they do not, the flows of one
say nothing of the data), and whether small pages gain.
`model.save("autoifs.keras")` keeps the model that is to be served;
`keras-infnet train` does both stages where `[model]` names AutoIFS.
"""
