"""A table, its encoder and a model, made once, and programs around them."""

import functools
import os
from collections.abc import Callable
from pathlib import Path

import filelock
import keras
import pytest
from cpp_program import CppProgram
from serving_examples import make_model, make_schema, make_table
from small_models import small_model
from tiny import randomize

from keras_infnet.benchmarks import saved_model_program
from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.data.sources.table import Table
from keras_infnet.serving import export
from keras_infnet.serving.exporting.build_saved_model import build


@pytest.fixture(scope="session")
def table() -> Table:
    return make_table()


@pytest.fixture(scope="session")
def encoder(table) -> Encoder:
    return Encoder(make_schema()).fit(table)


@pytest.fixture(scope="session")
def model(encoder) -> keras.Model:
    return make_model(encoder.schema)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory) -> Path:
    """A folder for what the workers of one run make once, under a lock."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    folder = folder / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def exported(model, encoder, table, shared_folder) -> Path:
    folder = shared_folder / "news"
    with filelock.FileLock(f"{folder}.lock"):
        if (folder / "1").exists():
            return folder / "1"
        return export(
            model,
            encoder,
            folder,
            examples=table,
            metrics={"click": {"auc": 0.75}},
            description="Ranks it's news.",
        )


@pytest.fixture(scope="session")
def exported_ids(model, encoder, shared_folder) -> Path:
    """The same without an encoder: encoded ids alone."""
    folder = shared_folder / "ids"
    with filelock.FileLock(f"{folder}.lock"):
        if (folder / "1").exists():
            return folder / "1"
        return export(model, encoder.schema, folder, warmup_rows=())


@pytest.fixture(scope="session")
def built(
    encoder, tmp_path_factory
) -> Callable[[str], tuple[keras.Model, Path]]:
    """Makes small models by label, and their SavedModels in this process."""

    @functools.cache
    def make(label: str) -> tuple[keras.Model, Path]:
        model = randomize(small_model(label, encoder.schema))
        folder = tmp_path_factory.mktemp(label)
        model.save(folder / "model.keras")
        encoder.save(folder)
        build(folder)
        return model, folder

    return make


@pytest.fixture
def served(label, request) -> tuple[keras.Model, Path]:
    """The model that the parameter `label` names, and its export."""
    if label not in ("sums", "ids"):
        return request.getfixturevalue("built")(label)
    # Adds embeddings up: hardly a shape is wrong for it by itself.
    name = "exported_ids" if label == "ids" else "exported"
    return request.getfixturevalue("model"), request.getfixturevalue(name)


@pytest.fixture(scope="session")
def compiled(shared_folder) -> Path:
    problem = saved_model_program.problem()
    if problem is not None:
        pytest.skip(f"{problem}, which the C++ program needs")
    return saved_model_program.compile_program(shared_folder)


@pytest.fixture(scope="session")
def program(compiled, tmp_path_factory) -> CppProgram:
    return CppProgram(compiled, tmp_path_factory.mktemp("requests"))
