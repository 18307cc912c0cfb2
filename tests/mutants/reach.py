"""A pytest plugin for `mutants.py`: which test reaches which line, or only some tests.

With ``MUTANTS_RECORD`` (a folder) each process writes down the lines that its tests run, and what
each test takes. With ``MUTANTS_ONLY`` (a file of test names) these tests run, in the file's order.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Generator
from pathlib import Path

import coverage
import pytest
from hypothesis import Phase, settings

RECORD, ONLY = os.environ.get("MUTANTS_RECORD"), os.environ.get("MUTANTS_ONLY")


class Recorder:
    """Lines by file and test; a line is kept with the numbers of the tests that reach it.

    What a fixture of a file runs once belongs to all tests of that file.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()
        self.now = ""
        self.measuring = coverage.Coverage(data_file=None, config_file=False, include="simulator/*")
        self.measuring.start()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, None, None]:
        self.now = item.nodeid
        self.measuring.switch_context(self.now)
        start = time.process_time()  # whatever else the machine does
        yield
        self.seconds[item.nodeid] = time.process_time() - start
        self.measuring.switch_context("")

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
    ) -> Generator[None, None, None]:
        is_shared = fixturedef.scope != "function"
        if is_shared:
            self.measuring.switch_context(f"{request.node.nodeid}::")
        yield
        if is_shared:
            self.measuring.switch_context(self.now)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        self.measuring.stop()
        data, root = self.measuring.get_data(), Path.cwd()
        numbers: dict[str, set[int]] = {}
        for number, name in enumerate(self.seconds):
            numbers[name] = {number}
            numbers.setdefault(f"{name.partition('::')[0]}::", set()).add(number)
        lines = {
            str(Path(path).relative_to(root)): {
                line: sorted(set().union(*(numbers.get(name, set()) for name in tests)))
                for line, tests in data.contexts_by_lineno(path).items()
            }
            for path in data.measured_files()
        }
        found = {"seconds": self.seconds, "failed": sorted(self.failed), "lines": lines}
        Path(str(RECORD), f"{os.getpid()}.json").write_text(json.dumps(found))


def pytest_configure(config: pytest.Config) -> None:
    # The same examples in every run, and no search for the smallest one that fails.
    phases = (Phase.explicit, Phase.generate)
    settings.register_profile(
        "mutants", derandomize=True, database=None, deadline=None, phases=phases
    )
    settings.load_profile("mutants")
    runs_tests = hasattr(config, "workerinput") or not config.getoption("numprocesses", None)
    if RECORD and runs_tests:
        config.pluginmanager.register(Recorder())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if ONLY:
        found = {item.nodeid: item for item in items}
        items[:] = [found[name] for name in Path(ONLY).read_text().splitlines() if name in found]


def pytest_collection_finish() -> None:
    simulator = sys.modules.get("simulator")
    path = Path(getattr(simulator, "__file__", None) or "simulator").absolute()
    assert path.is_relative_to(Path.cwd()), f"{path} is tested, not the copy"


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A mutant after which none of its tests is left has failed none."""
    if ONLY and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.OK
