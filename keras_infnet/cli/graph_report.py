"""What an export with other types or compilation gains, and what it costs."""

import pathlib
import shutil
import statistics
import tempfile
import time
from typing import Any

import numpy as np

from keras_infnet.data import Batches, Encoder, Table, open_source
from keras_infnet.evaluation import evaluate
from keras_infnet.serving import Servable
from keras_infnet.serving.exporting.python_process import python
from keras_infnet.serving.graph.graph_options import OPTIONS_FILE

__all__ = ["describe_graph", "evaluate_export"]

_SIZES = (1, 64, 1024)
_ROUNDS = 11


def evaluate_export(
    servable: Servable, encoder: Encoder, source: Any, batch_size: int = 4096
) -> dict[str, dict[str, float]]:
    """Computes the exact metrics of an exported graph on labelled rows.

    Args:
        servable: `Servable`.
        encoder: its `keras_infnet.data.Encoder`.
        source: rows, anything that `open_source` takes.
        batch_size: integer. Rows of one call. Defaults to `4096`.

    Returns:
        Results by task, as `keras_infnet.evaluation.evaluate` gives them.
    """
    source = open_source(source, encoder.text_columns)
    rows = Batches(source, encoder, batch_size)
    parts = [
        servable.predict_raw(chunk, batch_size) for chunk in source.chunks()
    ]
    predictions = {
        task: np.concatenate([part[task] for part in parts])
        for task in encoder.schema.task_names
    }
    groups = None if encoder.schema.group is None else rows.group()
    return evaluate(
        rows.labels(), predictions, rows.weights(), encoder.schema, groups
    )


def describe_graph(
    version: pathlib.Path, encoder: Encoder, rows: Table | None
) -> str:
    """Compares an export with the graph that it would be without options.

    Args:
        version: path of the version folder.
        encoder: its `keras_infnet.data.Encoder`.
        rows: rows to predict, with labels for their metrics, or `None`.

    Returns:
        Text of several lines.
    """
    with tempfile.TemporaryDirectory() as temporary:
        plain = pathlib.Path(temporary)
        for path in version.iterdir():
            if path.suffix in (".json", ".keras", ".npz"):
                shutil.copyfile(path, plain / path.name)
        (plain / OPTIONS_FILE).unlink()
        with python(
            [
                "-m",
                "keras_infnet.serving.exporting.build_saved_model",
                str(plain),
            ],
            "building the SavedModel without options, to compare",
        ):
            pass
        folders = {"without": plain, "with options": version}
        lines = [["", *folders]]
        lines.append(["size of the graph and its variables"])
        lines[-1] += [f"{_bytes(f) / 1e6:,.2f} MB" for f in folders.values()]
        if rows is not None and len(rows):
            graphs = [Servable.load(folder) for folder in folders.values()]
            lines += _times(graphs, rows)
            lines += _metrics(graphs, encoder, rows)
        return _aligned(lines)


def _bytes(folder: pathlib.Path) -> int:
    paths = [folder / "saved_model.pb", *(folder / "variables").iterdir()]
    return sum(path.stat().st_size for path in paths)


def _times(graphs: list[Servable], rows: Table) -> list[list[str]]:
    lines = []
    for size in _SIZES:
        batch = rows.take(np.arange(size) % len(rows))
        seconds: list[list[float]] = [[] for _ in graphs]
        # In turn, so that what slows the machine slows both.
        for _ in range(_ROUNDS):
            for graph, own in zip(graphs, seconds, strict=True):
                start = time.perf_counter()
                graph.predict_raw(batch, size)
                own.append(time.perf_counter() - start)
        # The first calls trace, or compile.
        times = [statistics.median(own[2:]) for own in seconds]
        lines.append(
            [
                f"{size:,} raw row{'s' * (size > 1)}, on this machine",
                *(f"{1e3 * t:,.2f} ms" for t in times),
            ]
        )
    return lines


def _metrics(
    graphs: list[Servable], encoder: Encoder, rows: Table
) -> list[list[str]]:
    tasks = encoder.schema.tasks
    if any(task.label_column not in rows for task in tasks):
        return [["(no labels: no metrics)"]]
    found = [evaluate_export(graph, encoder, rows) for graph in graphs]
    lines = []
    for task in encoder.schema.task_names:
        for name in ("auc", "log_loss", "rmse"):
            values = [results[task].get(name) for results in found]
            if None not in values:
                lines.append(
                    [f"{task} {name}", *(f"{value:.5f}" for value in values)]
                )
    return lines


def _aligned(lines: list[list[str]]) -> str:
    first = max(len(line[0]) for line in lines)
    return "\n".join(
        "  ".join([line[0].ljust(first), *(w.rjust(14) for w in line[1:])])
        for line in lines
    )
