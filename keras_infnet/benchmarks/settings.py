"""What benchmarks can be asked for."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, Self

from keras_infnet.schema.value_checks import (
    check_choice,
    check_count,
    check_flag,
)

__all__ = [
    "BENCHMARKS",
    "FeedSettings",
    "ParitySettings",
    "ServingSettings",
    "Settings",
    "TokensSettings",
    "TrainingSettings",
    "VocabularySettings",
    "choose_settings",
]

_POLICIES = ("float32", "mixed_bfloat16")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What all benchmarks have in common."""

    repeats: int = 5

    @classmethod
    def quick(cls) -> Self:
        """Returns sizes that take seconds and measure nothing of worth."""
        return cls(repeats=2)

    def __post_init__(self) -> None:
        # Strings keep a path; booleans are switches; the rest is counted.
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, bool):
                check_flag(value, f"`{field.name}`")
            elif isinstance(field.default, tuple):
                _check_sizes(field.name, value)
            elif isinstance(field.default, int):
                check_count(value, f"`{field.name}`")
            elif field.name == "dtype":
                check_choice(value, _POLICIES, "`dtype`")


def _check_sizes(name: str, values: object) -> None:
    if not isinstance(values, (list, tuple)) or not values:
        raise ValueError(
            f"`{name}` must be a list of integers. Received: {values!r}."
        )
    for value in values:
        check_count(value, f"every item of `{name}`")
    if list(values) != sorted(set(values)):
        raise ValueError(
            f"`{name}` must ascend, each number once. Received: {values!r}."
        )


@dataclasses.dataclass(frozen=True)
class VocabularySettings(Settings):
    """Asks: what does a step cost as the tables grow?

    Args:
        repeats: integer. Rounds that count. Defaults to `5`.
        rows: ascending integers. Rows of all tables together, trained by
            rows. Defaults to
            `(10_000, 100_000, 1_000_000, 10_000_000)`.
        dense_rows: ascending integers. Rows of all tables together, trained
            as stock Keras does. Defaults to `(1_000_000,)`.
        batch_size: integer. Defaults to `4096`.
        fields: integer. Categorical fields, with a table each. Defaults to
            `40`.
        dim: integer. Floats of a row. Defaults to `32`.
        steps: integer. Steps of a round. Defaults to `8`.
        zipf: boolean. Whether ids follow Zipf's law, with the exponent 1, and
            repeat a lot, instead of being equally frequent. Defaults to
            `False`.
        memory: boolean. Whether to measure peak memory too, in processes of
            their own. Defaults to `True`.
        dtype: string. Policy of the layers, `"float32"` or
            `"mixed_bfloat16"`. Defaults to `"float32"`.

    Raises:
        ValueError: If a number is out of range.

    Example:

    >>> VocabularySettings(rows=(1_000, 10_000)).batch_size
    4096
    """

    rows: tuple[int, ...] = (10_000, 100_000, 1_000_000, 10_000_000)
    dense_rows: tuple[int, ...] = (1_000_000,)
    batch_size: int = 4096
    fields: int = 40
    dim: int = 32
    steps: int = 8
    zipf: bool = False
    memory: bool = True
    dtype: str = "float32"

    @classmethod
    def quick(cls) -> Self:
        return cls(2, (1_000, 10_000), (10_000,), 64, 4, 8, 2, memory=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        # A table has a row for "unknown" and one id at least.
        if min(*self.rows, *self.dense_rows) < 2 * self.fields:
            raise ValueError(
                "`rows` and `dense_rows` must be at least twice the number of "
                f"fields. Received: rows={self.rows}, "
                f"dense_rows={self.dense_rows}, fields={self.fields}."
            )


@dataclasses.dataclass(frozen=True)
class TrainingSettings(Settings):
    """Asks: how many examples a second does training take?

    Args:
        repeats: integer. Rounds that count. Defaults to `5`.
        batch_size: integer. Defaults to `4096`.
        steps: integer. Steps of a round. Defaults to `4`.
        data: string or `None`. Folder of KuaiRand-Pure; `None` draws random
            ids in the same shapes. Defaults to `None`.
        dtype: string. Policy of the layers, `"float32"` or
            `"mixed_bfloat16"`. Defaults to `"float32"`.
        tiny: boolean. Whether to leave most columns out, to see that all
            works without waiting for compilers. Defaults to `False`.

    Raises:
        ValueError: If a number is out of range.

    Example:

    >>> TrainingSettings(batch_size=512).steps
    4
    """

    batch_size: int = 4096
    steps: int = 4
    data: str | os.PathLike[str] | None = None
    dtype: str = "float32"
    tiny: bool = False

    @classmethod
    def quick(cls) -> Self:
        return cls(2, 32, 2, tiny=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tiny and self.data is not None:
            raise ValueError(
                "`tiny` cuts random rows, not those of `data`. Leave one of "
                f"them out. Received: data={os.fspath(self.data)!r}."
            )


@dataclasses.dataclass(frozen=True)
class TokensSettings(Settings):
    """Asks: what does a block cost as tokens become more?

    Args:
        repeats: integer. Rounds that count. Defaults to `5`.
        lengths: ascending integers, two at least. Events, where there are
            `count` fields. Defaults to `(50, 100, 200, 400, 800, 1600)`.
        counts: ascending integers, two at least. Fields, where there are
            `length` events. Defaults to `(20, 40, 80, 160, 320)`.
        count: integer. Defaults to `40`.
        length: integer. Defaults to `100`.
        claim_count: integer. Fields of the comparison that the INFNet paper
            makes. Defaults to `100`.
        claim_length: integer. Events of that comparison. Defaults to `1000`.
        batch_size: integer. All-to-all attention at the largest length holds
            some 50 MB a row. Defaults to `32`.
        dim: integer. Width of a token. Defaults to `64`.
        training: boolean. Whether to measure forward and backward pass
            instead of inference. Defaults to `False`.
        memory: boolean. Whether to measure memory too, in processes of their
            own. Defaults to `True`.

    Raises:
        ValueError: If a number is out of range.

    Example:

    >>> TokensSettings(lengths=(50, 100)).dim
    64
    """

    lengths: tuple[int, ...] = (50, 100, 200, 400, 800, 1600)
    counts: tuple[int, ...] = (20, 40, 80, 160, 320)
    count: int = 40
    length: int = 100
    claim_count: int = 100
    claim_length: int = 1000
    batch_size: int = 32
    dim: int = 64
    training: bool = False
    memory: bool = True

    @classmethod
    def quick(cls) -> Self:
        return cls(2, (4, 8), (3, 6), 3, 4, 6, 8, 2, 8, memory=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("lengths", "counts"):
            if len(getattr(self, name)) < 2:
                raise ValueError(
                    f"`{name}` must hold two numbers at least, to see growth. "
                    f"Received: {getattr(self, name)!r}."
                )


@dataclasses.dataclass(frozen=True)
class FeedSettings(Settings):
    """Asks: do batches arrive faster than a model takes them?

    Args:
        repeats: integer. Rounds that count. Defaults to `5`.
        rows: integer. Rows of the file that is simulated. Defaults to
            `200_000`.
        batch_size: integer. Defaults to `4096`.
        steps: integer. Steps of a round of training. Defaults to `4`.
        data: string or `None`. Folder of KuaiRand-Pure, whose rows are
            written to a file first; `None` simulates a feed. Defaults to
            `None`.
        tiny: boolean. Whether the model and the simulated feed are small, to
            see that all works. Defaults to `False`.

    Raises:
        ValueError: If a number is out of range.

    Example:

    >>> FeedSettings(rows=1_000).batch_size
    4096
    """

    rows: int = 200_000
    batch_size: int = 4096
    steps: int = 4
    data: str | os.PathLike[str] | None = None
    tiny: bool = False

    @classmethod
    def quick(cls) -> Self:
        return cls(2, 2_000, 64, 2, tiny=True)


@dataclasses.dataclass(frozen=True)
class ServingSettings(Settings):
    """Asks: how long does a served model take to rank candidates?

    Args:
        repeats: integer. Calls that count, of every request. Defaults to
            `50`.
        candidates: ascending integers. Candidates of a request. Defaults to
            `(1, 16, 64, 256, 500, 1024)`.
        threads: ascending integers. Threads that TensorFlow may use. Defaults
            to `(1, 2)`.
        length: integer. Events of the history. Defaults to `100`.
        tiny: boolean. Whether to leave most models and columns out, to see
            that all works. Defaults to `False`.

    Raises:
        ValueError: If a number is out of range.

    Example:

    >>> ServingSettings(candidates=(1, 10)).length
    100
    """

    repeats: int = 50
    candidates: tuple[int, ...] = (1, 16, 64, 256, 500, 1024)
    threads: tuple[int, ...] = (1, 2)
    length: int = 100
    tiny: bool = False

    @classmethod
    def quick(cls) -> Self:
        return cls(2, (1, 3), (1,), 5, tiny=True)


@dataclasses.dataclass(frozen=True)
class ParitySettings(Settings):
    """Asks: does every model answer behind every signature as in training?

    Args:
        repeats: integer. Trainings and exports of each model. Defaults to
            `1`.
        rows: integer. Rows of the feed that is simulated. Defaults to
            `4_000`.
        batch_size: integer. Defaults to `256`.
        tiny: boolean. Whether to leave most models out, to see that all
            works. Defaults to `False`.

    Raises:
        ValueError: If a number is out of range.

    Example:

    >>> ParitySettings().rows
    4000
    """

    repeats: int = 1
    rows: int = 4_000
    batch_size: int = 256
    tiny: bool = False

    @classmethod
    def quick(cls) -> Self:
        return cls(1, 500, 128, tiny=True)


#: Settings by the name of their benchmark.
BENCHMARKS: Mapping[str, type[Settings]] = {
    "training": TrainingSettings,
    "vocabulary": VocabularySettings,
    "tokens": TokensSettings,
    "feed": FeedSettings,
    "serving": ServingSettings,
    "parity": ParitySettings,
}


def choose_settings(
    name: str, quick: bool, given: Mapping[str, Any]
) -> Settings:
    """Makes the settings of a benchmark from options of a command line.

    Example:

    >>> choose_settings("feed", True, {"rows": [500], "zipf": None}).rows
    500
    """
    kind = BENCHMARKS[name]
    settings = kind.quick() if quick else kind()
    fields = [field.name for field in dataclasses.fields(kind)]
    chosen = {}
    for option, value in given.items():
        if value is None:
            continue
        if option not in fields:
            known = [_written(field) for field in fields if field in given]
            raise ValueError(
                f"bench {name} has no option {_written(option)}. It has: "
                f"{', '.join(known)}."
            )
        if isinstance(value, list):
            several = isinstance(getattr(settings, option), tuple)
            one = value[0] if len(value) == 1 else value
            value = tuple(value) if several else one
        chosen[option] = value
    return dataclasses.replace(settings, **chosen)


def _written(option: str) -> str:
    return f"--{option.replace('_', '-')}"
