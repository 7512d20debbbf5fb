"""The settings of a server, beside the models in `saved_models/`.

- `models.config`: which models and versions are served, and the labels of
  versions (`--model_config_file`). It is made of `labels.json`, which lies in
  the folder of each model, and always written whole and in one step;
- `batching_parameters.txt` (`--enable_batching --batching_parameters_file`);
- `monitoring.config`: metrics for Prometheus (`--monitoring_config_file`).

The last two are written once, and then yours.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_infnet.serving.exporting.versions import versions
from keras_infnet.utils.atomic_files import write_text

__all__ = [
    "batching_parameters",
    "label_versions",
    "models_config",
    "set_labels",
    "write_model_files",
]

_LABELS = "labels.json"
_MONITORING = """\
# Metrics for Prometheus, at the REST port.
prometheus_config {
  enable: true
  path: "/monitoring/prometheus/metrics"
}
"""
_BATCHING = """\
# Requests of several clients, joined to one batch. It pays on a GPU, and where
# many clients send few rows each; a request then waits for others, up to
# batch_timeout_micros. Without --enable_batching nothing of this counts.
#
# All inputs of a request must have as many rows as one another: none may be
# left out, none may have one row for all, and ranking, where the request has
# one row beside many candidates, cannot be batched.
#
# Lists must have one length in all requests. Never let the server pad them
# (pad_variable_length_inputs): it repeats the first value of a request, which
# the model takes for an event.

# Rows of a batch. A request of more rows is refused.
max_batch_size {{ value: {rows} }}
# Microseconds that a request waits for others.
batch_timeout_micros {{ value: {wait} }}
# Batches computed at once: about one a core, or two a GPU.
num_batch_threads {{ value: {threads} }}
# Batches that may wait. Beyond, calls end with UNAVAILABLE.
max_enqueued_batches {{ value: {waiting} }}
"""


def set_labels(
    directory: str | os.PathLike[str], labels: Mapping[str, int]
) -> dict[str, Any]:
    """Says which version of a model has which label.

    Versions whose labels go elsewhere stay loaded until the labels change
    again, so that a label never points to nothing and comes back at once.
    `labels` are all of them; without any the newest version is served.
    Returns `"labels"` and the `"versions"` that are served.
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
                f"there is no version {version} to call {label!r} in "
                f"{os.fspath(directory)}. Versions: "
                f"{', '.join(map(str, there))}."
            )
    before = _labels(Path(directory))
    kept = {
        *before["labels"].values(),
        # Said again, nothing changes.
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
    """Labels versions of a model in the settings of servers.

    A server sees `saved_models` at `base`. Returns lines that tell what was
    done.
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
    """Returns `models.config` for all models below `root`.

    A server sees that folder at `base`.
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
    """Writes the settings of a server beside the models, and returns paths.

    `models.config` is always written, the others where they do not exist.
    """
    config = Path(root) / "models.config"
    write_text(config, models_config(root, base))
    written = [config]
    for name, text in (
        ("batching_parameters.txt", batching_parameters()),
        ("monitoring.config", _MONITORING),
    ):
        path = Path(root) / name
        if not path.exists():
            write_text(path, text)
            written.append(path)
    return written


def batching_parameters(
    max_batch_size: int = 512,
    timeout_micros: int = 1000,
    threads: int = 4,
    max_enqueued_batches: int = 100,
) -> str:
    """Returns `batching_parameters.txt`."""
    return _BATCHING.format(
        rows=max_batch_size,
        wait=timeout_micros,
        threads=threads,
        waiting=max_enqueued_batches,
    )


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
            f"{path} is damaged: {error!r}. Delete it and set the labels anew."
        ) from error
    return {"labels": labels, "versions": served}


def _policy(directory: Path) -> list[str]:
    state = _labels(directory)
    if not state["labels"]:
        return []  # the newest version
    gone = set(state["versions"]) - set(versions(directory))
    if gone & set(state["labels"].values()):
        raise ValueError(
            f"{directory} has no version {min(gone)} any more, which has a "
            "label. Set the labels anew."
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
    # The escapes of JSON are among those of the text format.
    return json.dumps(text, ensure_ascii=False)
