"""Which part of INFNet is worth its cost?

The papers take INFNet apart: without task tokens, without stage 1 (compact
tokens read the groups) and without stage 2 (they gate their group). Here the
same is done on simulated data. Put your own table in place of it and know
what to leave out.

    python examples/04_ablations.py [--variant proxy] [--seeds 3] [--fast]
"""

import argparse

import keras
import numpy as np

from keras_infnet import evaluation, models, training
from keras_infnet.data import Batches, Encoder, datasets

parser = argparse.ArgumentParser()
parser.add_argument("--variant", choices=("hub", "proxy"), default="hub")
parser.add_argument("--seeds", type=int, default=1)
parser.add_argument("--fast", action="store_true", help="few rows")
options = parser.parse_args()
if options.seeds < 1:
    parser.error("--seeds must be at least 1")

data = datasets.synthetic.load(num_rows=4_000 if options.fast else 80_000)
encoder = Encoder(data.schema).fit(data.train)

"""
Everything but the part left out stays as it is: rows and their order, the
recipe of training, and the towers, which always read one vector of the width
of a token.
"""


def mean_auc(ablate: tuple[str, ...], seed: int) -> float:
    """Trains one model and averages its AUC on the test part over tasks."""
    keras.utils.set_random_seed(seed)
    model = models.INFNet.from_preset(
        "small", encoder.schema, variant=options.variant, ablate=ablate
    )
    training.compile_ranker(
        model,
        learning_rate=2e-3,
        embedding_learning_rate=0.1,
        warmup_steps=50,
        ema_momentum=0.98,
    )
    training.fit_ranker(
        model,
        Batches(data.train, encoder, batch_size=256, shuffle=True, seed=seed),
        Batches(data.validation, encoder, batch_size=4096),
        epochs=1 if options.fast else 4,
        verbose=0,
    )
    results = evaluation.evaluate_model(model, encoder, data.test)
    return float(np.mean([metrics["auc"] for metrics in results.values()]))


rows = {
    "all of INFNet": (),
    "without task tokens": ("task",),
    "without stage 1": ("aggregate",),
    "without stage 2": ("broadcast",),
}
print(f"mean AUC of {len(data.schema.tasks)} tasks, variant {options.variant}")
for name, ablate in rows.items():
    values = [mean_auc(ablate, seed) for seed in range(options.seeds)]
    each = " ".join(f"{value:.4f}" for value in values)
    print(f"{name:<20} {np.mean(values):.4f}   by seed: {each}", flush=True)

"""
Look at: the distance of each line to the first, and whether it is larger
than the distance between seeds.
"""
