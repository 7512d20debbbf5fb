"""Files for packaging agree with `pyproject.toml`."""

import pathlib
import re
import tomllib

from keras_infnet.version import __version__

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_classifiers_name_the_supported_versions_of_python():
    versions = [
        name.rpartition(" ")[2]
        for name in PROJECT["classifiers"]
        if re.search(r"Python :: 3\.\d+$", name)
    ]
    assert versions == ["3.11", "3.12", "3.13"]
    assert PROJECT["requires-python"] == f">={versions[0]}"


def test_the_citation_names_this_version():
    text = (ROOT / "CITATION.cff").read_text("utf-8")
    values = dict(re.findall(r"^([a-z-]+): (\S.*)$", text, re.MULTILINE))
    assert values["cff-version"] == "1.2.0"
    assert values["version"] == __version__
    assert values["license"] == PROJECT["license"]
    assert {"message", "title"} <= values.keys() and "\nauthors:\n  - " in text


def test_the_dockerfile_installs_what_there_is():
    text = (ROOT / "Dockerfile").read_text("utf-8")
    ignored = (ROOT / ".dockerignore").read_text("utf-8").split()
    copied = re.findall(r"^COPY (.*) \S+$", text, re.MULTILINE)
    for name in " ".join(copied).split():
        assert (ROOT / name).exists() and f"!{name}" in ignored
    (line,) = re.findall(r"# EXTRA is (.*), which", text)
    extras = re.split(r", | or ", line)
    assert set(extras) <= PROJECT["optional-dependencies"].keys()
    assert "tensorflow-gpu" in extras and "jax-gpu" in extras
    default = re.findall(r"^ARG EXTRA=(\S+)$", text, re.MULTILINE)
    assert default == ["tensorflow"]
    (base,) = re.findall(r"^ARG BASE=python:(3\.\d+)-slim$", text, re.MULTILINE)
    assert f"Programming Language :: Python :: {base}" in PROJECT["classifiers"]
