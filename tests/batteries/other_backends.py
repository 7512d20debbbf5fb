"""A plugin of pytest: tests that do not name a backend, on all three.

A process has one backend. A run of all tests starts a process for each of
the other backends beside itself, and replays the reports of their tests at its
end as `[jax] tests/layers/test_x.py::test_y`. They run one after the other on
two cores, side by side on more.
"""

import concurrent.futures
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

import pytest
from other_processes import environment_of

BACKENDS = ("tensorflow", "jax", "torch")
FOLDERS = (
    *("layers", "losses", "metrics", "models", "optimizers", "testing"),
    "training",
)
#: Where a process that was started here writes its reports.
REPORTS = "KERAS_INFNET_TEST_REPORTS"


def runs_everything(config):
    """Whether the command asks for all tests, as `python -m pytest` does."""
    if config.option.keyword or config.option.collectonly:
        return False
    if config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        return True
    whole = {config.rootpath, config.rootpath / "tests"}
    given = {(config.invocation_params.dir / arg) for arg in config.args}
    return bool(whole & {path.resolve() for path in given})


def pytest_xdist_auto_num_workers(config):
    return (os.cpu_count() or 1) if runs_everything(config) else 0


def pytest_configure(config):
    if REPORTS in os.environ:
        config.pluginmanager.register(_Writer(config, os.environ[REPORTS]))
    elif (
        not hasattr(config, "workerinput")
        and runs_everything(config)
        # `-m "not slow"` is one backend, `-m long` knows TensorFlow alone.
        and config.option.markexpr in ("", "not long")
    ):
        config.pluginmanager.register(_OtherBackends(config))


class _Writer:
    """Writes every report of this process as a line of JSON."""

    def __init__(self, config, path):
        self.config, self.path = config, path

    def pytest_runtest_logreport(self, report):
        data = self.config.hook.pytest_report_to_serializable(
            config=self.config, report=report
        )
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(data) + "\n")


class _OtherBackends:
    def __init__(self, config):
        self.config = config
        here = os.environ.get("KERAS_BACKEND", "tensorflow")
        self.backends = [name for name in BACKENDS if name != here]
        self.stopped = threading.Event()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session):
        count = max(1, (os.cpu_count() or 1) // 2)
        with (
            tempfile.TemporaryDirectory() as directory,
            concurrent.futures.ThreadPoolExecutor(count) as executor,
        ):
            futures = {
                backend: executor.submit(
                    self._run, backend, pathlib.Path(directory)
                )
                for backend in self.backends
                if importlib.util.find_spec(backend) is not None
            }
            try:
                result = yield
                for backend in self.backends:
                    reports = [_not_installed(backend)]
                    if backend in futures:
                        reports = futures[backend].result()
                    self._replay(session, backend, reports)
            except BaseException:
                self.stopped.set()
                raise
        return result

    def _run(self, backend, directory):
        """Runs the tests on a backend; returns their reports as plain data."""
        root, option = self.config.rootpath, self.config.option
        path, log = directory / f"{backend}.jsonl", directory / f"{backend}.log"
        path.touch()
        folders = [
            folder
            for name in FOLDERS
            for folder in (f"tests/{name}", f"keras_infnet/{name}")
            if any((root / folder).glob("*.py"))
        ]
        # Options such as `-n 2` are meant for this process.
        environment = environment_of(backend, **{REPORTS: str(path)})
        environment.pop("PYTEST_ADDOPTS", None)
        command = [
            *(sys.executable, "-m", "pytest", "-v", "-n", "0"),
            *("-p", "no:cacheprovider", "-m", option.markexpr),
            *("--maxfail", str(option.maxfail or 0), *folders),
        ]
        with open(log, "wb") as output:
            process = subprocess.Popen(
                command,
                cwd=root,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            while process.poll() is None:
                if self.stopped.wait(0.2):
                    process.kill()
        lines = path.read_text("utf-8").splitlines()
        reports = [json.loads(line) for line in lines]
        failed = any(report["outcome"] == "failed" for report in reports)
        # 5: `-m` leaves no test.
        if process.returncode not in (0, 5) and not failed:
            text = log.read_text("utf-8", "replace")[-8000:]
            message = f"exit status {process.returncode}\n{text}"
            reports.append(_report("process", "failed", message))
        return reports

    def _replay(self, session, backend, reports):
        hook = self.config.hook
        session.testscollected += len({data["nodeid"] for data in reports})
        for data in reports:
            path, line, name = data["location"]
            text = data["longrepr"]  # JSON made a list of a skip's reason
            data = {
                **data,
                "longrepr": tuple(text) if isinstance(text, list) else text,
                "nodeid": f"[{backend}] {data['nodeid']}",
                "location": (path, line, f"[{backend}] {name}"),
            }
            hook.pytest_runtest_logreport(
                report=hook.pytest_report_from_serializable(
                    config=self.config, data=data
                )
            )


def _report(name, outcome, longrepr):
    return {
        "$report_type": "TestReport",
        "nodeid": name,
        "location": (name, None, name),
        "keywords": {},
        "outcome": outcome,
        "longrepr": longrepr,
        "when": "setup" if outcome == "skipped" else "call",
        "sections": [],
        "duration": 0.0,
        "start": 0.0,
        "stop": 0.0,
    }


def _not_installed(backend):
    reason = f"Skipped: {backend} is not installed"
    return _report("all tests", "skipped", (__file__, 0, reason))
