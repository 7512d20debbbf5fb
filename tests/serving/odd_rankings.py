"""Rankings drawn at random: odd requests of one user and many candidates."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from odd_requests import Odd, OddRequests

from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.data.sources.table import Table
from keras_infnet.serving.graph.signatures import shared_raw_inputs

_MOST = 2**31 - 1


class OddRankings(OddRequests):
    """Draws requests of `rank`, or of `rank_top_k` where `best`."""

    def __init__(
        self,
        encoder: Encoder,
        raw: bool,
        table: Table,
        seed: int,
        best: bool,
    ) -> None:
        super().__init__(encoder, raw, table, seed)
        schema = encoder.schema
        self.shared = shared_raw_inputs(schema) if raw else schema.shared_inputs
        self.best = best
        if best:
            self.dtypes["k"] = "int32"
            self.required.append("k")

    def rows_of(self, name: str, rows: int) -> int:
        return 1 if name in self.shared else super().rows_of(name, rows)

    def answered(self, kind: str = "odd") -> Odd:
        odd = super().answered(kind)
        if not self.best:
            return odd
        count = int(self.rng.choice([0, 1, 2, 3, odd.rows, 10, 1000, _MOST]))
        return dataclasses.replace(
            odd,
            inputs={**odd.inputs, "k": np.int32(count)},
            rows=min(count, odd.rows),
        )

    def refused(self) -> Odd:
        if self.best and self.rng.random() < 0.05:
            odd = self.answered()
            count = np.int32(self.rng.choice([-1, -2, -1000, -_MOST - 1]))
            return Odd("negative: k", {**odd.inputs, "k": count})
        return super().refused()


def check_ranking(
    odd: Odd,
    outputs: Mapping[str, np.ndarray],
    predicted: Mapping[str, np.ndarray],
) -> None:
    """Compares an answer with what `predict` says of each candidate."""
    places = np.arange(len(odd.inputs["item"]))
    scores = np.sum([*predicted.values()], axis=0)
    if "k" in odd.inputs:
        places = outputs["index"]
        assert len({*places.tolist()}) == len(places) == odd.rows
        best = np.sort(scores)[::-1][: odd.rows]
        np.testing.assert_allclose(outputs["score"], best, atol=3e-5)
        assert (np.diff(outputs["score"]) <= 0).all()
    for name, values in {**predicted, "score": scores}.items():
        np.testing.assert_allclose(
            outputs[name], values[places], atol=3e-5, err_msg=name
        )
