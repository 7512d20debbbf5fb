"""The code of the guides runs, block by block, as a reader would run it."""

import pathlib
import re

import pytest

GUIDES = sorted(pathlib.Path(__file__).parents[1].glob("docs/guides/*.md"))
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_there_are_guides():
    assert GUIDES


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_guide(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = path.read_text("utf-8")
    namespace = {"__name__": "__main__"}
    for block in BLOCK.finditer(text):
        # Lines of errors are those of the guide.
        before = text[: block.start(1)].count("\n")
        code = compile("\n" * before + block[1], str(path), "exec")
        exec(code, namespace)
