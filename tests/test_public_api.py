"""The public names, compared with the list in `public_api.txt`.

A change of the list is a change of what users can rely on. To write it again:

    python tests/test_public_api.py
"""

import difflib
import importlib
import pathlib
import pkgutil

NOT_FOR_USERS = {"keras_infnet.utils"}
LIST = pathlib.Path(__file__).with_name("public_api.txt")


def public_names() -> list[str]:
    """`folder.name` for every name that the package and its folders list."""
    package = importlib.import_module("keras_infnet")
    folders = {"keras_infnet": package}
    for found in pkgutil.iter_modules(package.__path__, "keras_infnet."):
        if found.name not in NOT_FOR_USERS:
            folders[found.name] = importlib.import_module(found.name)
    return sorted(
        f"{path}.{name}"
        for path, folder in folders.items()
        for name in getattr(folder, "__all__", ())
    )


def test_public_names_are_those_of_the_list():
    listed = LIST.read_text("utf-8").splitlines()
    difference = difflib.unified_diff(
        listed, public_names(), "public_api.txt", "keras_infnet", lineterm=""
    )
    changes = "\n".join(difference)
    assert not changes, f"{changes}\n\nWanted? python tests/test_public_api.py"


def test_every_public_name_exists():
    for path in public_names():
        folder, _, name = path.rpartition(".")
        assert hasattr(importlib.import_module(folder), name), path


def test_experiments_are_found_under_their_old_name():
    experiments = importlib.import_module("keras_infnet.experiments")
    evaluation = importlib.import_module("keras_infnet.evaluation")
    for name in experiments.__all__:
        assert getattr(evaluation, name) is getattr(experiments, name)


if __name__ == "__main__":
    LIST.write_text("".join(f"{name}\n" for name in public_names()), "utf-8")
