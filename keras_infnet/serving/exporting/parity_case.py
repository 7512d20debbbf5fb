"""One call of an exported model, and what it must answer."""

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np

from keras_infnet.serving.graph.signatures import INDEX, SCORE

__all__ = ["BestCase", "Case", "widened"]


@dataclasses.dataclass(frozen=True)
class Case:
    """Inputs of one call and the outputs it must have.

    Args:
        name: string. What is tried, without a slash.
        signature: string. Name of the signature.
        inputs: mapping of input name to array; the others take their default.
        expected: mapping of output name to array.
        slack: mapping of output name to array, what may be missing from
            `expected` beside a tolerance. Defaults to `{}`.
    """

    name: str
    signature: str
    inputs: Mapping[str, np.ndarray]
    expected: Mapping[str, np.ndarray]
    slack: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def expects(
        self, outputs: Mapping[str, np.ndarray]
    ) -> Mapping[str, np.ndarray]:
        """Returns what outputs must be.

        Args:
            outputs: mapping of output name to array, what was received.

        Returns:
            Mapping of output name to array.
        """
        return self.expected

    def allows(
        self, outputs: Mapping[str, np.ndarray]
    ) -> Mapping[str, np.ndarray]:
        """Returns the slack of these outputs, in the form of `expects`."""
        return self.slack


class BestCase(Case):
    """A call that returns the best candidates, `expected` holding all.

    Rounding may change the order of two that are nearly level. So scores must
    be the best ones in order, and everything else that of the places that
    were returned.
    """

    def expects(
        self, outputs: Mapping[str, np.ndarray]
    ) -> Mapping[str, np.ndarray]:
        """Returns what outputs must be.

        Args:
            outputs: mapping of output name to array, what was received.

        Returns:
            Mapping of output name to array.
        """
        scores = self.expected[SCORE]
        count = min(int(self.inputs["k"]), len(scores))
        best = np.sort(scores)[::-1][:count]
        places = outputs[INDEX]
        distinct = np.unique(places)
        if (
            len(distinct) != count
            or places.shape != (count,)
            or (count and (distinct[0] < 0 or distinct[-1] >= len(scores)))
        ):
            return {INDEX: np.argsort(-scores, kind="stable")[:count]}
        wanted = {name: all_[places] for name, all_ in self.expected.items()}
        return {**wanted, SCORE: best}

    def allows(
        self, outputs: Mapping[str, np.ndarray]
    ) -> Mapping[str, np.ndarray]:
        """Returns the slack of these outputs, in the form of `expects`."""
        if not self.slack or SCORE not in self.expects(outputs):
            return {}
        found = {n: all_[outputs[INDEX]] for n, all_ in self.slack.items()}
        # Sorting moves no place by more than the largest change of any.
        return {**found, SCORE: self.slack[SCORE].max(initial=0.0)}


def widened(cases: list[Case], nearby: Iterable[list[Case]]) -> list[Case]:
    """Allows cases the answers that predictions nearby have.

    A calibration can be steep: predictions that differ by rounding alone then
    have answers that differ by more.

    Args:
        cases: list of `Case`.
        nearby: lists of the same cases, each as if one task had predicted
            something else.

    Returns:
        List of `Case`, the slack of which is the sum of all changes.
    """
    slacks: list[dict[str, np.ndarray]] = [{} for _ in cases]
    for others in nearby:
        for case, other, slack in zip(cases, others, slacks, strict=True):
            for name, expected in case.expected.items():
                if expected.dtype.kind == "f":
                    with np.errstate(invalid="ignore"):
                        change = np.abs(other.expected[name] - expected)
                    # What is no number or infinite is so nearby, too.
                    change = np.where(np.isnan(change), 0.0, change)
                    slack[name] = slack.get(name, 0.0) + change
    return [
        dataclasses.replace(case, slack=slack)
        for case, slack in zip(cases, slacks, strict=True)
    ]
