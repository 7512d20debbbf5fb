"""The documentation: its code runs, and every public name has a page.

`python -m sphinx -W docs OUT`, which `.ci/run` runs, builds it, executes the
notebooks, and warns of public names that the built pages do not describe.
"""

import json
import pathlib
import re
import sys

import keras
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = sorted(
    path
    for path in [ROOT / "README.md", *DOCS.rglob("*.md")]
    if "generated" not in path.parts and BLOCK.search(path.read_text("utf-8"))
)
#: Smaller data than a reader would use.
SMALLER = {"num_rows=80_000": "num_rows=2_000", "epochs=4": "epochs=1"}


def page_name(path):
    return path.relative_to(ROOT).with_suffix("").as_posix()


def test_guides_have_code():
    names = {page_name(path) for path in PAGES}
    assert names > {"README", "docs/getting_started", "docs/guides/extending"}


@pytest.fixture
def without_graphs():
    """Steps run at once: tracing them takes most of the time of small data."""
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Even though")
@pytest.mark.usefixtures("without_graphs")
@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_guide(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = path.read_text("utf-8")
    namespace = {"__name__": "__main__"}
    for block in BLOCK.finditer(text):
        source = block[1]
        for long, short in SMALLER.items():
            source = source.replace(long, short)
        # Lines of errors are those of the guide.
        before = text[: block.start(1)].count("\n")
        code = compile("\n" * before + source, str(path), "exec")
        exec(code, namespace)


@pytest.fixture
def reference(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    import reference_pages

    yield reference_pages
    for name in ("reference_pages", "program_pages", "docstrings"):
        sys.modules.pop(name, None)


def test_every_public_name_has_a_page(reference):
    pages = reference.reference_pages()
    directives = re.findall(
        r"^\.\. (?:auto|py:)(?:class|function|data|module):: (\S+)$",
        "\n".join(pages.values()),
        re.MULTILINE,
    )
    listed = (ROOT / "tests" / "public_api.txt").read_text("utf-8").split()
    assert set(listed) <= set(directives)
    # Each on one page, and two names on one only if they differ in case.
    assert len(directives) == len(set(directives))


def test_every_settings_key_has_a_line(reference):
    from keras_infnet.experiments.settings import TrainingSettings

    text = reference.reference_pages()["settings.md"]
    for key in TrainingSettings.__dataclass_fields__:
        assert f"`{key}`" in text or f"[training.{key}]" in text, key
    assert text.count("### `[sweep]`") == text.count("### `[[models]]`") == 1


@pytest.mark.parametrize(
    ("markdown", "rst"),
    [
        ("`x` and [a `b`](https://c.d)", "``x`` and `a b <https://c.d>`__"),
        ("`tf.Tensor`s of *x*", r"``tf.Tensor``\ s of \*x\*"),
        (
            "See `Fusion`.",
            "See :py:obj:`Fusion <keras_infnet.serving.Fusion>`.",
        ),
    ],
)
def test_markdown_of_docstrings_becomes_rst(reference, markdown, rst):
    assert reference.to_rst([markdown], "keras_infnet.serving.x") == [rst]


@pytest.mark.parametrize("name", ["quickstart", "serving"])
def test_notebooks_are_stored_without_outputs(name):
    path = DOCS / "notebooks" / f"{name}.ipynb"
    cells = json.loads(path.read_text("utf-8"))["cells"]
    cells = [cell for cell in cells if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in cells)
    # Where the package is installed, the first cell is left out.
    skipped = [
        "skip-execution" in cell["metadata"].get("tags", ()) for cell in cells
    ]
    assert skipped == [True] + [False] * (len(cells) - 1)
    assert "%pip install" in "".join(cells[0]["source"])


def test_links_between_pages_exist():
    broken = []
    for path in DOCS.rglob("*.md"):
        if "generated" in path.parts:
            continue
        text = re.sub(
            r"^```.*?^```", "", path.read_text("utf-8"), flags=re.M | re.S
        )
        for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", text):
            # Pages of the reference are made when the site is built.
            if (
                "generated/" not in target
                and not (path.parent / target).exists()
            ):
                broken.append(f"{page_name(path)}: {target}")
    assert not broken
