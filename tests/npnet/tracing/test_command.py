"""``npnet trace`` on the command line."""

import json
import shutil

import numpy as np
import pytest

from npnet import checkpoint
from npnet._kept_run import KeptRun
from npnet.cli import main


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    assert main(["train", "digits", "--quick", "--quiet", "--out", str(folder)]) == 0
    return folder


def test_a_recipe_without_a_run_is_traced_as_it_begins(capsys):
    assert main(["trace", "--no-reference"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("digits: weights as they are before training")
    assert lines[1].startswith("loss ")
    assert sum(line.startswith("loss CrossEntropyLoss()") for line in lines) == 2


def test_the_last_run_gives_the_weights_and_the_page_is_written(capsys, trained, tmp_path):
    file = tmp_path / "step.html"
    arguments = [
        "trace",
        "digits",
        "--out",
        str(trained),
        "--index",
        "3",
        "--html",
        str(file),
        "--no-reference",
    ]
    assert main(arguments) == 0
    said = capsys.readouterr().out.splitlines()
    run = next((trained / "digits").iterdir())
    assert said == [f"digits: weights of {run}", f"page: {file}"]
    page = file.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert len(page.encode()) <= 300_000


def test_one_of_several_networks_is_traced(capsys):
    assert main(["trace", "gmm-deep", "--only", "2-10-2 relu on (4, 2, 40)", "--no-reference"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "gmm-deep, 2-10-2 relu on (4, 2, 40): weights as they are before training"
    assert any("Linear(2, 10)" in line for line in lines)


def test_each_network_of_a_run_is_traced_with_its_weights(capsys, tmp_path):
    assert main(["train", "gmm-deep", "--quick", "--quiet", "--seed", "3", "--out", str(tmp_path)]) == 0
    (run,) = (tmp_path / "gmm-deep").iterdir()
    kept = KeptRun.open(run)
    weights, _ = checkpoint.load(run / "weights.safetensors")
    assert len(kept.networks()) == 10
    capsys.readouterr()
    for name in kept.networks()[:2]:
        state = kept.network(name)[1].state_dict()
        assert len(state) >= 2
        assert all(np.array_equal(array, weights[f"{name}/{key}"]) for key, array in state.items())
        for what in ([str(run)], ["gmm-deep", "--out", str(tmp_path)]):
            assert main(["trace", *what, "--only", name, "--no-reference"]) == 0
            assert capsys.readouterr().out.startswith(f"gmm-deep, {name}: weights of {run}\n")


def test_a_run_that_kept_its_best_network_is_traced_with_that(capsys, tmp_path, trained):
    run = shutil.copytree(next((trained / "digits").iterdir()), tmp_path / "cifar")
    asked = json.loads((run / "options.json").read_text())
    (run / "options.json").write_text(json.dumps(asked | {"recipe": "cifar2-conv"}))
    (run / "result.json").write_text(json.dumps({"best": "our setting"}))
    assert KeptRun.open(run).networks() == ["our setting"]
    assert main(["trace", str(run), "--only", "as in the source", "--no-reference"]) == 2
    assert 'has weights of "our setting", not of "as in the source"' in capsys.readouterr().err


def test_a_run_is_traced_by_its_folder(capsys, trained):
    run = next((trained / "digits").iterdir())
    assert main(["trace", str(run), "--no-reference"]) == 0
    assert capsys.readouterr().out.startswith(f"digits: weights of {run}")


def test_it_opens_the_page(capsys, monkeypatch, tmp_path):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert main(["trace", "--open", "--no-reference"]) == 0
    assert opened == [(tmp_path / "trace.html").as_uri()]


def test_pytorchs_gradients_are_recorded_where_it_is_installed(monkeypatch, tmp_path, capsys):
    from ptref.trace import gradients

    monkeypatch.setattr("npnet.tracing.installed_reference", lambda: gradients)
    assert main(["trace", "--html", "step.html"]) == 0
    page = (tmp_path / "step.html").read_text(encoding="utf-8")
    assert '"reference":"PyTorch ' in page
    assert len(page.encode()) <= 300_000


def test_the_page_of_a_whole_run_is_small_enough(monkeypatch, tmp_path):
    """After training to the end few numbers are 0 and few gradients alike: pages are at their largest."""
    from ptref.trace import gradients

    monkeypatch.setattr("npnet.tracing.installed_reference", lambda: gradients)
    assert main(["train", "digits", "--quiet", "--out", str(tmp_path)]) == 0
    (run,) = (tmp_path / "digits").iterdir()
    sizes = []
    for index in range(0, 100, 10):
        assert main(["trace", str(run), "--index", str(index), "--html", "step.html"]) == 0
        sizes.append((tmp_path / "step.html").stat().st_size)
    assert max(sizes) <= 300_000
    assert min(sizes) > 200_000


def test_mistakes_are_told_in_one_line(capsys, trained, tmp_path):
    run = next((trained / "digits").iterdir())
    without = shutil.copytree(run, tmp_path / "without")
    (without / "model.safetensors").unlink()
    asked = json.loads((run / "options.json").read_text())
    odd = shutil.copytree(run, tmp_path / "odd")
    (odd / "options.json").write_text(json.dumps(asked | {"recipe": "digitz"}))
    other = shutil.copytree(run, tmp_path / "other")
    (other / "options.json").write_text(json.dumps(asked | {"options": {"sed": 0}}))
    for arguments, message in (
        (["digitz"], "did you mean digits?"),
        (["kernels"], "trace: RECIPE must train a network, got kernels"),
        (["gmm-deep", "--only", "nonsense"], "networks must be among"),
        (["digits", "--only", "nonsense"], "--only chooses among the networks of a recipe that has several"),
        ([str(other)], "options.json does not hold the options of a run"),
        (["--index", "100000"], "index must be below 359"),
        (["--index", "-1"], "--index"),
        ([str(run), "--only", "nonsense"], "this one has one network, got 'nonsense'"),
        ([str(tmp_path)], "trace: RUN must be the folder of a run with its options.json"),
        ([str(tmp_path / "gone")], "trace: RUN must be the folder of a run, and there is no "),
        (["mnist-svm", "--only", "nonsense", "--out", str(tmp_path)], "mnist-svm: networks must be among"),
        ([str(without)], "has no weights of a network (model.safetensors or weights.safetensors)"),
        ([str(odd)], "did you mean digits?"),
        (["--html", "no/such/folder.html", "--no-reference"], "cannot be written"),
    ):
        assert main(["trace", *arguments]) == 2
        assert message in capsys.readouterr().err
