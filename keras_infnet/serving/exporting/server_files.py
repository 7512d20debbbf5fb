"""Settings files of a server, in `saved_models/` beside the models.

- `models.config`: models, their versions and labels (`--model_config_file`).
  It is generated from `labels.json` in the folder of each model;
- `batching_parameters.txt` (`--enable_batching --batching_parameters_file`);
- `monitoring.config`: metrics for Prometheus (`--monitoring_config_file`).

The last two are written once and never overwritten.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_infnet.serving.exporting.versions import versions
from keras_infnet.utils.atomic_files import write_text

__all__ = [
    "label_versions",
    "models_config",
    "set_labels",
    "write_model_files",
]

_LABELS = "labels.json"
_MONITORING = """\
# Metrics for Prometheus, on the REST port.
prometheus_config {
  enable: true
  path: "/monitoring/prometheus/metrics"
}
"""
_BATCHING = """\
# Joins the requests of several clients into one batch, with --enable_batching.
# Worthwhile on a GPU, and if many clients send few rows each: a request waits
# for others, up to batch_timeout_micros.
#
# All inputs of a request must have equally many rows. So none may be omitted
# or have one row for all, and ranking, where the request has one row beside
# many candidates, cannot be batched.
#
# Lists must have the same length in all requests. Never let the server pad
# them (pad_variable_length_inputs): it repeats the first value of a request,
# which the model takes for an event.

# Rows of a batch. A request of more rows is refused.
max_batch_size { value: 512 }
# Microseconds that a request waits for others.
batch_timeout_micros { value: 1000 }
# Batches computed in parallel: about one per core, or two per GPU.
num_batch_threads { value: 4 }
# Batches that may wait. Further calls fail with UNAVAILABLE.
max_enqueued_batches { value: 100 }
"""


def set_labels(
    directory: str | os.PathLike[str], labels: Mapping[str, int]
) -> dict[str, Any]:
    """Sets all labels of the versions of a model.

    Versions that lose their label are served until the labels change again, so
    that a label always points to a loaded version and can be moved back at
    once. Without labels the newest version is served. Returns `"labels"` and
    the `"versions"` that are served.
    """
    there = versions(directory)
    if not there:
        raise ValueError(
            f"{os.fspath(directory)} holds no exported model: a folder NAME "
            "with numbered versions. Export one with `keras-infnet export`."
        )
    for label, version in labels.items():
        if not label or version not in there:
            raise ValueError(
                f"there is no version {version} to label {label!r} in "
                f"{os.fspath(directory)}. Versions: "
                f"{', '.join(map(str, there))}."
            )
    before = _labels(Path(directory))
    kept = {
        *before["labels"].values(),
        # Setting the same labels again changes nothing.
        *(before["versions"] if before["labels"] == dict(labels) else ()),
    }
    served = sorted({*labels.values(), *(kept & set(there) if labels else ())})
    state = {"labels": dict(labels), "versions": served}
    path = Path(directory) / _LABELS
    write_text(path, json.dumps(state, indent=2) + "\n")
    return state


def label_versions(
    directory: str | os.PathLike[str],
    labels: Mapping[str, int],
    base: str = "/models",
) -> list[str]:
    """Labels versions of a model and writes the settings files.

    `base` is the path of `saved_models` on the server. Returns lines that say
    what was done.
    """
    state = set_labels(directory, labels)
    root = Path(directory).resolve().parent
    lines = [f"Wrote {path}." for path in write_model_files(root, base)]
    lines += [f"  {label}: version {v}" for label, v in labels.items()]
    kept = sorted(set(state["versions"]) - set(labels.values()))
    if kept:
        still = ", ".join(map(str, kept))
        lines.append(f"  served until the labels change again: {still}")
    if not labels:
        lines.append("  no labels: the newest version is served")
    return lines


def models_config(root: str | os.PathLike[str], base: str = "/models") -> str:
    """Returns `models.config` for all models in `root`.

    `base` is the path of that folder on the server.
    """
    names = sorted(
        entry.name
        for entry in (Path(root).iterdir() if Path(root).is_dir() else ())
        if not entry.name.startswith(".") and versions(entry)
    )
    if not names:
        raise ValueError(
            f"{os.fspath(root)} holds no exported model: a folder NAME with "
            "numbered versions. Export one with `keras-infnet export`."
        )
    base = base.rstrip("/")
    lines = [
        "# Written by keras-infnet serving-config; labels: NAME/labels.json.",
        "model_config_list {",
    ]
    for name in names:
        lines += [
            "  config {",
            f"    name: {_quoted(name)}",
            f"    base_path: {_quoted(f'{base}/{name}')}",
            '    model_platform: "tensorflow"',
            *(f"    {line}" for line in _policy(Path(root) / name)),
            "  }",
        ]
    return "\n".join([*lines, "}"]) + "\n"


def write_model_files(
    root: str | os.PathLike[str], base: str = "/models"
) -> list[Path]:
    """Writes the settings files next to the models; returns their paths.

    `models.config` is always written, the others only if they do not exist.
    """
    config = Path(root) / "models.config"
    write_text(config, models_config(root, base))
    written = [config]
    for name, text in (
        ("batching_parameters.txt", _BATCHING),
        ("monitoring.config", _MONITORING),
    ):
        path = Path(root) / name
        if not path.exists():
            write_text(path, text)
            written.append(path)
    return written


def _labels(directory: Path) -> dict[str, Any]:
    path = directory / _LABELS
    if not path.exists():
        return {"labels": {}, "versions": []}
    try:
        state = json.loads(path.read_text("utf-8"))
        labels = {str(k): int(v) for k, v in state["labels"].items()}
        served = [int(version) for version in state["versions"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is damaged: {error!r}. Delete it and set the labels again."
        ) from error
    return {"labels": labels, "versions": served}


def _policy(directory: Path) -> list[str]:
    state = _labels(directory)
    if not state["labels"]:
        return []  # the newest version
    gone = set(state["versions"]) - set(versions(directory))
    if gone & set(state["labels"].values()):
        raise ValueError(
            f"{directory} no longer has version {min(gone)}, which has a "
            "label. Set the labels again."
        )
    served = sorted(set(state["versions"]) - gone)
    lines = ["model_version_policy {", "  specific {"]
    lines += [f"    versions: {version}" for version in served]
    lines += ["  }", "}"]
    for label, version in sorted(state["labels"].items()):
        lines += [
            "version_labels {",
            f"  key: {_quoted(label)}",
            f"  value: {version}",
            "}",
        ]
    return lines


def _quoted(text: str) -> str:
    # The text format of protocol buffers has the escapes of JSON.
    return json.dumps(text, ensure_ascii=False)
