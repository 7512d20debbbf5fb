"""The house rules of the package, read from its source."""

import ast
import functools
import pathlib
import subprocess
import sys

import pytest
from other_processes import environment_of

PACKAGE = pathlib.Path(__file__).resolve().parents[1] / "keras_infnet"
MODULES = sorted(PACKAGE.rglob("*.py"))
IDS = [str(path.relative_to(PACKAGE)) for path in MODULES]
each_module = pytest.mark.parametrize("path", MODULES, ids=IDS)

FLOORS = (
    {
        "schema",
        "api_export",
        "utils",
        "version",
    },
    {"losses"},
    {"layers", "metrics", "optimizers", "data"},
    {"training"},
    {"models"},
    {"evaluation"},
    {"serving"},
    {"experiments"},
    {"benchmarks"},
    {"cli"},
    {"__init__"},
)
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
GROUND = FLOORS[0]
KERAS_ONLY = {
    "api_export",
    "layers",
    "losses",
    "metrics",
    "models",
}
BACKENDS = {"tensorflow", "torch", "jax"}
BACKEND_ROOMS = {
    "data",
    "optimizers",
    "training",
    "evaluation",
    "serving",
    "experiments",
    "benchmarks",
}
OPTIONAL = BACKENDS | {
    "ai_edge_litert",
    "grpc",
    "keras_tuner",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "tensorflow_serving",
}
MAX_LINES = 400


def room_of(path: pathlib.Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@functools.cache
def tree_of(path: pathlib.Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def imports_of(tree: ast.AST) -> list[tuple[str, int]]:
    """Dotted names imported anywhere below `tree`, with their lines."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, (
                f"line {node.lineno}: write the import in full, without dots"
            )
            found += [
                (f"{node.module}.{alias.name}", node.lineno)
                for alias in node.names
            ]
    return found


def statements_at_import(tree: ast.Module) -> list[ast.stmt]:
    """Statements that run when the module is imported."""
    found: list[ast.stmt] = []
    pending: list[ast.AST] = [tree]
    while pending:
        for child in ast.iter_child_nodes(pending.pop()):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if isinstance(child, ast.stmt):
                found.append(child)
            pending.append(child)
    return found


def imports_at_import(tree: ast.Module) -> list[tuple[str, int]]:
    return [
        pair
        for statement in statements_at_import(tree)
        if isinstance(statement, ast.Import | ast.ImportFrom)
        for pair in imports_of(statement)
    ]


def test_every_room_has_a_floor():
    assert {room_of(path) for path in MODULES} <= LEVEL.keys()


@each_module
def test_imports_from_floors_below_only(path):
    room = room_of(path)
    wrong = []
    for name, line in imports_of(tree_of(path)):
        first, *rest = name.split(".")
        if first != "keras_infnet" or room == "__init__":
            continue
        other = rest[0] if rest else "__init__"
        below = LEVEL.get(other, len(FLOORS)) < LEVEL[room]
        if not (below or other == room or other in GROUND):
            wrong.append(f"line {line}: {name}")
    assert not wrong, f"{room} must not import {wrong}"


@each_module
def test_layers_losses_metrics_and_models_know_keras_alone(path):
    if room_of(path) not in KERAS_ONLY:
        return
    allowed = {"keras", "keras_infnet", *sys.stdlib_module_names}
    wrong = [
        f"line {line}: {name}"
        for name, line in imports_of(tree_of(path))
        if name.split(".")[0] not in allowed
    ]
    assert not wrong


@each_module
def test_backends_are_imported_inside_functions_of_few_rooms(path):
    tree = tree_of(path)
    early = [
        f"line {line}: {name}"
        for name, line in imports_at_import(tree)
        if name.split(".")[0] in OPTIONAL
    ]
    assert not early, "import inside the function that needs it"
    if room_of(path) not in BACKEND_ROOMS:
        misplaced = [
            f"line {line}: {name}"
            for name, line in imports_of(tree)
            if name.split(".")[0] in BACKENDS
        ]
        assert not misplaced


@each_module
def test_all_lists_what_is_public(path):
    tree = tree_of(path)
    if len(tree.body) < 2:
        pytest.skip("holds a docstring alone")
    names = None
    defined, bound = set(), set()
    for statement in tree.body:
        match statement:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                defined.add(name)
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    if isinstance(target, ast.Name):
                        bound.add(target.id)
                        if target.id == "__all__":
                            names = ast.literal_eval(value)
            case ast.AnnAssign(target=ast.Name(id=name), value=value):
                bound.add(name)
                if name == "__all__":
                    names = ast.literal_eval(value)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                bound |= {
                    (alias.asname or alias.name).split(".")[0]
                    for alias in aliases
                }
    assert names is not None, "every module has `__all__`"
    assert len(names) == len(set(names))
    lazy = {"__getattr__"} & defined
    if not lazy:
        assert set(names) <= defined | bound
    public = {name for name in defined if not name.startswith("_")}
    assert public <= set(names)


@each_module
def test_no_file_is_too_long(path):
    assert len(path.read_text("utf-8").splitlines()) <= MAX_LINES


def test_every_folder_is_a_package():
    folders = {path.parent for path in MODULES}
    assert not [f for f in folders if not (f / "__init__.py").is_file()]
    assert (PACKAGE / "py.typed").is_file()


# Found by nobody, rather than refused: other packages ask whether it exists.
HIDE = """
import importlib.machinery, sys

class Finder(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.split(".")[0] in {hidden!r}:
            return None
        return super().find_spec(name, path, target)

place = sys.meta_path.index(importlib.machinery.PathFinder)
sys.meta_path[place] = Finder
"""

IMPORT_ALL = """
import importlib, pkgutil, sys
import keras_infnet
for module in pkgutil.walk_packages(keras_infnet.__path__, "keras_infnet."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
import keras
present = sys.modules.keys() & {"tensorflow", "torch", "jax"}
assert present == {keras.backend.backend()}, present
print(keras.backend.backend())
"""


def run_python(code: str, backend: str) -> str:
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=environment_of(backend),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr[-4000:]
    return result.stdout


@pytest.mark.parametrize("backend", ["jax", "torch", "tensorflow"])
def test_imports_with_one_backend_alone(backend):
    code = HIDE.format(hidden=sorted(OPTIONAL - {backend})) + IMPORT_ALL
    assert run_python(code, backend).split() == [backend]


def test_import_adds_less_than_a_second():
    code = (
        "import time, keras\n"
        "start = time.perf_counter()\n"
        "import keras_infnet\n"
        "print(time.perf_counter() - start)\n"
    )
    # The best of three: the machine may be busy with something else.
    assert min(float(run_python(code, "jax")) for _ in range(3)) < 1.0
