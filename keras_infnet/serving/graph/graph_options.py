"""Precision and compilation of the graph of an exported model."""

import dataclasses
import json
import os
from pathlib import Path

from keras_infnet.utils.argument_checks import check_choice
from keras_infnet.utils.atomic_files import write_text

__all__ = ["COMPUTE_DTYPES", "OPTIONS_FILE", "TABLE_DTYPES", "GraphOptions"]

COMPUTE_DTYPES = ("bfloat16", "float16")
TABLE_DTYPES = ("float32", "float16", "int8")
OPTIONS_FILE = "graph_options.json"

_EXACT = 1e-5
# Differences of probabilities. Rounding errors, 2 ** -9 of bfloat16, 2 ** -12
# of float16 and 1 / 254 of int8, add up over a model.
_COMPUTE_TOLERANCE = {None: 0.0, "bfloat16": 0.06, "float16": 0.01}
_TABLE_TOLERANCE = {"float32": 0.0, "float16": 0.002, "int8": 0.03}


@dataclasses.dataclass(frozen=True)
class GraphOptions:
    """Differences between an exported graph and the trained model.

    Layers compute in `compute_dtype`, with float32 weights; embedding tables
    are stored in `table_dtype`; XLA compiles the model with `jit_compile`.

    >>> GraphOptions(table_dtype="int8").rounds
    True
    """

    compute_dtype: str | None = None
    table_dtype: str = "float32"
    jit_compile: bool = False

    def __post_init__(self) -> None:
        if self.compute_dtype is not None:
            check_choice("compute_dtype", self.compute_dtype, COMPUTE_DTYPES)
        check_choice("table_dtype", self.table_dtype, TABLE_DTYPES)
        if not isinstance(self.jit_compile, bool):
            raise ValueError(
                "`jit_compile` must be True or False. Received: jit_compile="
                f"{self.jit_compile!r}."
            )

    @property
    def rounds(self) -> bool:
        """Whether predictions are rounded more than those of the model."""
        return self.compute_dtype is not None or self.table_dtype != "float32"

    @property
    def tolerance(self) -> float:
        """Expected largest difference from the predictions of the model."""
        return max(
            _EXACT,
            _COMPUTE_TOLERANCE[self.compute_dtype]
            + _TABLE_TOLERANCE[self.table_dtype],
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the options as JSON."""
        write_text(path, json.dumps(dataclasses.asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "GraphOptions":
        """Reads a file that `save` wrote."""
        return cls(**json.loads(Path(path).read_text("utf-8")))
