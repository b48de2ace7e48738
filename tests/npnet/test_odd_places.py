"""Places that cannot be written to or read, or only just, and output that nobody receives.

Whatever it is, a command succeeds, or says what is wrong in one line and ends with status 2; it leaves
nothing half done and no traceback. A traceback would be an exception out of `main`, which fails the test.
"""

import io
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from npnet import nn, recipes
from npnet.cli import main
from npnet.data import ArrayDataset, Splits
from npnet.experiments import Experiment, Options, Setup, Spec

pytestmark = pytest.mark.skipif(os.name != "posix", reason="these places are those of POSIX systems")
NOBODY = 65534
BOTH = (0, 2)


def study(runner):
    """Leave all kinds of files, in no time."""
    (run,) = runner.train_all().values()
    runner.figure("learning_curves.png", Figure, figsize=(1, 1))
    return f"training loss: {run.shown}", run.values()


SMALL = Experiment(
    name="small",
    title="a line through points",
    source="none",
    reported="nothing",
    expects="a line",
    study=study,
    setups=(
        Setup(
            data=lambda _: Splits(ArrayDataset(np.ones((4, 1)), np.ones((4, 1)))),
            input_shape=(1,),
            model=lambda generator: nn.Linear(1, 1, generator=generator, dtype=np.float64),
            loss=Spec("MSELoss"),
            optimizer=Spec("SGD", lr=0.1),
            epochs=2,
            batch_size=4,
        ),
    ),
)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    real = recipes.get
    monkeypatch.setattr(recipes, "get", lambda name: SMALL if name == "small" else real(name))
    monkeypatch.setattr(recipes, "names", lambda: ["digits", "mnist-lenet", "small"])
    monkeypatch.delenv("NPNET_DATA", raising=False)


# ---- places ------------------------------------------------------------------------------------------


def of_length(folder, length):
    """Return a path of so many characters in all."""
    path = str(folder)
    while length - len(path) > 201:
        path += "/" + "d" * (min(200, length - len(path) - 2) - 1)
    return path + "/" + "e" * (length - len(path) - 1)


def made(path, make):
    make(path)
    return path


def link(path, target):
    path.symlink_to(target)
    return path


def bound(path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(path))  # a socket's path has 107 characters at most
    return path


def run_before(folder):
    return SMALL.run(Options(progress=False), folder / "before", lambda line: None).folder


# What names a place, from an empty folder; and how a command that writes there ends.
PLACES = {
    "a new folder": (lambda d: d / "new" / "newer", 0),
    "a name of 250 characters": (lambda d: d / ("n" * 250), 0),
    "a name of 255 characters": (lambda d: d / ("n" * 255), 0),
    "a name of 256 characters": (lambda d: d / ("n" * 256), 2),
    "a name of 1000 characters": (lambda d: d / ("n" * 1000), 2),
    "a name of 100 000 characters": (lambda d: d / ("n" * 100_000), 2),
    "a name of 254 bytes": (lambda d: d / ("é" * 127), 0),
    "a name of 256 bytes": (lambda d: d / ("é" * 128), 2),
    "a name of 256 bytes in emoji": (lambda d: d / ("🙂" * 64), 2),
    "through a name too long": (lambda d: d / ("n" * 256) / "runs", 2),
    **{
        f"a path of {n} characters": (
            lambda d, n=n: of_length(d, n),
            0 if n < 3900 else 2 if n > 4070 else BOTH,
        )
        for n in (2000, 3800, 3980, 4000, 4020, 4040, 4060, 4080, 4094, 4095, 4096, 4097, 5000)
    },
    "the home of nobody known": (lambda d: "~npnet-has-no-such-user", 2),
    "in the home of nobody known": (lambda d: "~npnet-has-no-such-user/runs", 2),
    "a file": (lambda d: made(d / "file", Path.touch), 2),
    "through a file": (lambda d: made(d / "file", Path.touch) / "runs", 2),
    "a pipe": (lambda d: made(d / "pipe", os.mkfifo), 2),
    "through a pipe": (lambda d: made(d / "pipe", os.mkfifo) / "runs", 2),
    "a socket": (lambda d: bound(d / "socket"), 2),
    "a device": (lambda d: "/dev/null", 2),
    "a full device": (lambda d: "/dev/full", 2),
    "through a device": (lambda d: "/dev/null/runs", 2),
    "the folder of processes": (lambda d: "/proc", 2),
    "a process": (lambda d: "/proc/self", 2),
    "a link to a folder": (lambda d: link(d / "link", made(d / "folder", Path.mkdir)), 0),
    "a link to a file": (lambda d: link(d / "link", made(d / "file", Path.touch)), 2),
    "a link that leads nowhere": (lambda d: link(d / "link", d / "nowhere"), 2),
    "through a link that leads nowhere": (lambda d: link(d / "link", d / "nowhere") / "runs", 2),
    "a link to itself": (lambda d: link(d / "link", d / "link"), 2),
    "through a link to itself": (lambda d: link(d / "link", d / "link") / "runs", 2),
    "no name": (lambda d: "", 2),
    "the current folder": (lambda d: ".", 0),
    "a blank": (lambda d: d / " ", 0),
    "a name with a newline": (lambda d: d / "two\nlines", 0),
    "a file with a newline": (lambda d: made(d / "two\nlines", Path.touch), 2),
    "a file that clears the screen": (lambda d: made(d / "\x1b[2J", Path.touch), 2),
    "a name that is not UTF-8": (lambda d: d / os.fsdecode(b"caf\xe9"), 0),
    "a file that is not UTF-8": (lambda d: made(d / os.fsdecode(b"caf\xe9"), Path.touch), 2),
    "half a character": (lambda d: d / "\ud800", 2),
    "a character that ends names": (lambda d: d / "a\0b", 2),
    "another alphabet": (lambda d: d / "опыты" / "試験", 0),
    "a name like an option": (lambda d: d / "--quick", 0),
    "a run": (run_before, 0),
    "a file of a run": (lambda d: run_before(d) / "result.json", 2),
}


@pytest.fixture
def place(request, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    make, ends = PLACES[request.param]
    return str(make(tmp_path / "here")), ends


everywhere = pytest.mark.parametrize("place", PLACES, indirect=True)


def files(folder):
    return sorted(f"{at}/{name}" for at, folders, names in os.walk(folder) for name in folders + names)


def is_folder(place):
    try:
        return bool(place) and os.access(f"{place}/.", os.F_OK)
    except ValueError:  # no name of anything
        return False


def check_train(out, ends, capsys, watched):
    """Run the recipe, and check how it ends: whole, or with one line and nothing left."""
    before = files(watched)
    status = main(["train", "small", "--quiet", f"--out={out}"])
    printed = capsys.readouterr()
    assert status in (ends if isinstance(ends, tuple) else (ends,)), printed.err
    check_complaint(printed.err, status)
    if status:
        assert files(watched) == before
        assert printed.out == ""
        return
    folder = max((Path(out) / "small").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert json.loads((folder / "result.json").read_text())["status"] == "finished"
    kept = {"learning_curves.png", "metrics.jsonl", "model.safetensors"}
    kept |= {"options.json", "report.html", "result.json", "settings.json"}
    assert {path.name for path in folder.iterdir()} == kept


def check_complaint(complaint, status):
    if status == 0:
        assert complaint == ""
        return
    assert complaint.startswith("npnet")
    assert complaint.count("\n") == 1
    assert "\x1b" not in complaint
    assert len(complaint) < 700


@everywhere
def test_a_run_is_written_whole_or_not_at_all(place, capsys, tmp_path):
    check_train(*place, capsys, tmp_path)


@everywhere
@pytest.mark.parametrize("option", ["--out", "--data"])
def test_the_list_looks_anywhere(place, option, capsys):
    status = main(["recipes", f"{option}={place[0]}"])
    assert status == (0 if is_folder(place[0]) else 2)
    check_complaint(capsys.readouterr().err, status)


@everywhere
def test_data_is_looked_for_anywhere(place, capsys, monkeypatch):
    if "\0" in place[0] or "\ud800" in place[0] or place[0].startswith("~"):
        pytest.skip("no environment variable holds it, or the data folder refuses it")
    monkeypatch.setenv("NPNET_DATA", place[0])
    status = main(["recipes"])
    assert status in BOTH
    check_complaint(capsys.readouterr().err, status)


def test_home_is_written_as_in_a_shell(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["train", "small", "--quiet", "--out=~/runs"]) == 0
    assert (tmp_path / "runs" / "small").is_dir()


@pytest.mark.parametrize("out", ["runs", "absolute"])
def test_the_current_folder_may_be_gone(out, tmp_path, monkeypatch, capsys):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    out, ends = (out, 2) if out == "runs" else (tmp_path / "runs", 0)
    check_train(out, ends, capsys, tmp_path)


def test_a_short_name_in_a_folder_of_a_long_path_is_refused_before_training(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for _ in range(4200 // 200):  # deeper than an absolute path can say
        Path("d" * 200).mkdir()
        os.chdir("d" * 200)
    check_train("runs", 2, capsys, tmp_path)


# ---- what the system refuses ---------------------------------------------------------------------------


@pytest.fixture
def unprivileged():
    """Give a folder to a user who may not write everywhere, and be that user."""
    with tempfile.TemporaryDirectory() as folder:
        if os.geteuid() != 0:
            yield Path(folder)
            return
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
        try:
            yield Path(folder)
        finally:
            os.seteuid(0)


@pytest.mark.parametrize("mode", [0o000, 0o111, 0o333, 0o444, 0o555])
@pytest.mark.parametrize("below", ["", "runs"])
def test_a_folder_may_be_forbidden(mode, below, unprivileged, capsys):
    place = unprivileged / "forbidden"
    place.mkdir()
    place.chmod(mode)
    ends = 0 if mode & 0o300 == 0o300 else 2
    if ends:
        check_train(place / below, ends, capsys, unprivileged)
    else:  # entered and written to, but not listed
        assert main(["train", "small", "--quiet", f"--out={place / below}"]) == 0
    place.chmod(0o700)


@pytest.mark.parametrize("mask", [0o777, 0o700, 0o300, 0o200, 0o400, 0o077])
def test_a_mask_may_forbid_what_is_made(mask, unprivileged, capsys):
    before = os.umask(mask)
    try:
        if mask & 0o700:
            status = main(["train", "small", "--quiet", f"--out={unprivileged / 'runs'}"])
            check_complaint(capsys.readouterr().err, status)
            assert (status == 0) is (unprivileged / "runs").exists()
        else:
            check_train(unprivileged / "runs", 0, capsys, unprivileged)
    finally:
        os.umask(before)


@pytest.mark.parametrize("home", [None, "", "/nowhere", "/dev/null", "relative"])
def test_there_need_be_no_home(home, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("HOME")
    if home is not None:
        monkeypatch.setenv("HOME", home)
    check_train(tmp_path / "runs", 0, capsys, tmp_path)
    assert main(["recipes"]) == 0


@pytest.fixture
def mounted(request, tmp_path):
    """Mount a small file system, where that is allowed."""
    (tmp_path / "mounted").mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", request.param, "tmpfs", tmp_path / "mounted"],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("file systems cannot be mounted here")
    yield tmp_path / "mounted"
    subprocess.run(["umount", tmp_path / "mounted"], check=True)


SYSTEMS = [*(f"nr_inodes={n}" for n in range(1, 13)), *(f"size={n}k" for n in (4, 8, 12, 16, 20, 24)), "ro"]


@pytest.mark.parametrize("mounted", SYSTEMS, indirect=True)
def test_a_file_system_may_be_full(mounted, request, capsys):
    status = main(["train", "small", "--quiet", f"--out={mounted / 'runs'}"])
    check_complaint(capsys.readouterr().err, status)
    check_rest(mounted / "runs", status)


@pytest.mark.parametrize("largest", [0, 50, 100, 300, 1000, 2000])
def test_files_may_be_limited(largest, tmp_path, capsys):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, limits[1]))
    try:
        status = main(["train", "small", "--quiet", f"--out={tmp_path / 'runs'}"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    check_complaint(capsys.readouterr().err, status)
    check_rest(tmp_path / "runs", status)


def check_rest(out, status):
    """Nothing is left of a run that learnt nothing; any other says how it ended."""
    assert status in BOTH
    if not out.exists():
        assert status == 2
        return
    (folder,) = (out / "small").iterdir()
    told = json.loads((folder / "result.json").read_text())["status"]
    assert told == ("failed" if status else "finished")
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


# ---- runs of others ------------------------------------------------------------------------------------


def wrote(text):
    return lambda path: path.write_bytes(text.encode("utf-8", "surrogateescape"))


def sparse(path):
    with path.open("wb") as file:
        file.truncate(1 << 40)


def result(**values):
    return wrote(json.dumps({"status": "finished", "as_written": True, **values}))


RESULTS = {
    "a pipe": os.mkfifo,
    "a folder": Path.mkdir,
    "a link that leads nowhere": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path),
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a terabyte": sparse,
    "empty": Path.touch,
    "no JSON": wrote("{"),
    "deep JSON": wrote("[" * 100_000),
    "a number": wrote("1"),
    "a long number": wrote('{"status": ' + "1" * 10_000 + "}"),
    "a list": wrote("[]"),
    "not UTF-8": wrote("\udcff"),
    "another result": result(reached=[]),
    "no number": result(reached={"npnet": {"headline": "98 %", "seconds": "1"}}),
    "no headline": result(reached={"npnet": {"headline": None, "seconds": 1}}),
    "nothing reached": result(reached={"npnet": None}),
    "nothing": result(),
    "no time": result(reached={"npnet": {"headline": "98 %", "seconds": float("nan")}}),
    "a long headline": result(reached={"npnet": {"headline": "98 % " * 10_000, "seconds": 1}}),
    "a headline of two lines": result(reached={"npnet": {"headline": "98 %\n\x1b[2J", "seconds": 1}}),
}


@pytest.mark.parametrize("kind", RESULTS)
@pytest.mark.parametrize("form", [[], ["--long"], ["--markdown"]], ids=str)
def test_the_list_passes_over_what_is_no_run(kind, form, tmp_path, capsys):
    folder = tmp_path / "digits" / "2026-01-01T00-00-00Z"
    folder.mkdir(parents=True)
    RESULTS[kind](folder / "result.json")
    (tmp_path / "small").touch()
    assert main(["recipes", *form, f"--out={tmp_path}"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "\x1b" not in printed.out


# ---- output that nobody receives -----------------------------------------------------------------------


class OnlyWrites:
    """What an editor puts in the place of a stream."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


class Fails(io.StringIO):
    """A terminal that has gone."""

    def write(self, text):
        raise OSError(5, "Input/output error")


STREAMS = {
    "none": lambda: None,
    "closed": closed,
    "write alone": OnlyWrites,
    "no stream": object,
    "gone": Fails,
}
COMMANDS = [
    [],
    ["help", "train"],
    ["--version"],
    ["trian"],
    ["train", "small"],
    ["train", "small", "--lr", "1e300"],
    ["train", "small", "--out", "/dev/null"],
    ["recipes"],
    ["summary"],
    ["parity", "--help"],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_stream_may_be_missing(name, kind, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stream = STREAMS[kind]()
    wrong = arguments[:1] == ["trian"] or len(arguments) == 4
    with monkeypatch.context() as patch:
        patch.setattr(sys, name, stream)
        status = main(arguments)
        assert getattr(sys, name) is stream  # it is put back
    assert status == (2 if wrong else 0) or (status == 2 and (name, kind) == ("stdout", "gone"))
    if kind == "write alone" and (name == "stderr") == wrong:
        assert stream.text.endswith("\n")


SHELL = f'"{sys.executable}" -W error -m npnet'


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("recipes >&-", 0),
        ("recipes 2>&-", 0),
        ("recipes <&- >&- 2>&-", 0),
        ("trian 2>&-", 2),
        ("recipes > /dev/full", 2),
        ("--help > /dev/full", 2),
        ("trian 2> /dev/full", 2),
        ("recipes 1< /dev/null", 2),
        ("recipes | true; exit ${PIPESTATUS[0]}", 141),
        ("--help | true; exit ${PIPESTATUS[0]}", 141),
    ],
)
def test_a_shell_may_give_no_stream(line, status, tmp_path):
    ended = subprocess.run(
        ["bash", "-c", f"sleep 0; {SHELL} {line}"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        timeout=60,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert ended.returncode in ((status, 0) if status == 141 else (status,))
    assert "Traceback" not in ended.stderr
    assert "Exception" not in ended.stderr
    assert ended.stderr.count("\n") <= 1
