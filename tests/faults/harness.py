"""Faults, and what must be true after each: nothing lost, no silent difference, no damaged file."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

from npnet.train import read_checkpoint
from tests.faults.program import EPOCHS, REFUSED, STEPS, child

TOTAL = EPOCHS * STEPS
SIGKILLED = -signal.SIGKILL


@cache
def context():
    """Return what starts processes that have npnet imported already."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(["tests.faults.program"])
    return made


def start(folder, fault=None, settings=None):
    process = context().Process(target=child, args=(str(folder), fault, settings))
    with without_main():
        process.start()
    return process


@contextmanager
def without_main():
    """Keep multiprocessing from importing this process's main module, such as pytest, in each child."""
    main = sys.modules["__main__"]
    before = {name: getattr(main, name, None) for name in ("__spec__", "__file__")}
    main.__spec__ = main.__file__ = None
    try:
        yield
    finally:
        vars(main).update(before)


def finish(folder, fault=None, settings=None):
    """Run the program and return its exit status."""
    process = start(folder, fault, settings)
    process.join(120)
    assert process.exitcode is not None, "the program hangs"
    return process.exitcode


@cache
def expected():
    """Return what the program leaves when nothing happens, and how long it takes."""
    with TemporaryDirectory() as folder:
        assert finish(folder, None, {"checkpoint": False}) == 0
        began = time.perf_counter()
        finish(folder, None, {"checkpoint": False})
        return Path(folder, "result.txt").read_text(), time.perf_counter() - began


def steps(folder):
    """Return the numbers of all steps that were taken, in all processes."""
    file = Path(folder, "steps.txt")
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def position(folder):
    """Return the step from which a resume has to begin: that of the newest checkpoint."""
    files = sorted(Path(folder, "run").glob("step-*"))
    if not files:
        return 0
    newest = read_checkpoint(files[-1])  # that it can be read is asserted, too
    return newest.epoch * STEPS + newest.step


def check_resumes(folder, *, interval=STEPS):
    """Require that a run which a fault has ended goes on, and to the same bits; return the steps repeated."""
    before, begins = steps(folder), position(folder)
    done = before[-1] if before else 0
    assert done - begins <= interval, f"{done - begins} steps were lost, more than one interval"
    assert finish(folder) == 0, Path(folder, "error.txt").read_text()
    after = steps(folder)[len(before) :]
    assert after == list(range(begins + 1, TOTAL + 1)), "the resume did not begin at the newest checkpoint"
    assert Path(folder, "result.txt").read_text() == expected()[0], "the resumed run ends with other bits"
    assert not list(Path(folder, "run").glob(".*.tmp")), "something unfinished was left"
    return max(0, done - begins)


# ---- kill -9 at a random moment --------------------------------------------------------------------------


def kill_at_random(seed, *, kills=1):
    """Kill the program one or more times; return how many steps had to be repeated."""
    rng, (_, seconds) = random.Random(seed), expected()
    settings = {"checkpoint_seconds": rng.choice([300.0, 1e-9, 0.02])}
    with TemporaryDirectory() as folder:
        for _ in range(kills):
            process = start(folder, None, settings)
            time.sleep(rng.uniform(0, 1.3 * seconds))
            process.kill()
            process.join()
        return check_resumes(folder)


# ---- kill -9 at every file event -------------------------------------------------------------------------

EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.truncate")


class KillAtEvent:
    """Kills its own process at the nth file event within a folder: before the event, or just after it.

    Events are what Python announces (opening, renaming, removing, making a folder) and the flushing of a file
    or folder. At a flush the file may also be cut in half first, as a crash of the machine would leave it.
    """

    def __init__(self, folder, number, when="before"):
        self.folder, self.left, self.when = str(folder), number, when

    def __call__(self):
        self.fsync = os.fsync
        os.fsync = self.flush
        sys.addaudithook(self.hook)

    def hook(self, event, arguments):
        if event in EVENTS and any(str(each).startswith(self.folder) for each in arguments):
            self.count()

    def flush(self, descriptor):
        if self.left == 1 and self.when == "torn":
            os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
        self.count()
        self.fsync(descriptor)

    def count(self):
        if self.left == 0:  # the event after the one that was to be let pass
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1
        if self.left == 0 and self.when != "after":
            os.kill(os.getpid(), signal.SIGKILL)


def kill_at_event(number, when="before", *, first=None):
    """Kill the program at its nth file event; return whether it got so far.

    With `first`, an earlier run is killed at that event, and the events counted are those of the run that
    goes on: it finds, reads and cleans up.
    """
    with TemporaryDirectory() as folder:
        run = Path(folder, "run")
        if first is not None:
            assert finish(folder, KillAtEvent(run, first)) == SIGKILLED
        status = finish(folder, KillAtEvent(run, number, when))
        if status == 0:
            return False
        assert status == SIGKILLED, status
        check_resumes(folder)
        return True


# ---- signals ---------------------------------------------------------------------------------------------


def end_by(number, seed, *, twice=False):
    """Send a signal, or two, at a random moment; return the exit status."""
    rng, (_, seconds) = random.Random(seed), expected()
    with TemporaryDirectory() as folder:
        process = start(folder)
        time.sleep(rng.uniform(0.3, 1.2) * seconds)
        for _ in range(1 + twice):
            if process.is_alive():
                os.kill(process.pid, number)
        process.join(60)
        saved = process.exitcode == (0 if number == signal.SIGINT else 128 + number)
        finished = Path(folder, "result.txt").exists()
        if saved and not twice and not finished and steps(folder):
            assert position(folder) == steps(folder)[-1], "the step before the signal was not saved"
        check_resumes(folder)
        return process.exitcode


# ---- disks -----------------------------------------------------------------------------------------------


def limit_file_size(most):
    """Let no file of this process grow beyond so many bytes, as on a full disk."""
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def refuse_files_above(most):
    """Limit the size of files; return whether the program could do with it."""
    with TemporaryDirectory() as folder:
        return check_refusal(folder, finish(folder, partial(limit_file_size, most)), "File too large")


def check_refusal(folder, status, reason, mend=lambda: None):
    """Require that a program which could not write said so, and goes on once it can."""
    assert status in (0, REFUSED), status
    if status == REFUSED:
        message = Path(folder, "error.txt").read_text()
        assert reason in message, message
        assert "run" in message, message
        told = position(folder) and "is safe in" not in message and "must be a folder" not in message
        assert not told, message
        mend()
        check_resumes(folder)
    return status == 0


class SmallDisk:
    """A file system of its own with room for so many bytes or files, mounted on a folder while it is used."""

    def __init__(self, folder, options):
        self.folder, self.options = Path(folder), options

    def __enter__(self):
        self.folder.mkdir()
        self._mount("-t", "tmpfs", "-o", self.options, "tmpfs")
        return self

    def __exit__(self, *_error):
        subprocess.run(["umount", "--lazy", self.folder], check=True)

    def change(self, options):
        self._mount("-o", f"remount,{options}")

    def _mount(self, *arguments):
        subprocess.run(["mount", *arguments, self.folder], check=True, capture_output=True)


def can_mount():
    """Say whether this process may mount file systems."""
    with TemporaryDirectory() as folder:
        try:
            with SmallDisk(Path(folder, "disk"), "size=64k"):
                return True
        except (subprocess.CalledProcessError, FileNotFoundError):
            return False


def small_disk(options):
    """Train on a small file system; return whether it was large enough."""
    with TemporaryDirectory() as folder, SmallDisk(Path(folder, "run"), options) as disk:
        return check_refusal(
            folder, finish(folder), "No space left", lambda: disk.change("size=8m,nr_inodes=100")
        )


def read_only_disk():
    """Go on where nothing can be written any more."""
    with TemporaryDirectory() as folder, SmallDisk(Path(folder, "run"), "size=8m") as disk:
        assert finish(folder, KillAtEvent(Path(folder, "run"), 24)) == SIGKILLED
        disk.change("ro")
        assert not check_refusal(folder, finish(folder), "Read-only", lambda: disk.change("rw"))


def no_permission():
    """Go on in a folder of another user's."""
    with TemporaryDirectory() as folder:
        run = Path(folder, "run")
        assert finish(folder, KillAtEvent(run, 24)) == SIGKILLED
        for path in (Path(folder), Path(folder, "steps.txt")):
            path.chmod(0o777)
        run.chmod(0o555)
        status = finish(folder, become_nobody if os.geteuid() == 0 else None)
        assert not check_refusal(folder, status, "Permission denied", lambda: run.chmod(0o777))


def become_nobody():
    os.setgid(65534)
    os.setuid(65534)


# ---- damaged files ---------------------------------------------------------------------------------------


def damage_newest(change):
    """Damage the newest checkpoint of a run that was killed; the one before it must do."""
    with TemporaryDirectory() as folder:
        run = Path(folder, "run")
        assert finish(folder, KillAtEvent(run, 24)) == SIGKILLED
        newest = max(run.glob("step-*"))
        newest.write_bytes(change(newest.read_bytes()))
        taken = len(steps(folder))
        assert finish(folder) == 0
        assert steps(folder)[taken] % STEPS == 1  # it began at an epoch's start
        assert Path(folder, "result.txt").read_text() == expected()[0], "the resumed run ends with other bits"
        assert newest.with_suffix(".damaged").exists()


def cut(at, data):
    return data[:at]


def flip(bit, data):
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


# ---- others ----------------------------------------------------------------------------------------------


def turn_clock_back():
    """Let every look at the clock be an hour before the last one."""
    now = [time.time()]

    def earlier():
        now[0] -= 3600
        return now[0]

    time.time = earlier


def clock_goes_backwards():
    with TemporaryDirectory() as folder:
        assert finish(folder, turn_clock_back, {"checkpoint_seconds": 1e-9}) == 0
        assert Path(folder, "result.txt").read_text() == expected()[0]


def two_runs_at_once(seed):
    """Start two runs in one folder: one trains, the other says that the folder is in use, or comes later."""
    with TemporaryDirectory() as folder:
        processes = [start(folder), start(folder)]
        for process in processes:
            process.join(60)
        codes = [process.exitcode for process in processes]
        assert 0 in codes, codes
        if REFUSED in codes:
            assert "in use by another run" in Path(folder, "error.txt").read_text()
        assert Path(folder, "result.txt").read_text() == expected()[0]
