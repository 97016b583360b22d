"""A SLURM of our own, for the tests that name the fixture `lab`: they run with --slurm, where daemons can be had."""

import pytest

from tests.slurm.lab import Lab, why_impossible
from tests.slurm.runs import STEPS, Runs


def pytest_collection_modifyitems(config, items):
    reason = why_impossible() if config.getoption("--slurm") else "starts SLURM's daemons: make test-slurm"
    for item in items:
        if reason is not None and "lab" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter, config):
    if not config.getoption("--slurm"):
        return
    skipped = [f"{report.nodeid}: {report.longrepr[2]}" for report in terminalreporter.stats.get("skipped", ())]
    terminalreporter.section("what had to be skipped")
    terminalreporter.line("\n".join(skipped) or "nothing")


@pytest.fixture(scope="session")
def lab(pytestconfig):
    """Controller and two nodes that are up; `sinfo` of them goes to the terminal."""
    lab = Lab()
    try:
        lab.up()
        with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print(f"\n{lab.ask('sinfo', '--version')}{lab.ask('sinfo')}{lab.ask('sinfo', '--Node', '--long')}")
        yield lab
    finally:
        lab.down()


@pytest.fixture(scope="session")
def runs(lab, small_set, tmp_path_factory):
    return Runs(lab, small_set, tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def undisturbed(runs):
    """A run on two nodes that nobody disturbed, over."""
    run = runs.submit("undisturbed", "--time", "10")
    assert run.wait() == "COMPLETED", run.log()
    assert run.starts() == [0] and [row["step"] for row in run.rows()] == list(range(1, STEPS + 1)), run.log()
    assert "2 processes of SLURM, 8 clips" in run.log() and "on node[0-1], 2 task(s)" in run.log()
    return run
