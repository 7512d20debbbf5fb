"""The public names, compared with the list in `public_api.txt`.

A change of the list is a change of what users can rely on. To write it anew:

    python tests/test_public_api.py
"""

import difflib
import importlib
import pathlib
import pkgutil

NOT_FOR_USERS = {"keras_infnet.utils"}
LIST = pathlib.Path(__file__).with_name("public_api.txt")


def public_names() -> list[str]:
    """`room.name` for every name that the package and its rooms list."""
    package = importlib.import_module("keras_infnet")
    rooms = {"keras_infnet": package}
    for found in pkgutil.iter_modules(package.__path__, "keras_infnet."):
        if found.name not in NOT_FOR_USERS:
            rooms[found.name] = importlib.import_module(found.name)
    return sorted(
        f"{path}.{name}"
        for path, room in rooms.items()
        for name in getattr(room, "__all__", ())
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
        room, _, name = path.rpartition(".")
        assert hasattr(importlib.import_module(room), name), path


if __name__ == "__main__":
    LIST.write_text("".join(f"{name}\n" for name in public_names()), "utf-8")
