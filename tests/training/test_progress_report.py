"""What `ProgressReport` prints, in files and on terminals."""

import io
import re
import types

import pytest
from click_rows import (
    make_batches,
    make_model,
    make_table,
    make_validation,
)

from keras_infnet.schema import Categorical, Schema, Task
from keras_infnet.training import ProgressReport, fit_ranker


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    for name in ("CI", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    return Terminal()


def report_line(tasks, logs, file=None, epochs=3):
    """The line of the second epoch."""
    file = file or io.StringIO()
    report = ProgressReport(file)
    schema = Schema([Categorical("item")], tasks)
    report.set_model(types.SimpleNamespace(schema=schema))
    report.set_params({"epochs": epochs, "steps": 5})
    report.on_epoch_end(1, logs)
    return file.getvalue()


def fit(*callbacks, **options):
    return fit_ranker(
        make_model(),
        make_batches(),
        callbacks=callbacks,
        verbose=0,
        **options,
    )


def test_an_epoch_is_one_line_of_a_file():
    file = io.StringIO()
    history = fit(ProgressReport(file), validation=make_validation(), epochs=2)
    labels, lines = (
        file.getvalue().splitlines()[:3],
        file.getvalue().splitlines()[3:],
    )
    assert labels[0].split() == ["task", "labels", "positive"]
    table = make_table()
    for line, observed in zip(
        labels[1:], (table["click"] >= 0, table["click"] == 1), strict=True
    ):
        task, count, share, _ = line.split()
        assert int(count) == observed.sum()
        assert float(share) == pytest.approx(
            100 * table[task][observed].mean(), abs=0.05
        )
    assert len(lines) == 2
    for epoch, line in enumerate(lines):
        values = history.history
        for name in ("loss", "val_mean_auc", "val_click_auc", "val_like_auc"):
            assert f"{values[name][epoch]:.4f}" in line
        # The mean that decides comes first.
        assert line.index("mean") < line.index("click") < line.index("like")
        assert line.startswith(f"epoch {epoch + 1}/2  loss ")
    assert file.getvalue().replace("\n", "").isprintable()


def test_without_validation_the_training_auc_is_reported():
    file = io.StringIO()
    history = fit(ProgressReport(file))
    assert "training AUC mean" in file.getvalue()
    assert f"click {history.history['click_auc'][0]:.4f}" in file.getvalue()


def test_a_terminal_gets_a_bar_that_leaves_only_the_lines(terminal):
    fit(ProgressReport(terminal), epochs=2)
    printed = terminal.getvalue()
    assert "left" in printed and "epoch 2/2" in printed
    assert printed.index("\x1b[?25l") < printed.index("\x1b[?25h")
    text = re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", printed)
    assert len(re.findall(r"[\r\n]epoch \d/2  loss", text)) == 2


def test_ci_gets_no_bar(terminal, monkeypatch):
    monkeypatch.setenv("CI", "true")
    fit(ProgressReport(terminal))
    assert terminal.getvalue().count("\n") == 4  # three of labels
    assert "\x1b" not in terminal.getvalue()


def test_an_error_in_training_gives_the_cursor_back(terminal):
    class Interrupts(ProgressReport):
        def on_train_batch_end(self, batch, logs=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(ProgressReport(terminal), Interrupts(io.StringIO()))
    assert "\x1b[?25h" in terminal.getvalue()


@pytest.mark.parametrize("columns", [80, 100, 120])
@pytest.mark.parametrize("live", [False, True])
def test_lines_fit(terminal, monkeypatch, columns, live):
    monkeypatch.setenv("COLUMNS", str(columns))
    tasks = [Task(f"a_rather_long_task_{i}") for i in range(9)]
    logs = {"loss": 1.0, "val_mean_auc": 0.5}
    logs |= {f"val_{task.name}_auc": 0.5 for task in tasks}
    line = report_line(tasks, logs, terminal if live else None)
    width = min(columns, 100) if live else 100
    assert width - 30 < len(line.rstrip("\n")) <= width
    shown = line.count("a_rather_long_task")
    assert f"+{9 - shown} tasks" in line


def test_regression_and_undefined_values():
    tasks = [Task("minutes", kind="regression"), Task("click")]
    logs = {"loss": 2.0, "val_mean_auc": float("nan"), "val_minutes_rmse": 3.5}
    line = report_line(tasks, {**logs, "val_click_auc": float("nan")})
    assert "AUC mean undefined  click undefined  minutes RMSE 3.5000" in line
    line = report_line(tasks[:1], {"loss": 2.0, "val_loss": 1.5, "val_rmse": 3})
    assert "val loss 1.5000  minutes RMSE 3.0000" in line
