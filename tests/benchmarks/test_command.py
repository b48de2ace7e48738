"""Everything runs from the command line, on little work."""

import importlib
import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

main = importlib.import_module("benchmarks.__main__").main
environment = importlib.import_module("benchmarks.environment")
suite = importlib.import_module("benchmarks.suite")


@pytest.fixture(autouse=True)
def no_time(monkeypatch):
    """Have everyone run once in a round: what is measured here means nothing."""
    monkeypatch.setattr(suite.Settings, "turn", 1e-6)
    monkeypatch.setattr(suite.Settings, "rounds", 2)


def run(tmp_path, *arguments):
    return main([*arguments, "--quick", "--threads", "1", "--out", str(tmp_path)])


@pytest.mark.parametrize("name", ["step", "ops", "scaling", "ceiling"])
def test_a_suite_is_measured_written_down_and_shown(tmp_path, capsys, name):
    assert run(tmp_path, name) == 0
    raw = json.loads((tmp_path / f"{name}.json").read_text())
    assert raw["environment"]["threads"] == 1
    assert raw["environment"]["libraries"]["torch"]
    assert raw["records"]
    for record in raw["records"]:
        assert {"npnet", "PyTorch"} <= record["samples"].keys()
        for measured in record["samples"].values():
            assert len(measured) == 2
            assert min(measured) > 0
    table = (tmp_path / f"{name}.md").read_text()
    shown = capsys.readouterr().out
    assert table.splitlines()[0] in shown

    (tmp_path / f"{name}.md").unlink()
    assert main(["report", "--out", str(tmp_path)]) == 0  # from the JSON alone
    assert (tmp_path / f"{name}.md").read_text() == table


def test_memory_counts_a_process_of_its_own(tmp_path):
    assert run(tmp_path, "memory") == 0
    (record,) = json.loads((tmp_path / "memory.json").read_text())["records"] or [{"samples": {}}]
    for engine, sizes in record["samples"].items():
        assert 2**20 < sizes[0] < 2**28, engine


def towards(images):
    """Return the goals of the time to accuracy, with other images, few enough for some epochs."""
    accuracy = importlib.import_module("benchmarks.accuracy")
    return tuple(replace(goal, images=images, epochs=5, decay=1.0) for goal in accuracy.GOALS)


def test_accuracy_says_where_data_is_missing(tmp_path, capsys, monkeypatch):
    def missing(folder):
        raise environment.MissingError("no digits here")

    monkeypatch.setattr("benchmarks.accuracy.GOALS", towards(missing))
    assert run(tmp_path, "accuracy") == 0
    assert "MNIST to 98.5 %: not measured, no digits here" in capsys.readouterr().out


def test_accuracy_learns_the_same_with_all_three(tmp_path, monkeypatch):
    from npnet.data import ArrayDataset, Splits

    rng = np.random.default_rng(0)
    y = rng.integers(10, size=700)
    x = rng.uniform(high=0.2, size=(700, 1, 28, 28)).astype(np.float32)
    x[np.arange(700), 0, 2 * y, :] += 0.8  # a bar whose height tells the class
    digits = Splits(ArrayDataset(x, y), None, ArrayDataset(x, y))
    monkeypatch.setattr("benchmarks.accuracy.GOALS", towards(lambda folder: digits))
    assert run(tmp_path, "accuracy") == 0
    accuracies, seconds = json.loads((tmp_path / "accuracy.json").read_text())["records"]
    assert set(accuracies["samples"]) == {"npnet", "PyTorch", "PyTorch, DataLoader"}
    reached = [value for (value,) in accuracies["samples"].values()]
    assert max(reached) - min(reached) < 0.1
    assert min(reached) > 0.8
    assert seconds["unit"] == "s"


def test_threads_are_set_for_everyone_and_given_back():
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    with environment.threads_of_all(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("threads", ["0", "100000"])
def test_more_threads_than_cores_are_refused(tmp_path, capsys, threads):
    assert main(["step", "--threads", threads, "--out", str(tmp_path)]) == 2
    assert "threads must be from 1 to" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def odd_places(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere" / "at all")
    return [
        tmp_path / "file",
        tmp_path / "file" / "below",
        tmp_path / "loop",
        tmp_path / "dangling",
        tmp_path / ("n" * 300),
        tmp_path / "/".join(["n" * 200] * 30),
        "/proc/self/results",
        "/dev/null",
        f"{tmp_path}/with a \0 byte",
    ]


def test_an_odd_place_for_results_is_refused_before_anything_is_measured(tmp_path, capsys):
    for place in odd_places(tmp_path):
        assert main(["step", "--threads", "100000", "--out", str(place)]) == 2
        error = capsys.readouterr().err
        assert "--out: results must go to a folder that can be written to" in error
        assert len(error.splitlines()) == 1


def test_a_report_from_an_odd_place_is_empty_or_refused(tmp_path, capsys):
    (tmp_path / "step.json").mkdir()
    for place in [*odd_places(tmp_path), tmp_path]:
        assert main(["report", "--out", str(place)]) in (0, 2)
        assert len(capsys.readouterr().err.splitlines()) < 2


def test_a_report_of_nothing_is_empty(tmp_path, capsys):
    assert main(["report", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out == ""
