"""``npnet trace`` on the command line."""

import json
import shutil

import pytest

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
    assert len(page.encode()) <= 290_000


def test_one_of_several_networks_is_traced(capsys):
    assert main(["trace", "gmm-deep", "--only", "2-10-2 relu on (4, 2, 40)", "--no-reference"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "gmm-deep, 2-10-2 relu on (4, 2, 40): weights as they are before training"
    assert any("Linear(2, 10)" in line for line in lines)


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
    assert len(page.encode()) <= 290_000


def test_mistakes_are_told_in_one_line(capsys, trained, tmp_path):
    run = next((trained / "digits").iterdir())
    without = shutil.copytree(run, tmp_path / "without")
    (without / "model.safetensors").unlink()
    odd = shutil.copytree(run, tmp_path / "odd")
    (odd / "settings.json").write_text(json.dumps({"recipe": "digitz"}))
    several = shutil.copytree(run, tmp_path / "several")
    (several / "settings.json").write_text(json.dumps({"recipe": "gmm-deep"}))
    for arguments, message in (
        (["digitz"], "did you mean digits?"),
        (["kernels"], "trace: RECIPE must train a network, got kernels"),
        (["gmm-deep", "--only", "nonsense"], "networks must be among"),
        (["digits", "--only", "nonsense"], "--only chooses among the networks of a recipe that has several"),
        ([str(several)], "trace: RUN must be that of a recipe with one network, got one of gmm-deep"),
        (["--index", "100000"], "trace: --index must be below 359"),
        (["--index", "-1"], "--index"),
        ([str(tmp_path)], "trace: RUN must be the folder of a run with its settings.json"),
        ([str(without)], "trace: RUN must have a model.safetensors"),
        ([str(odd)], "did you mean digits?"),
        (["--html", "no/such/folder.html", "--no-reference"], "cannot be written"),
    ):
        assert main(["trace", *arguments]) == 2
        assert message in capsys.readouterr().err
