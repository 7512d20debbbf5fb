"""What does INFNet gain over a logistic regression, and how is it served?

A simulated feed has three tasks: click, like, and purchase given a click. The
simulator stores the true probabilities, so the best reachable AUC is known.

    python examples/01_quickstart.py [--fast]
"""

import argparse

import keras

from keras_infnet import evaluation, experiments, models, serving, training
from keras_infnet.data import Batches, Encoder, datasets

parser = argparse.ArgumentParser()
parser.add_argument("--fast", action="store_true", help="few rows")
options = parser.parse_args()

"""
A data set is a schema and three tables, split by time. The encoder learns
vocabularies and bins from the training rows only.
"""

data = datasets.synthetic.load(num_rows=6_000 if options.fast else 80_000)
encoder = Encoder(data.schema).fit(data.train)
print(data)

"""
The model is a functional Keras model: the schema names its inputs, and its
output is a dict with one tensor per task. `compile_ranker` sets AdamW for the
dense weights, Adagrad for the embedding tables, and a masked loss and streaming
metrics per task.
"""

keras.utils.set_random_seed(0)
model = models.INFNet.from_preset("small", encoder.schema)
training.compile_ranker(
    model,
    learning_rate=2e-3,
    embedding_learning_rate=0.1,
    warmup_steps=50,
    ema_momentum=0.98,
)
training.fit_ranker(
    model,
    Batches(data.train, encoder, batch_size=256, shuffle=True),
    Batches(data.validation, encoder, batch_size=4096),
    epochs=1 if options.fast else 4,
    verbose=2,
)

"""
Metrics are exact and computed once, on the test rows. The baseline reads the
same ids, without feature interactions.
"""

results = experiments.evaluate_model(model, encoder, data.test)
baseline = evaluation.LogisticRegressionBaseline(encoder.schema).fit(
    encoder, data.train
)
test = Batches(data.test, encoder, batch_size=4096)
logistic = {
    task: evaluation.auc(test.labels()[task], scores, test.weights()[task])
    for task, scores in baseline.predict(data.test).items()
}
columns = {"logistic AUC": logistic, "best AUC": data.best}
print(evaluation.format_report(results, columns))

"""
Before the export is published, another process loads it without this package
and compares it with `predict`. `serve_raw` takes raw values, as in the table.
"""

version = serving.export(
    model, encoder, "saved_models/example_01", examples=data.test
)
scores = serving.Servable.load(version).predict_raw(data.test.slice(0, 3))
for task, values in scores.items():
    print(task, values[:, 0].round(4))

"""
What to look at: the difference of AUC to "best AUC" and to "logistic AUC" per
task, and `calibration`, which should be close to 1.
"""
