"""Settings of the benchmarks and mistakes in them."""

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
        ("training", {"repeats": 0}, "`repeats` .*Received: 0"),
        ("training", {"batch_size": True}, "`batch_size` .*Received: True"),
        ("training", {"dtype": "bfloat16"}, "`dtype` 'bfloat16'"),
        ("training", {"tiny": True, "data": "x"}, "`tiny` .*data='x'"),
        ("vocabulary", {"rows": (200, 100)}, r"`rows` .*\(200, 100\)"),
        ("vocabulary", {"rows": ()}, r"`rows` .*\(\)"),
        ("vocabulary", {"rows": (100, 0.5)}, "`rows` .*0.5"),
        ("vocabulary", {"rows": (79,)}, r"rows=\(79,\)"),
        ("vocabulary", {"zipf": 1}, "`zipf` .*Received: 1"),
        ("tokens", {"lengths": (50,)}, r"lengths=\(50,\)"),
    ],
)
def test_mistakes_in_settings(name, options, message):
    with pytest.raises(ValueError, match=message):
        benchmarks.BENCHMARKS[name](**options)


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
        (["training", "--zipf"], "no option --zipf"),
        (["feed", "--rows", "5", "6"], "`rows`"),
        (["vocabulary", "--rows", "5"], "rows=(5,)"),
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
def test_unknown_words(capsys, arguments, message):
    with pytest.raises(SystemExit):
        main(["bench", *arguments])
    assert message in capsys.readouterr().err
