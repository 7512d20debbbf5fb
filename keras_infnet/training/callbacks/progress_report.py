"""Progress of training in one line per epoch."""

import atexit
import math
import sys
import time
from typing import Any

import keras

from keras_infnet.schema import Schema
from keras_infnet.training.callbacks import Logs
from keras_infnet.utils.tables import aligned_table
from keras_infnet.utils.terminal import is_terminal, output_width

__all__ = ["ProgressReport"]

# Counting the labels of larger tables would take long.
_MAX_COUNTED_ROWS = 5_000_000


class ProgressReport(keras.callbacks.Callback):
    """Prints one line per epoch, with a progress bar on a terminal.

    A line holds the training loss, the mean AUC that selects the best
    weights, and the AUC of each binary task: of the validation rows, or of
    the training rows where there is no validation. Regression tasks follow
    with their root mean squared error. Lines have at most 100 columns; tasks
    that do not fit are counted. In `fit_ranker` the number of labels of each
    task comes first.

    The bar shows the time left until the last epoch. It is drawn only where
    the output is a terminal: files and logs of CI get the lines alone.

    Use it with `verbose=0`, since Keras prints its own bar otherwise.

    Args:
        file: text stream, or `None` for the standard output. Defaults to
            `None`.

    Example:

    >>> import types
    >>> from keras_infnet.schema import Categorical, Schema, Task
    >>> schema = Schema([Categorical("item")], [Task("click"), Task("buy")])
    >>> report = ProgressReport()
    >>> report.set_model(types.SimpleNamespace(schema=schema))
    >>> report.set_params({"epochs": 4, "steps": 10})
    >>> logs = {"loss": 0.91, "val_mean_auc": 0.7, "val_click_auc": 0.75}
    >>> report.on_epoch_end(0, {**logs, "val_buy_auc": 0.65})
    epoch 1/4  loss 0.9100  val AUC mean 0.7000  click 0.7500  buy 0.6500
    """

    def __init__(self, file: Any = None) -> None:
        super().__init__()
        self.file = file
        self._bar: Any = None
        self._started: float | None = None
        self._epoch = 0
        self._reported_labels = False

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._started = time.monotonic()
        if self._bar is None and is_terminal(self.file):
            self._start_bar()
        self._epoch = epoch
        self._move(0)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        self._move(batch + 1)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        line = self._line(epoch, logs or {})
        if self._bar is None:
            print(line, file=self.file or sys.stdout, flush=True)
        else:
            self._bar.console.print(
                line, markup=False, highlight=False, soft_wrap=True
            )

    def on_train_end(self, logs: Logs = None) -> None:
        self.close()

    def report_labels(self, batches: Any, schema: Schema) -> None:
        """Prints once how many labels each task has in the training rows.

        Args:
            batches: `keras_infnet.data.Batches`. Other data, and more than
                5,000,000 rows, are not counted.
            schema: `Schema` of the model.
        """
        countable = all(
            hasattr(batches, name) for name in ("labels", "weights", "num_rows")
        )
        if self._reported_labels or not countable:
            return
        self._reported_labels = True
        if batches.num_rows <= _MAX_COUNTED_ROWS:
            print(
                _label_table(schema, batches.labels(), batches.weights()),
                file=self.file or sys.stdout,
                flush=True,
            )

    def close(self) -> None:
        """Removes the bar; also for training that ended in an error."""
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.stop()
            atexit.unregister(bar.stop)

    def _start_bar(self) -> None:
        # Here, since Keras imports rich only where it needs it.
        import rich.console
        import rich.progress

        steps = self.params["steps"]
        self._bar = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            rich.progress.TaskProgressColumn(),
            rich.progress.TimeRemainingColumn(),
            rich.progress.TextColumn("left"),
            console=rich.console.Console(
                file=self.file, width=output_width(self.file)
            ),
            transient=True,
            refresh_per_second=4,
        )
        total = steps and steps * self.params["epochs"]
        self._bar.add_task("training", total=total)
        self._bar.start()
        atexit.register(self._bar.stop)  # shows the cursor again

    def _move(self, steps: int) -> None:
        if self._bar is not None:
            self._bar.update(
                self._bar.task_ids[0],
                completed=self._epoch * (self.params["steps"] or 0) + steps,
                description=f"epoch {self._epoch + 1}/{self.params['epochs']}",
            )

    def _line(self, epoch: int, logs: dict[str, Any]) -> str:
        parts = [f"epoch {epoch + 1}/{self.params['epochs']}"]
        parts.append(f"loss {_number(logs.get('loss'))}")
        validated = any(name.startswith("val_") for name in logs)
        prefix, words = ("val_", "val") if validated else ("", "training")
        mean = logs.get(f"{prefix}mean_auc")
        if mean is not None:
            parts.append(f"{words} AUC mean {_number(mean)}")
        elif validated:
            parts.append(f"val loss {_number(logs.get('val_loss'))}")
        tasks = self._tasks(prefix, logs)
        ends = []
        if self._started is not None:
            ends.append(f"{time.monotonic() - self._started:.0f} s")
        for shown in range(len(tasks), -1, -1):
            hidden = len(tasks) - shown
            more = [f"+{hidden} tasks"] if hidden else []
            line = "  ".join([*parts, *tasks[:shown], *more, *ends])
            if len(line) <= output_width(self.file):
                break
        return line

    def _tasks(self, prefix: str, logs: dict[str, Any]) -> list[str]:
        schema = self.model.schema
        # Keras leaves out the output's name where there is only one output.
        single = len(schema.tasks) == 1
        found = []
        for task in sorted(schema.tasks, key=lambda task: task.kind):
            metric = "auc" if task.kind == "binary" else "rmse"
            value = logs.get(f"{prefix}{task.name}_{metric}")
            if value is None and single:
                value = logs.get(f"{prefix}{metric}")
            if value is not None:
                unit = "RMSE " if metric == "rmse" else ""
                found.append(f"{task.name} {unit}{_number(value)}")
        return found


def _label_table(schema: Schema, labels: Any, weights: Any) -> str:
    lines = [["task", "labels", "positive"]]
    for task in schema.tasks:
        values = labels[task.name][weights[task.name] > 0]
        share = "-"
        if len(values) and task.kind == "binary":
            share = f"{100 * values.mean():.1f} %"
        elif len(values):
            share = f"mean {values.mean():.4g}"
        lines.append([task.name, f"{len(values):,}", share])
    return aligned_table(lines)


def _number(value: Any) -> str:
    number = math.nan if value is None else float(value)
    return "undefined" if math.isnan(number) else f"{number:.4f}"
