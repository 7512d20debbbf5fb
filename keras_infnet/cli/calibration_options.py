"""Calibration options of `keras-infnet export`."""

import argparse
import json
import pathlib
from collections.abc import Sequence
from typing import Any

from keras_infnet.cli.console import say
from keras_infnet.data import Encoder, datasets, open_source
from keras_infnet.experiments import DataSettings
from keras_infnet.serving import Calibration, calibrate, format_calibration
from keras_infnet.serving.calibration.calibration import CALIBRATION_FILE

__all__ = ["find_calibration", "validation_rows"]


def find_calibration(
    options: argparse.Namespace, model: Any, encoder: Encoder
) -> Calibration | None:
    """Fits the calibration that the options ask for, and prints its figures."""
    rate = _words(options.negative_rate, "--negative-rate", number=True)
    method = _words(options.calibrate, "--calibrate", number=False)
    if method is None:
        for name in ("calibration_rows", "rows_sampled"):
            if getattr(options, name):
                raise ValueError(
                    f"--{name.replace('_', '-')} belongs to --calibrate, "
                    "which is not given. Say --calibrate platt, for example."
                )
        if rate is not None:
            calibration = Calibration.for_sampling(encoder.schema, rate)
            say(format_calibration(calibration))
            return calibration
        if (pathlib.Path(options.model) / CALIBRATION_FILE).exists():
            say(
                f"{options.model} was exported with a calibration, and this "
                "export is without: --calibrate and --negative-rate ask for "
                "one."
            )
        return None
    if options.calibration_rows is not None:
        paths = options.calibration_rows
        rows = open_source(
            paths[0] if len(paths) == 1 else paths, encoder.text_columns
        )
        what = "the rows given"
    else:
        rows = validation_rows(options.model, encoder)
        what = "the validation rows"
    say(f"Calibrating on {what}.")
    calibration = calibrate(
        model,
        encoder,
        rows,
        method,
        rate,
        rows_sampled=options.rows_sampled,
    )
    say(format_calibration(calibration))
    return calibration


def validation_rows(directory: str, encoder: Encoder) -> Any:
    """Opens the validation rows of the training of a model."""
    advice = "Name a table with labels: --calibration-rows TABLE."
    path = pathlib.Path(directory) / "config.json"
    if not path.exists():
        raise ValueError(
            f"{directory} does not say which rows it was validated on: there "
            f"is no config.json. {advice}"
        )
    settings = DataSettings(**json.loads(path.read_text("utf-8"))["data"])
    if settings.dataset is not None:
        data = getattr(datasets, settings.dataset).load(**settings.options)
        rows = data.validation
    elif settings.validation is not None:
        rows = open_source(settings.validation, encoder.text_columns)
    else:
        rows = None
    if rows is None:
        raise ValueError(
            f"{directory} was trained without validation rows. {advice}"
        )
    return rows


def _words(words: Sequence[str] | None, option: str, number: bool) -> Any:
    """One value for all tasks, or a dict by task."""
    if words is None:
        return None

    def value(text: str) -> Any:
        if not number:
            return text
        try:
            return float(text)
        except ValueError:
            raise ValueError(
                f"{option} must be a number, or TASK=NUMBER. Received: "
                f"{text!r}."
            ) from None

    if len(words) == 1 and "=" not in words[0]:
        return value(words[0])
    found: dict[str, Any] = {}
    for word in words:
        task, equals, text = word.partition("=")
        if not equals or task in found:
            raise ValueError(
                f"{option} takes one value, or TASK=VALUE once a task. "
                f"Received: {' '.join(words)}."
            )
        found[task] = value(text)
    return found
