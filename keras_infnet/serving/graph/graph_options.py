"""How the graph of an exported model computes and stores."""

import dataclasses
import json
import os
from pathlib import Path

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

    Args:
        compute_dtype: string. `"bfloat16"` or `"float16"`, in which layers
            compute; weights stay float32. `None` computes as the model was
            trained. Defaults to `None`.
        table_dtype: string. `"float32"`, `"float16"`, or `"int8"` with a
            scale a row, in which the embedding tables are stored. Defaults to
            `"float32"`.
        jit_compile: boolean. Whether XLA compiles what the model computes.
            Defaults to `False`.

    Raises:
        ValueError: If a type is not one of these.

    Example:

    >>> GraphOptions(table_dtype="int8").rounds
    True
    """

    compute_dtype: str | None = None
    table_dtype: str = "float32"
    jit_compile: bool = False

    def __post_init__(self) -> None:
        if self.compute_dtype not in (None, *COMPUTE_DTYPES):
            raise ValueError(
                "`compute_dtype` must be 'bfloat16', 'float16' or None, which "
                "is that of the model. Received: compute_dtype="
                f"{self.compute_dtype!r}."
            )
        if self.table_dtype not in TABLE_DTYPES:
            raise ValueError(
                "`table_dtype` must be 'float32', 'float16' or 'int8'. "
                f"Received: table_dtype={self.table_dtype!r}."
            )
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
        """Writes them as JSON.

        Args:
            path: path of the file.
        """
        text = json.dumps(dataclasses.asdict(self), indent=2)
        Path(path).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "GraphOptions":
        """Reads what `save` wrote.

        Args:
            path: path of the file.

        Returns:
            `GraphOptions`.
        """
        return cls(**json.loads(Path(path).read_text("utf-8")))
