"""Settings of the benchmarks."""

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
    """Common settings of all benchmarks."""

    repeats: int = 5

    @property
    def benchmark(self) -> str:
        """Name of the benchmark."""
        return type(self).__name__.removesuffix("Settings").lower()

    @classmethod
    def quick(cls) -> Self:
        """Returns sizes for a trial run of seconds."""
        return cls(repeats=2)

    def __post_init__(self) -> None:
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
    """Time and memory of a training step by number of embedding rows.

    Args:
        repeats: integer. Measured rounds. Defaults to `5`.
        rows: ascending integers. Total rows of all tables, with row-sparse
            updates. Defaults to
            `(10_000, 100_000, 1_000_000, 10_000_000)`.
        dense_rows: ascending integers. Total rows of all tables, with the
            dense updates of stock Keras. Defaults to `(1_000_000,)`.
        batch_size: integer. Defaults to `4096`.
        fields: integer. Categorical fields, each with its own table. Defaults
            to `40`.
        dim: integer. Embedding dimension. Defaults to `32`.
        steps: integer. Steps per round. Defaults to `8`.
        zipf: boolean. Whether ids follow Zipf's law with exponent 1 instead of
            a uniform distribution. Defaults to `False`.
        memory: boolean. Whether to measure peak memory too, in separate
            processes. Defaults to `True`.
        dtype: string. Dtype policy of the layers, `"float32"` or
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
        # A table has a row for unknown ids and at least one for an id.
        if min(*self.rows, *self.dense_rows) < 2 * self.fields:
            raise ValueError(
                "`rows` and `dense_rows` must be at least twice the number of "
                f"fields. Received: rows={self.rows}, "
                f"dense_rows={self.dense_rows}, fields={self.fields}."
            )


@dataclasses.dataclass(frozen=True)
class TrainingSettings(Settings):
    """Examples per second of training.

    Args:
        repeats: integer. Measured rounds. Defaults to `5`.
        batch_size: integer. Defaults to `4096`.
        steps: integer. Steps per round. Defaults to `4`.
        data: string or `None`. Directory of KuaiRand-Pure; `None` draws random
            ids of the same shapes. Defaults to `None`.
        dtype: string. Dtype policy of the layers, `"float32"` or
            `"mixed_bfloat16"`. Defaults to `"float32"`.
        tiny: boolean. Whether to leave out most columns, for a trial run with
            little compilation. Defaults to `False`.

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
                "`tiny` and `data` exclude each other. "
                f"Received: tiny=True, data={os.fspath(self.data)!r}."
            )


@dataclasses.dataclass(frozen=True)
class TokensSettings(Settings):
    """Time and memory of INFNet blocks by number of tokens.

    Args:
        repeats: integer. Measured rounds. Defaults to `5`.
        lengths: at least two ascending integers. Numbers of events, with
            `count` fields. Defaults to `(50, 100, 200, 400, 800, 1600)`.
        counts: at least two ascending integers. Numbers of fields, with
            `length` events. Defaults to `(20, 40, 80, 160, 320)`.
        count: integer. Defaults to `40`.
        length: integer. Defaults to `100`.
        claim_count: integer. Fields of the comparison in the INFNet paper.
            Defaults to `100`.
        claim_length: integer. Events of that comparison. Defaults to `1000`.
        batch_size: integer. All-to-all attention at the largest length needs
            about 50 MB per row. Defaults to `32`.
        dim: integer. Token dimension. Defaults to `64`.
        training: boolean. Whether to measure forward and backward pass
            instead of inference. Defaults to `False`.
        memory: boolean. Whether to measure memory too, in separate processes.
            Defaults to `True`.

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
                    f"`{name}` must have at least two numbers. "
                    f"Received: {name}={getattr(self, name)!r}."
                )


@dataclasses.dataclass(frozen=True)
class FeedSettings(Settings):
    """Rows per second of the input pipeline and of training.

    Args:
        repeats: integer. Measured rounds. Defaults to `5`.
        rows: integer. Rows of the simulated file. Defaults to `200_000`.
        batch_size: integer. Defaults to `4096`.
        steps: integer. Training steps per round. Defaults to `4`.
        data: string or `None`. Directory of KuaiRand-Pure, whose rows are
            first written to a Parquet file; `None` simulates a feed. Defaults
            to `None`.
        tiny: boolean. Whether to use a small model and feed, for a trial run.
            Defaults to `False`.

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
    """Latency of ranking candidates with an exported model.

    Args:
        repeats: integer. Measured calls per request. Defaults to `50`.
        candidates: ascending integers. Candidates per request. Defaults to
            `(1, 16, 64, 256, 500, 1024)`.
        threads: ascending integers. Threads of TensorFlow. Defaults to
            `(1, 2)`.
        length: integer. Events of the history. Defaults to `100`.
        tiny: boolean. Whether to leave out most models and columns, for a
            trial run. Defaults to `False`.

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
    """Largest difference between each exported model and `predict`.

    Args:
        repeats: integer. Trainings and exports per model. Defaults to `1`.
        rows: integer. Rows of the simulated feed. Defaults to `4_000`.
        batch_size: integer. Defaults to `256`.
        tiny: boolean. Whether to leave out most models, for a trial run.
            Defaults to `False`.

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


#: Settings classes by the name of their benchmark.
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
    """Makes the settings of a benchmark from command-line options.

    Example:

    >>> choose_settings("feed", True, {"rows": [500], "zipf": None}).rows
    500
    """
    kind = BENCHMARKS[name]
    settings = kind.quick() if quick else kind()
    fields = [field.name for field in dataclasses.fields(kind)]
    chosen = {n: value for n, value in given.items() if value is not None}
    for option, value in chosen.items():
        if option not in fields:
            known, received = (
                ", ".join(f"--{name.replace('_', '-')}" for name in names)
                for names in ([f for f in fields if f in given], [option])
            )
            raise ValueError(
                f"bench {name} has no option {received}. Known: {known}."
            )
        if isinstance(value, list):
            if isinstance(getattr(settings, option), tuple):
                chosen[option] = tuple(value)
            elif len(value) == 1:
                chosen[option] = value[0]
    return dataclasses.replace(settings, **chosen)
