"""What benchmarks can be asked for, and mistakes in it."""

import dataclasses

import pytest

from keras_infnet import benchmarks
from keras_infnet.benchmarks.settings import choose_settings
from keras_infnet.cli import main
from keras_infnet.cli.commands.bench import BENCHMARKS


def test_the_program_knows_all_benchmarks():
    assert list(BENCHMARKS) == list(benchmarks.BENCHMARKS)


@pytest.mark.parametrize("name", list(benchmarks.BENCHMARKS))
def test_quick_settings_are_valid_and_smaller(name):
    kind = benchmarks.BENCHMARKS[name]
    quick, full = kind.quick(), kind()
    assert quick.repeats < full.repeats or name == "parity"
    if name == "serving":
        assert max(quick.candidates) < max(full.candidates)
    else:
        assert quick.batch_size < full.batch_size
    assert {f.name for f in dataclasses.fields(kind)} >= {"repeats"}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("training", {"repeats": 0}, "`repeats` must be an integer of at l"),
        ("training", {"batch_size": True}, "`batch_size` must be an integer"),
        ("training", {"dtype": "bfloat16"}, "Did you mean 'mixed_bfloat16'"),
        ("training", {"tiny": True, "data": "x"}, "`tiny` cuts random rows"),
        ("vocabulary", {"rows": (200, 100)}, "`rows` must ascend"),
        ("vocabulary", {"rows": ()}, "`rows` must be a list of integers"),
        ("vocabulary", {"rows": (100, 0.5)}, "every item of `rows`"),
        ("vocabulary", {"rows": (79,)}, "at least twice the number of fields"),
        ("vocabulary", {"zipf": 1}, "`zipf` must be True or False"),
        ("tokens", {"lengths": (50,)}, "`lengths` must hold two numbers"),
    ],
)
def test_mistakes_in_settings(name, options, message):
    with pytest.raises(ValueError) as error:
        benchmarks.BENCHMARKS[name](**options)
    assert message in str(error.value)


def test_options_that_are_not_given_stay():
    given = {"rows": [300], "batch_size": None, "lengths": None}
    chosen = choose_settings("vocabulary", True, given)
    quick = benchmarks.VocabularySettings.quick()
    assert chosen == dataclasses.replace(quick, rows=(300,))
    # One number where a benchmark has one.
    assert choose_settings("feed", False, {"rows": [300]}).rows == 300


def test_settings_of_no_benchmark():
    with pytest.raises(ValueError, match="one of TrainingSettings"):
        benchmarks.run("training")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["training", "--zipf"], "bench training has no option --zipf. It has"),
        (["feed", "--rows", "5", "6"], "`rows` must be an integer"),
        (["vocabulary", "--rows", "5"], "at least twice the number"),
        (["tokens", "--repeats", "-1"], "Received: -1"),
        (["feed", "--data", "nowhere", "--quick"], "nowhere"),
    ],
)
def test_mistakes_on_the_command_line(tmp_path, capsys, arguments, message):
    output = tmp_path / "out"
    assert main(["bench", *arguments, "--output", str(output)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("keras-infnet: error: ")
    assert message in error
    assert not output.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["vocabulry"], "Did you mean 'vocabulary'"),
        (["vocabulary", "--rows", "ten"], "--rows: invalid int value: 'ten'"),
        ([], "benchmark"),
    ],
)
def test_words_that_no_command_knows(capsys, arguments, message):
    with pytest.raises(SystemExit):
        main(["bench", *arguments])
    assert message in capsys.readouterr().err
