"""How the graph of an exported model computes and stores."""

import dataclasses
import json
import os
from pathlib import Path

from keras_infnet.utils.argument_checks import check_choice

__all__ = ["COMPUTE_DTYPES", "OPTIONS_FILE", "TABLE_DTYPES", "GraphOptions"]

COMPUTE_DTYPES = ("bfloat16", "float16")
TABLE_DTYPES = ("float32", "float16", "int8")
OPTIONS_FILE = "graph_options.json"

_EXACT = 1e-5
# What a probability may differ by. Roundings of single numbers, 2 ** -9 of
# bfloat16, 2 ** -12 of float16 and 1 / 254 of int8, add up over a model.
_COMPUTE_TOLERANCE = {None: 0.0, "bfloat16": 0.06, "float16": 0.01}
_TABLE_TOLERANCE = {"float32": 0.0, "float16": 0.002, "int8": 0.03}


@dataclasses.dataclass(frozen=True)
class GraphOptions:
    """What an exported graph does otherwise than the model in training.

    Layers compute in `compute_dtype`, weights stay float32; embedding tables
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
        """Whether answers are coarser than those of the model."""
        return self.compute_dtype is not None or self.table_dtype != "float32"

    @property
    def tolerance(self) -> float:
        """How far from those of the model answers may be expected to be."""
        return max(
            _EXACT,
            _COMPUTE_TOLERANCE[self.compute_dtype]
            + _TABLE_TOLERANCE[self.table_dtype],
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes them as JSON."""
        text = json.dumps(dataclasses.asdict(self), indent=2)
        Path(path).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "GraphOptions":
        """Reads what `save` wrote."""
        return cls(**json.loads(Path(path).read_text("utf-8")))
