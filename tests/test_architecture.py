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
    {"testing"},
    {"benchmarks"},
    {"cli"},
    {"__init__"},
)
LEVEL = {
    folder: level for level, floor in enumerate(FLOORS) for folder in floor
}
KERAS_ONLY = {
    "api_export",
    "layers",
    "losses",
    "metrics",
    "models",
}
BACKENDS = {"tensorflow", "torch", "jax"}
BACKEND_FOLDERS = {
    "testing",
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
    "vl_convert",
}
MAX_LINES = 400


def folder_of(path: pathlib.Path) -> str:
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


def violations(rule) -> str:
    """What `rule`, a function of a module's path, finds in all modules."""
    return "\n".join(
        f"{path.relative_to(PACKAGE)}: {found}"
        for path in MODULES
        for found in rule(path)
    )


def test_folders_import_from_floors_below_only():
    assert {folder_of(path) for path in MODULES} <= LEVEL.keys()

    def imports_from_above(path):
        folder = folder_of(path)
        for name, line in imports_of(tree_of(path)):
            first, *rest = name.split(".")
            if first != "keras_infnet" or folder == "__init__":
                continue
            other = rest[0] if rest else "__init__"
            below = LEVEL.get(other, len(FLOORS)) < LEVEL[folder]
            if not (below or other == folder or other in FLOORS[0]):
                yield f"line {line} imports {name}"

    assert not (found := violations(imports_from_above)), found


def test_layers_losses_metrics_and_models_know_keras_alone():
    allowed = {"keras", "keras_infnet", *sys.stdlib_module_names}

    def other_libraries(path):
        if folder_of(path) in KERAS_ONLY:
            for name, line in imports_of(tree_of(path)):
                if name.split(".")[0] not in allowed:
                    yield f"line {line} imports {name}"

    assert not (found := violations(other_libraries)), found


def test_backends_are_imported_inside_functions_of_few_folders():
    def misplaced(path):
        tree = tree_of(path)
        for name, line in imports_at_import(tree):
            if name.split(".")[0] in OPTIONAL:
                yield f"line {line}: import {name} inside a function"
        if folder_of(path) not in BACKEND_FOLDERS:
            for name, line in imports_of(tree):
                if name.split(".")[0] in BACKENDS:
                    yield f"line {line} imports {name}"

    assert not (found := violations(misplaced)), found


def test_all_lists_what_is_public():
    def wrong_lists(path):
        tree = tree_of(path)
        if len(tree.body) < 2:
            return  # a docstring alone
        names, defined, bound = None, set(), set()
        for statement in tree.body:
            match statement:
                case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                    defined.add(name)
                case ast.Assign(targets=[ast.Name(id=name)], value=value) | (
                    ast.AnnAssign(target=ast.Name(id=name), value=value)
                ):
                    bound.add(name)
                    if name == "__all__":
                        names = ast.literal_eval(value)
                case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                    bound |= {
                        (alias.asname or alias.name).split(".")[0]
                        for alias in aliases
                    }
        if names is None or len(names) != len(set(names)):
            yield "needs `__all__`, each name once"
            return
        if (
            "__getattr__" not in defined | bound
            and not set(names) <= defined | bound
        ):
            yield f"lists {set(names) - defined - bound}, not defined here"
        public = {name for name in defined if not name.startswith("_")}
        if not public <= set(names):
            yield f"does not list {public - set(names)}"

    assert not (found := violations(wrong_lists)), found


def test_files_are_short_and_folders_are_packages():
    lines = {
        path: len(path.read_text("utf-8").splitlines()) for path in MODULES
    }
    assert not [str(p) for p, count in lines.items() if count > MAX_LINES]
    folders = {path.parent for path in MODULES}
    assert not [f for f in folders if not (f / "__init__.py").is_file()]
    assert (PACKAGE / "py.typed").is_file()


# Hidden packages are not found, since other packages ask whether they exist.
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


def test_import_leaves_slow_libraries_for_later():
    code = """
import sys, keras
before = set(sys.modules)
import keras_infnet
print(sorted({name.split(".")[0] for name in set(sys.modules) - before}))
"""
    loaded = run_python(code, "jax")
    for name in ("pandas", "pyarrow", "sklearn", "matplotlib", "tensorflow"):
        assert f"'{name}'" not in loaded, name
