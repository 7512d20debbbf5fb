"""The wheel works without the checkout."""

import configparser
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

from keras_infnet.version import __version__

ROOT = pathlib.Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.long


def run(*command, **options):
    result = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=300,
        **options,
    )
    assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    # From a copy: a build in the checkout would leave files there, and old
    # ones left there would find their way into the wheel.
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(
        ROOT / "keras_infnet",
        source / "keras_infnet",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    output = tmp_path_factory.mktemp("dist")
    run(
        *(sys.executable, "-m", "build", "--wheel", "--no-isolation"),
        *("--outdir", output, source),
    )
    (path,) = output.iterdir()
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    target = tmp_path_factory.mktemp("installed")
    run(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"),
        *("--no-index", "--disable-pip-version-check"),
        *("--target", target, wheel),
    )
    return target


@pytest.fixture
def outside(installed, tmp_path):
    """Options of a process that finds the installed wheel first."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return {"cwd": tmp_path, "env": environment}


def test_wheel_holds_the_package_and_nothing_else(wheel):
    assert wheel.name == f"keras_infnet-{__version__}-py3-none-any.whl"
    names = zipfile.ZipFile(wheel).namelist()
    info = f"keras_infnet-{__version__}.dist-info/"
    package = {name for name in names if not name.startswith(info)}
    folder = ROOT / "keras_infnet"
    assert package == {
        path.relative_to(ROOT).as_posix()
        for path in [
            *folder.rglob("*.py"),
            *folder.rglob("*.cc"),
            *(folder / "example_settings").rglob("*.toml"),
            *(folder / "templates").iterdir(),
            folder / "py.typed",
        ]
    }
    assert f"{info}licenses/LICENSE" in names


def test_installed_package_imports(installed, outside):
    code = (
        "import importlib, pkgutil, keras_infnet\n"
        "for found in pkgutil.walk_packages(\n"
        "    keras_infnet.__path__, 'keras_infnet.'\n"
        "):\n"
        "    if not found.name.endswith('__main__'):\n"
        "        importlib.import_module(found.name)\n"
        "print(keras_infnet.__file__)\n"
    )
    printed = run(sys.executable, "-W", "ignore", "-c", code, **outside)
    path = pathlib.Path(printed.strip().splitlines()[-1])
    assert path == installed / "keras_infnet" / "__init__.py"


def test_console_script(installed, outside):
    entries = configparser.ConfigParser()
    (path,) = installed.glob("*.dist-info/entry_points.txt")
    entries.read(path)
    scripts = dict(entries["console_scripts"])
    assert scripts == {"keras-infnet": "keras_infnet.cli:main"}
    script = installed / "bin" / "keras-infnet"
    if os.name == "nt":
        script = script.with_suffix(".exe")
    assert "quickstart" in run(script, "--help", **outside)
