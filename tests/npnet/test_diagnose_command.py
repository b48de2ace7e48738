"""``npnet train --diagnose``: figures and warnings in words."""

import json
from dataclasses import replace

import pytest
from matplotlib.image import imread

from npnet import data, nn, recipes
from npnet.cli import main
from npnet.errors import InputError
from npnet.experiments import Options, Spec

pytestmark = pytest.mark.usefixtures("blank_report")  # what it says of a diagnosis has its own test
FIGURES = {"gradient_flow", "update_ratios", "dead_units", "activation_histograms", "loss_surface"}


def ran(recipe, out, *, lines=None, **options):
    """Run a recipe cut short and return its folder and what it reported."""
    told = [] if lines is None else lines
    chosen = Options(quick=True, progress=False, diagnose=True, **options)
    result = recipe.run(chosen, out, told.append)
    return result.folder, told


def warnings_of(lines):
    return [line for line in lines if line.startswith("warning: ")]


def test_a_run_that_goes_well_is_drawn_and_has_no_warning(tmp_path, capsys):
    assert main(["train", "digits", "--quick", "--diagnose", "--out", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert not warnings_of(lines)
    assert any(line.startswith("diagnosis: nothing found") for line in lines)
    (folder,) = (tmp_path / "digits").iterdir()
    for name in FIGURES:
        assert imread(folder / f"{name}.png").ndim == 3
        assert f"figure: {folder / name}.png" in lines
    assert json.loads((folder / "result.json").read_text())["networks"]["npnet"]["digits"]["warnings"] == []


def test_networks_of_a_regression_go_well_each_with_its_figures(tmp_path):
    folder, lines = ran(recipes.get("linreg").only("two points", "noisy points"), tmp_path, epochs=200)
    assert not warnings_of(lines)
    assert {path.name for path in folder.glob("gradient_flow*.png")} == {
        "gradient_flow-two-points.png", "gradient_flow-noisy-points.png",
    }  # fmt: skip


def test_lenet_goes_well(tmp_path):
    if not data.present("mnist"):
        pytest.skip("MNIST is not there")
    _, lines = ran(recipes.get("mnist-lenet"), tmp_path)
    assert not warnings_of(lines)


def test_a_huge_learning_rate_is_told_and_drawn(tmp_path):
    folder, lines = ran(recipes.get("digits"), tmp_path, lr=10.0)
    assert [line.split(": ")[2] for line in warnings_of(lines)] == ["exploding", "dead units", "not learning"]
    kept = json.loads((folder / "result.json").read_text())["networks"]["npnet"]["digits"]["warnings"]
    assert [f"warning: npnet: {words}" for words in kept] == warnings_of(lines)


def test_a_run_that_ends_in_nan_is_diagnosed_and_its_figures_stay(tmp_path):
    lines = []
    with pytest.raises(InputError, match="the loss became"):
        ran(recipes.get("digits"), tmp_path, lr=1e30, lines=lines)
    assert any("exploding: training ended with NaN" in line for line in warnings_of(lines))
    (folder,) = (tmp_path / "digits").iterdir()
    assert (folder / "gradient_flow.png").exists()
    assert json.loads((folder / "result.json").read_text())["status"] == "failed"


def small_network(generator):
    """Return a network of which the loss is soon drawn around its weights."""
    layers = nn.Linear(64, 8, generator=generator), nn.ReLU(), nn.Linear(8, 10, generator=generator)
    return nn.Sequential(nn.Flatten(), *layers)


def test_both_engines_are_diagnosed(tmp_path):
    pytest.importorskip("torch")
    still = recipes.get("digits")
    setup = replace(still.setups[0], optimizer=Spec("SGD", lr=0.0), model=small_network)
    still = replace(still, setups=(setup,))
    folder, lines = ran(still, tmp_path, engine="both", epochs=1)
    assert [line.split(": ")[1:3] for line in warnings_of(lines)] == [
        ["npnet", "not learning"], ["PyTorch", "not learning"],
    ]  # fmt: skip
    stems = {path.stem for path in folder.iterdir()}
    assert stems >= FIGURES | {f"{name}-PyTorch" for name in FIGURES}


def test_a_recipe_without_training_refuses_it(tmp_path, capsys):
    assert main(["train", "kernels", "--diagnose", "--out", str(tmp_path)]) != 0
    assert "--diagnose does not apply" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
