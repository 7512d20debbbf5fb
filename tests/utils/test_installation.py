"""Install commands name the source of the installed package."""

import importlib.metadata
import json
import pathlib

import pytest

import keras_infnet
from keras_infnet.utils import installation
from keras_infnet.utils.installation import install_command


def test_a_checkout_names_itself():
    checkout = pathlib.Path(keras_infnet.__file__).parents[1]
    expected = f'python -m pip install -e "{checkout}[plot]"'
    assert install_command("plot") == expected


@pytest.mark.parametrize("kind", ["folder", "wheel", "index", "gone", "none"])
def test_an_installed_package(kind, tmp_path, monkeypatch):
    wheel = tmp_path / "keras_infnet-1-py3-none-any.whl"
    wheel.touch()
    urls = {
        "folder": tmp_path.as_uri(),
        "wheel": wheel.as_uri(),
        "gone": (tmp_path / "gone").as_uri(),
    }

    class Installed:
        def read_text(self, name):
            url = urls.get(kind)
            return None if url is None else json.dumps({"url": url})

    def distribution(name):
        if kind == "none":
            raise importlib.metadata.PackageNotFoundError(name)
        return Installed()

    monkeypatch.setattr(installation, "_CHECKOUT", tmp_path)
    monkeypatch.setattr(importlib.metadata, "distribution", distribution)
    expected = {
        "folder": f'"{tmp_path}[jax]"',
        "wheel": f'"keras-infnet[jax] @ {wheel.as_uri()}"',
    }.get(kind, '"keras-infnet[jax]"')
    assert install_command("jax") == f"python -m pip install {expected}"
