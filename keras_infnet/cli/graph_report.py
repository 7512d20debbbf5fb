"""Size, speed and metrics of an export with graph options."""

import pathlib
import shutil
import statistics
import tempfile
import time

import numpy as np

from keras_infnet.cli.metrics import evaluate_export
from keras_infnet.data import Encoder, Table
from keras_infnet.serving import Servable
from keras_infnet.serving.exporting.build_saved_model import building
from keras_infnet.serving.graph.graph_options import OPTIONS_FILE
from keras_infnet.utils.tables import aligned_table

__all__ = ["describe_graph"]

_SIZES = (1, 64, 1024)
_ROUNDS = 11


def describe_graph(
    version: pathlib.Path, encoder: Encoder, rows: Table | None
) -> str:
    """Compares an export with the same graph without options."""
    with tempfile.TemporaryDirectory() as temporary:
        plain = pathlib.Path(temporary)
        for path in version.iterdir():
            if path.suffix in (".json", ".keras", ".npz"):
                shutil.copyfile(path, plain / path.name)
        (plain / OPTIONS_FILE).unlink()
        with building(
            plain, what="building the SavedModel without options, to compare"
        ):
            pass
        folders = {"without": plain, "with options": version}
        sizes = [f"{_bytes(f) / 1e6:,.2f} MB" for f in folders.values()]
        lines = [
            ["", *folders],
            ["size of the graph and its variables", *sizes],
        ]
        if rows is not None and len(rows):
            graphs = [Servable.load(folder) for folder in folders.values()]
            lines += _times(graphs, rows)
            lines += _metrics(graphs, encoder, rows)
        return aligned_table(lines)


def _bytes(folder: pathlib.Path) -> int:
    paths = [folder / "saved_model.pb", *(folder / "variables").iterdir()]
    return sum(path.stat().st_size for path in paths)


def _times(graphs: list[Servable], rows: Table) -> list[list[str]]:
    lines = []
    for size in _SIZES:
        batch = rows.take(np.arange(size) % len(rows))
        seconds: list[list[float]] = [[] for _ in graphs]
        # In turn, so that load on the machine affects both.
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
        return [["(no labels: no metrics)", *("" for _ in graphs)]]
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
