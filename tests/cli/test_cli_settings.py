"""`settings`: commented files that the other commands read."""

import tomllib

import pytest

from keras_infnet.cli import main
from keras_infnet.experiments import (
    ComparisonSettings,
    ExperimentSettings,
    SweepSettings,
)

SETTINGS = {
    "train": ExperimentSettings,
    "compare": ComparisonSettings,
    "sweep": SweepSettings,
}


@pytest.mark.parametrize("command", SETTINGS)
def test_a_written_file_is_read_as_it_is(command, tmp_path, capsys):
    path = tmp_path / "settings.toml"
    words = ["settings", command, "--model", "FM", "--output", str(path)]
    assert main(words) == 0
    text = path.read_text("utf-8")
    assert max(map(len, text.splitlines())) <= 80
    read = SETTINGS[command].from_dict(tomllib.loads(text)).to_dict()
    model = read["models"][0] if command == "compare" else read["model"]
    assert model == {"name": "FM"}
    assert "\n# embedding_dim = " in text and "\n# seeds = [0]\n" in text
    # A second time the file is kept.
    assert main(words) == 2
    assert str(path) in capsys.readouterr().err
    assert path.read_text("utf-8") == text


def test_comments_are_settings_once_their_mark_is_gone(capsys):
    assert main(["settings", "train"]) == 0
    lines = [
        line.removeprefix("# ")
        for line in capsys.readouterr().out.splitlines()
        if not line.startswith("# ") or " = " in line[2:].partition("`")[0]
    ]
    config = tomllib.loads("\n".join(lines))
    assert ExperimentSettings.from_dict(config).training.batch_size == 512
    assert config["data"]["options"]["num_rows"] == 80_000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "INFNett"], "'INFNet'"),
        (["--dataset", "kuairnd"], "'kuairand'"),
        (["--output", "settings.yaml"], "settings.yaml"),
    ],
)
def test_mistakes(words, message, capsys):
    assert main(["settings", *words]) == 2
    assert message in capsys.readouterr().err
