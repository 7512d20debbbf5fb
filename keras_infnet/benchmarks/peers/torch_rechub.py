"""The MMoE and trainer of Torch-RecHub, tested with version 0.9.0."""

import contextlib
import importlib.metadata
import importlib.util
import io
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_infnet.schema import Categorical, Schema

__all__ = ["installed", "mmoe_step", "version"]


def installed() -> bool:
    """Returns whether Torch-RecHub and PyTorch are installed."""
    return all(
        importlib.util.find_spec(name) is not None
        for name in ("torch_rechub", "torch")
    )


def version() -> str:
    """Returns the version of Torch-RecHub."""
    return importlib.metadata.version("torch-rechub")


def mmoe_step(
    schema: Schema,
    batches: Sequence[Any],
    dim: int,
    experts: int = 4,
    expert_dims: tuple[int, ...] = (128, 64),
    tower_dims: tuple[int, ...] = (64,),
) -> Callable[[], float]:
    """Builds an MMoE and returns a function that trains it for an epoch.

    Fields are sparse features; attributes of behaviors are sequence features,
    averaged over the events. Trainer and optimizer (Adam for all weights) have
    their defaults. Batches replace its data loader, which collates row by row.
    """
    import torch
    from torch_rechub.models.multi_task import MMOE
    from torch_rechub.trainers import MTLTrainer

    names = schema.task_names
    features = _features(schema, dim)
    kinds = ["classification"] * len(names)
    model = MMOE(
        features,
        kinds,
        n_expert=experts,
        expert_params={"dims": list(expert_dims)},
        tower_params_list=[{"dims": list(tower_dims)} for _ in names],
    )
    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    trainer = MTLTrainer(model, kinds, device=device)
    ready = [
        (
            {f.name: torch.from_numpy(inputs[f.name]) for f in features},
            torch.from_numpy(np.stack([labels[n] for n in names], axis=1)),
        )
        for inputs, labels, _ in batches
    ]

    def epoch() -> float:
        model.train()
        silent = io.StringIO()
        with (
            contextlib.redirect_stdout(silent),
            contextlib.redirect_stderr(silent),
        ):
            started = time.perf_counter()
            # Reads the loss of every step, so no work is pending at the end.
            trainer.train_one_epoch(ready)
            return (time.perf_counter() - started) / len(ready)

    return epoch


def _features(schema: Schema, dim: int) -> list[Any]:
    from torch_rechub.basic.features import SequenceFeature, SparseFeature

    features: list[Any] = []
    owners: dict[str, str] = {}

    def add(name: str, part: Any, is_list: bool) -> None:
        arguments = {
            "vocab_size": schema.table_size(part.table_name),
            "embed_dim": dim,
            "shared_with": owners.get(part.table_name),
        }
        owners.setdefault(part.table_name, name)
        if is_list:
            features.append(
                SequenceFeature(
                    name, pooling="mean", padding_idx=0, **arguments
                )
            )
        else:
            features.append(SparseFeature(name, **arguments))

    for part in schema.fields:
        lists = isinstance(part, Categorical) and part.multivalued
        add(part.name, part, lists)
    for behavior in schema.behaviors:
        for part in schema.attributes(behavior):
            # Lists of lists are left out, since it pools one axis.
            if not (isinstance(part, Categorical) and part.multivalued):
                add(behavior.column(part), part, True)
    return features
