"""The examples run, and the README and docs name what exists."""

import importlib.util
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
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


@pytest.mark.long
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path, tmp_path):
    arguments = [str(path), "--fast"]
    if "kuairand" in path.stem:
        if not KUAIRAND.exists():
            pytest.skip("needs the KuaiRand-Pure files")
        arguments.insert(1, str(KUAIRAND))
    if "retrieval" in path.stem:
        # Not `importorskip`: it cannot be imported beside Keras 3.
        for module in ("tensorflow_recommenders", "tf_keras"):
            if importlib.util.find_spec(module) is None:
                pytest.skip(f"needs {module}, the extra `retrieval`")
    output = run(arguments, tmp_path)
    assert "AUC" in output or "auc" in output


def test_two_stages_see_items_as_the_rows_say(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    from two_stage import feeds
    from two_stage.truth import TrueClicks

    feed = feeds.synthetic(num_rows=8_000, num_items=200)
    rows = feed.test.filter(
        np.isin(feed.test["item_id"], feed.items["item_id"])
    ).slice(0, 300)
    np.testing.assert_allclose(
        TrueClicks(feed.train)(rows), rows["true_click"], atol=1e-6
    )
    candidates = feed.candidates(rows["item_id"], rows["time"])
    assert candidates.columns == feed.schema.candidates
    frames = candidates.to_pandas(), rows.select(candidates.columns).to_pandas()
    for name in candidates.columns:
        for one, other in zip(*(frame[name] for frame in frames), strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)


def test_documentation_names_only_commands_that_exist():
    from keras_infnet.cli import main

    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    pages += (ROOT / "docs" / "guides").glob("*.md")
    commands = {
        command
        for page in pages
        for command in re.findall(
            r"^keras-infnet ([\w-]+)", page.read_text("utf-8"), re.MULTILINE
        )
    }
    assert commands >= {
        *("bench", "compare", "evaluate", "export", "predict", "quickstart"),
        *("schema", "serving-config", "sweep", "train"),
    }
    for command in commands:
        with pytest.raises(SystemExit) as stop:
            main([command, "--help"])
        assert stop.value.code == 0, command


def test_readme_is_short_and_its_links_exist():
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.split()) <= 700
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    assert targets
    for target in targets:
        assert (ROOT / target).exists(), target
