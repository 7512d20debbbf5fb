"""Parts of a call: what they must hold, and what they come to."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_infnet.serving.graph.signatures import INDEX, SCORE

__all__ = ["as_arrays", "check_text", "joined", "merged_top_k"]


def as_arrays(inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    r"""Makes arrays of inputs as they are.

    Args:
        inputs: mapping of input name to array, list or number.

    Returns:
        Dict of arrays; text and bytes as objects.

    Example:

    >>> as_arrays({"inputs": [b"a\0"]})["inputs"].tolist()
    [b'a\x00']
    """
    arrays = {}
    for name, value in inputs.items():
        array = np.asarray(value)
        if array.dtype.kind in "SU":
            # Those kinds of array drop zeros at the end.
            array = np.array(value, object)
        arrays[name] = array
    return arrays


def check_text(inputs: Mapping[str, Any]) -> None:
    """Refuses text that cannot be sent.

    Args:
        inputs: mapping of input name to array.

    Raises:
        ValueError: If text has no form in UTF-8.
    """
    for name, array in inputs.items():
        if np.asarray(array).dtype.kind not in "OU":
            continue
        for value in np.ravel(array):
            try:
                if isinstance(value, str):
                    value.encode()
            except UnicodeEncodeError as error:
                raise ValueError(
                    f"input {name!r}: {value!r} is text that UTF-8 cannot "
                    f"express. {error}."
                ) from error


def joined(answers: Sequence[Mapping[str, np.ndarray]], name: str) -> Any:
    """Puts the rows of parts one behind the other.

    Args:
        answers: list of the outputs of each part.
        name: string. Name of the output.

    Returns:
        float32 array.

    Example:

    >>> joined([{"click": [0.5]}, {"click": [0.25]}], "click").tolist()
    [0.5, 0.25]
    """
    return np.concatenate([np.asarray(a[name], np.float32) for a in answers])


def merged_top_k(
    answers: Sequence[Mapping[str, np.ndarray]],
    names: Sequence[str],
    starts: Sequence[int],
    top_k: int,
) -> dict[str, np.ndarray]:
    """Finds the best of all parts among the best of each.

    Args:
        answers: list of the outputs of each part, best first.
        names: names of the outputs, the score among them.
        starts: where each part starts in the list of candidates.
        top_k: integer. How many to keep.

    Returns:
        Dict of the outputs and of `"index"`, places in the whole list. Of
        equal scores the one that came first in it is first.

    Example:

    >>> parts = [
    ...     {"score": [0.9, 0.1], "index": [1, 0]},
    ...     {"score": [0.5], "index": [0]},
    ... ]
    >>> merged_top_k(parts, ["score"], [0, 2], top_k=2)["index"].tolist()
    [1, 2]
    """
    places = np.concatenate(
        [
            np.asarray(answer[INDEX], np.int64) + start
            for answer, start in zip(answers, starts, strict=True)
        ]
    )
    outputs = {name: joined(answers, name) for name in names}
    # NaN goes last.
    order = np.lexsort((places, -outputs[SCORE]))[:top_k]
    best = {name: values[order] for name, values in outputs.items()}
    return {**best, INDEX: places[order]}
