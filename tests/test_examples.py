"""The examples run, and so do the snippets of the README."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("[0-9]*.py"))
KUAIRAND = ROOT.parent / "shared/data/kuairand_pure"

pytestmark = pytest.mark.slow


def run(arguments, folder):
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert result.returncode == 0, result.stdout[-4000:]
    return result.stdout


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path, tmp_path):
    arguments = [str(path), "--fast"]
    if "kuairand" in path.stem:
        if not KUAIRAND.exists():
            pytest.skip("needs the KuaiRand-Pure files")
        arguments.insert(1, str(KUAIRAND))
    output = run(arguments, tmp_path)
    assert "AUC" in output or "auc" in output


def test_readme_snippets(tmp_path):
    text = (ROOT / "README.md").read_text("utf-8")
    snippets = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert snippets
    for snippet in snippets:
        shorter = snippet.replace("num_rows=80_000", "num_rows=2_000")
        output = run(["-c", shorter], tmp_path)
        for column in ("task", "AUC", "GAUC", "best AUC"):
            assert column in output


def test_readme_names_only_commands_that_exist():
    from keras_infnet.cli import main

    text = (ROOT / "README.md").read_text("utf-8")
    commands = set(re.findall(r"^keras-infnet (\w+)", text, re.MULTILINE))
    assert commands == {
        "compare",
        "evaluate",
        "export",
        "predict",
        "schema",
        "sweep",
        "train",
    }
    for command in commands:
        with pytest.raises(SystemExit) as stop:
            main([command, "--help"])
        assert stop.value.code == 0


def test_links_of_the_readme_exist():
    text = (ROOT / "README.md").read_text("utf-8")
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    assert targets
    for target in targets:
        assert (ROOT / target).exists(), target
