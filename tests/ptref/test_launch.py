"""What processes tell each other, and what those make of it that torchrun starts anew. None starts here."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from npnet import cli  # noqa: E402 - PyTorch may be absent
from npnet.errors import InputError  # noqa: E402 - as above
from ptref import launch as launches  # noqa: E402 - as above
from ptref.launch import Launch  # noqa: E402 - as above
from ptref.task import REFUSED, RUN, Task, task_of  # noqa: E402 - as above
from ptref.train import _another, _first, main  # noqa: E402 - as above


def together(size, restarts=0, lasting=None):
    """Return the processes of one launch, with a store as torchrun's."""
    own = torch.distributed.HashStore()
    lasting = torch.distributed.HashStore() if lasting is None else lasting
    processes = [Launch() for _ in range(size)]
    for rank, process in enumerate(processes):
        process.rank, process.size, process.restarts = rank, size, restarts
        process._own, process._lasting = own, lasting
    return processes


def in_each(processes, what):
    with ThreadPoolExecutor(len(processes)) as threads:
        return list(threads.map(what, processes))


# ---- what they tell each other -------------------------------------------------------------------------


def test_the_first_tells_the_others():
    told = in_each(together(3), lambda process: process.told("what", lambda: f"by {process.rank}"))
    assert told == ["by 0"] * 3


@pytest.mark.parametrize("wrong", [(), (2,), (1, 2)])
def test_a_mistake_of_any_is_known_to_all(wrong):
    processes = together(3)
    mistakes = [f"of {rank}" if rank in wrong else "" for rank in range(3)]
    found = in_each(processes, lambda process: process.agreed("what", mistakes[process.rank]))
    assert found == [f"of {wrong[0]}" if wrong else ""] * 3


def ends_with(message, status):
    def ended(_arguments):
        cli.complain(message, status)
        return status

    return ended


def test_of_a_mistake_that_all_meet_the_first_alone_speaks(monkeypatch, capsys):
    first, another = together(2)
    monkeypatch.setattr(cli, "main", ends_with("the loss became nan", 2))
    assert (_first(first, []), _another(another, [])) == (2, 2)
    assert capsys.readouterr().err == "npnet: the loss became nan\n"


def test_of_a_mistake_of_its_own_another_process_speaks(monkeypatch, capsys):
    _, another = together(2)
    monkeypatch.setattr(launches, "PATIENCE", timedelta(milliseconds=10))
    monkeypatch.setattr(cli, "main", ends_with("there is not enough memory", 2))
    assert _another(another, []) == 2
    assert capsys.readouterr().err == "npnet: there is not enough memory\n"


def test_a_run_that_another_process_does_not_see_is_said_once(tmp_path, monkeypatch, capsys):
    processes = together(2)
    task = Task(folder=str(tmp_path / "elsewhere")).written()
    for process in processes:
        monkeypatch.setattr("ptref.train.Launch", lambda process=process: process)
        process.told = lambda _name, _tell: task
        process.agreed = lambda _name, mistake: mistake or "process 1 cannot"
        assert main([]) == 2
    assert capsys.readouterr().err == "npnet: process 1 cannot\n"
    with pytest.raises(InputError, match="RUN must be a folder that all processes see, but process 1 cannot"):
        Task.read(task).of_process(1, tmp_path)


def test_more_processes_than_gpus_are_one_line(monkeypatch, capsys):
    (process,) = together(1)
    process.size, process.rank = 2, 0
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr("ptref.train.Launch", lambda: process)
    process.told = lambda _name, _tell: Task(device="cuda").written()
    process.agreed = lambda _name, mistake: mistake
    assert main([]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "process 0 finds 1 GPU for 2 processes or more; start as many as there are GPUs" in line
    with pytest.raises(InputError, match="each process must have a GPU of its own"), process.group("cuda"):
        pass


def test_that_there_is_no_store_is_one_line(monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(["digits"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("npnet: process 0 finds no store at (MASTER_ADDR is not set):(MASTER_PORT is not")


# ---- started anew --------------------------------------------------------------------------------------


@pytest.fixture
def begun(tmp_path):
    """A run that has begun, as the first of a launch remembers it."""
    folder = tmp_path / "runs" / "digits" / "some time"
    folder.mkdir(parents=True)
    (folder / "options.json").write_text(json.dumps({"recipe": "digits", "options": {"engine": "torch"}}))
    (folder / "result.json").write_text('{"status": "running"}')
    (first,) = together(1)
    first.remember(RUN, str(folder))
    return folder, first._lasting


def started_anew(store, given=("digits", "--epochs", "2"), restarts=1):
    (process,) = together(1, restarts, store)
    return task_of(given, process)


def test_they_go_on_with_their_own_run(begun):
    folder, store = begun
    assert started_anew(store) == Task(folder=str(folder), arguments=[])
    assert started_anew(store, ["digits", "--quiet"]).of_process(0, Path()) == [
        "--quiet", "--resume", str(folder),
    ]  # fmt: skip


def test_a_run_that_has_left_nothing_begins_anew(begun):
    folder, store = begun
    (folder / "options.json").unlink()
    assert started_anew(store).arguments == ["digits", "--epochs", "2", "--engine", "torch"]


def test_a_run_that_has_finished_is_not_an_error(begun, capsys):
    folder, store = begun
    (folder / "result.json").write_text('{"status": "finished"}')
    assert started_anew(store).status == 0
    assert capsys.readouterr().out == f"the run in {folder} has finished\n"


def test_another_launch_at_the_same_store_has_nothing_to_do_with_it(begun):
    _, store = begun
    assert started_anew(store, restarts=0).folder == ""
    assert started_anew(store).folder == ""


def test_what_cannot_be_done_is_said_at_the_first_start_alone(capsys):
    (process,) = together(1)
    assert task_of(["digits", "--epoch", "3"], process).status == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert started_anew(process._lasting, ["digits", "--epoch", "3"]) == Task(status=2)
    assert capsys.readouterr().err == ""
    assert started_anew(process._lasting, restarts=0).status is None
    assert not process._lasting.get(REFUSED)


def test_a_store_that_has_ended_with_the_first_process_is_said(begun, monkeypatch, capsys):
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "False")
    assert started_anew(begun[1]).status == 2
    assert "go on with the run by --resume" in capsys.readouterr().err
