"""A few of each fault; `make faults` tries many."""

import signal
import sys
from functools import partial

import pytest

pytest.importorskip("fcntl", reason="processes are killed as POSIX systems do it")

from tests.faults import command, harness

pytestmark = pytest.mark.usefixtures("bare")


@pytest.mark.parametrize("seed", range(4))
def test_a_run_killed_at_a_random_moment_goes_on(seed):
    harness.kill_at_random(seed, kills=1 + seed % 2)


@pytest.mark.parametrize("when", ["before", "after", "torn"])
@pytest.mark.parametrize("number", range(11, 30, 6))  # those of three saves, and what lies between them
def test_a_run_killed_while_it_saves_goes_on(number, when):
    assert harness.kill_at_event(number, when)


@pytest.mark.parametrize("number", [2, 6])
def test_a_run_killed_while_it_resumes_goes_on(number):
    assert harness.kill_at_event(number, first=20)


@pytest.mark.parametrize("seed", range(2))
def test_a_command_killed_at_a_random_moment_goes_on(seed):
    command.kill_at_random("linreg", seed)


@pytest.mark.parametrize(
    "number", [3, 9, 40]
)  # before the run has begun, in its settings, and in its training
def test_a_command_killed_while_it_writes_goes_on(number):
    assert command.kill_at_event("linreg", number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_loses_no_step(number):
    statuses = {harness.end_by(number, seed) for seed in range(2)}
    assert statuses <= {0, 1, -number, 128 + number}


def test_a_second_signal_ends_the_run_at_once_and_leaves_the_last_checkpoint():
    harness.end_by(signal.SIGTERM, 0, twice=True)


@pytest.mark.parametrize("most", [4_000, 12_000, 1_000_000])
def test_a_disk_that_is_full_costs_no_epoch(most):
    assert harness.refuse_files_above(most) == (most == 1_000_000)


@pytest.mark.parametrize("change", [partial(harness.cut, 500), partial(harness.flip, 33_333)])
def test_a_damaged_checkpoint_costs_one_epoch(change):
    harness.damage_newest(change)


@pytest.mark.skipif(sys.platform != "linux", reason="tmpfs is Linux's")
@pytest.mark.parametrize("options", ["size=8k", "size=48k", "size=8m,nr_inodes=3"])
def test_a_small_disk_costs_no_epoch(options):
    if not harness.can_mount():
        pytest.skip("file systems cannot be mounted here")
    assert not harness.small_disk(options)


def test_two_runs_do_not_write_to_one_folder():
    harness.two_runs_at_once(0)
