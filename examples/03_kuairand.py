"""How do the two variants of INFNet compare on real feedback?

KuaiRand-Pure contains impressions of short videos with clicks, likes and long
views. Download it from zenodo.org/records/10439422, unpack it, and pass the
directory that contains `data/`.

    python examples/03_kuairand.py PATH [--fast]
"""

import argparse
import time

import keras

from keras_infnet import evaluation, experiments, models, training
from keras_infnet.data import Batches, Encoder, datasets

parser = argparse.ArgumentParser()
parser.add_argument("path", help="directory of KuaiRand-Pure")
parser.add_argument("--fast", action="store_true", help="few rows")
options = parser.parse_args()

"""
Histories and statistics of every row use strictly earlier events. The last two
days are the test rows; all earlier ones are training rows.
"""

data = datasets.kuairand.load(options.path, validation=None)
train = data.train
if options.fast:
    train = train.slice(len(train) - 4_000, len(train))
print(data)
encoder = Encoder(data.schema).fit(train)
test = data.test.slice(0, 2_000) if options.fast else data.test

"""
A single epoch, since the embeddings of rare ids overfit in a second one.
"""

for variant in ("hub", "proxy"):
    keras.utils.set_random_seed(0)
    model = models.INFNet.from_preset("small", encoder.schema, variant=variant)
    training.compile_ranker(
        model, learning_rate=2e-3, warmup_steps=50, ema_momentum=0.99
    )
    started = time.perf_counter()
    training.fit_ranker(
        model, Batches(train, encoder, 512, shuffle=True), verbose=2
    )
    print(f"{variant}: {time.perf_counter() - started:.0f} s")
    results = experiments.evaluate_model(model, encoder, test)
    print(evaluation.format_report(results))

"""
What to look at: AUC ranks all impressions, GAUC those of the same user. Knowing
which users click a lot improves AUC, but not GAUC.
"""
