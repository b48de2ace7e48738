"""Recipes as experiments: what each says of itself, and what is made of one that somebody writes anew."""

import ast
from pathlib import Path

import numpy as np
import pytest

from npnet import nn, optim, recipes
from npnet.cli import main
from npnet.data import ArrayDataset, Splits
from npnet.errors import InputError
from npnet.experiments import Experiment, Options, Setup, Spec, runner
from npnet.train import History


def test_every_recipe_has_its_own_name_and_says_what_it_is():
    assert len(recipes.names()) == 22
    for name in recipes.names():
        recipe = recipes.get(name)
        assert recipe.name == name
        assert all((recipe.title, recipe.source, recipe.reported, recipe.expects))
        assert name in recipe.summary()


def test_an_unknown_recipe_is_refused_with_what_was_perhaps_meant():
    with pytest.raises(InputError, match="no recipe 'digist'; did you mean digits"):
        recipes.get("digist")


def test_recipes_import_public_names_alone():
    for file in Path(recipes.__file__).parent.rglob("*.py"):
        if file.name.startswith("_"):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module != "__future__":
                names = [*node.module.split("."), *(alias.name for alias in node.names)]
                assert not [name for name in names if name.startswith("_")], f"{file.name}: {names}"


def test_a_spec_makes_the_class_it_names():
    spec = Spec("SGD", lr=0.1, momentum=0.9).but(lr=0.5)
    made = spec.make(optim, {"w": np.zeros(1)})
    assert isinstance(made, optim.SGD)
    assert (made.lr, made.momentum) == (0.5, 0.9)


def test_a_spec_is_made_by_pytorch_too():
    torch = pytest.importorskip("torch")
    spec = recipes.get("digits").setups[0].optimizer
    assert isinstance(spec.make(torch.optim, [torch.zeros(1, requires_grad=True)]), torch.optim.AdamW)


def test_the_parts_of_the_digits_do_not_depend_on_the_seed():
    one, other = (recipes.get("digits").setups[0].data(Options(seed=seed)) for seed in (0, 1))
    np.testing.assert_array_equal(one.test.x, other.test.x)


def test_a_quick_run_takes_samples_evenly():
    x = np.arange(1000.0)[:, None]
    sorted_by_class = ArrayDataset(x, np.repeat(np.arange(10), 100))
    (setup,) = line_recipe(Splits(sorted_by_class), quick_images=50).setups
    assert len(np.unique(setup.splits(Options(quick=True)).train.y)) == 10
    assert len(setup.splits(Options()).train) == 1000


def test_a_schedule_of_steps_is_planned_over_all_of_them():
    (setup,) = line_recipe(
        Splits(ArrayDataset(np.ones((11, 1)), np.ones((11, 1)))),
        schedule=lambda steps: Spec("OneCycleLR", max_lr=0.5, total_steps=steps),
        schedule_every="step",
    ).setups
    splits = setup.splits(Options())
    assert repr(setup.planned(splits)) == "OneCycleLR(max_lr=0.5, total_steps=9)"
    assert setup.schedule_told == "OneCycleLR(max_lr=0.5) at every step"
    settings = setup.settings(splits)
    assert (settings["schedule"], settings["schedule_every"]) == (repr(setup.planned(splits)), "step")
    asked = setup.with_options(Options(lr=0.25, epochs=5, batch_size=11))
    assert repr(asked.planned(splits)) == "OneCycleLR(max_lr=0.25, total_steps=5)"
    assert asked.optimizer.settings["lr"] == 0.25


def test_a_learning_rate_that_is_asked_for_leaves_other_schedules_alone():
    plain = Spec("StepLR", step_size=2)
    (setup,) = line_recipe(
        Splits(ArrayDataset(np.ones((1, 1)), np.ones((1, 1)))), schedule=lambda _: plain
    ).setups
    asked = setup.with_options(Options(lr=0.25))
    assert asked.planned(setup.splits(Options())) is plain


def line_recipe(splits, **settings):
    """A recipe as a stranger writes one: what it is, and what is trained."""
    setup = Setup(
        data=lambda options: splits,
        input_shape=(1,),
        model=lambda generator: nn.Linear(1, 1, generator=generator, dtype=np.float64),
        loss=Spec("MSELoss"),
        optimizer=Spec("SGD", lr=0.1),
        epochs=3,
        batch_size=5,
        **settings,
    )
    return Experiment(
        name="line", title="a line through points", source="none", reported="nothing", expects="a line",
        setups=(setup,),
    )  # fmt: skip


STRANGER = '''
"""A recipe of somebody else's: all of it is this file."""
import numpy as np
from npnet import data, models
from npnet.experiments import Experiment, Setup, Spec

recipe = Experiment(
    name="my-digits",
    title="logistic regression on 8x8 digits",
    source="a stranger",
    reported="nothing",
    expects="more than guessing",
    setups=(
        Setup(
            data=lambda options: data.digits(np.random.default_rng(0)),
            input_shape=(1, 8, 8),
            model=lambda generator: models.logistic_regression(64, 10, generator=generator),
            optimizer=Spec("SGD", lr=0.1),
            epochs=2,
            batch_size=32,
        ),
    ),
)
'''


def test_a_new_recipe_is_one_file(tmp_path, monkeypatch, capsys):
    (tmp_path / "my_digits.py").write_text(STRANGER)
    monkeypatch.setattr(recipes, "__path__", [*recipes.__path__, str(tmp_path)])
    assert "my-digits" in recipes.names()
    assert main(["train", "my-digits", "--epochs", "1", "--out", str(tmp_path / "runs")]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1].startswith("test accuracy: ")
    assert "confusion_matrix.png" in printed
    assert main(["summary", "my-digits"]) == 0
    assert "--engine" in capsys.readouterr().out


def test_a_regression_ends_with_its_loss_and_draws_what_there_is_to_draw(tmp_path):
    x = np.linspace(-1, 1, 20)[:, None]
    points = ArrayDataset(x, 2 * x)
    lines = []
    result = line_recipe(Splits(points, None, points)).run(Options(), tmp_path, lines.append)
    assert result.headline.startswith("test loss: ")
    assert [path.name for path in result.figures] == ["learning_curves.png"]
    assert result.values["accuracy"] is None
    assert result.values["judged_on"] == "test"


def test_an_interrupt_before_the_first_epoch_ended_is_a_result_too(tmp_path, monkeypatch):
    x = np.linspace(-1, 1, 20)[:, None]
    monkeypatch.setattr(runner, "run", lambda *a, **k: History(interrupted=True))
    result = line_recipe(Splits(ArrayDataset(x, 2 * x))).run(Options(), tmp_path, lambda line: None)
    assert result.status == "interrupted"
    assert result.headline.startswith("training loss: ")
    assert (result.folder / "model.safetensors").exists()
    assert not result.figures


@pytest.mark.parametrize("name", ["gmm-deep", "mnist-svm", "finetune", "cifar2-mlp"])
def test_the_summary_lists_every_setup(name):
    recipe = recipes.get(name)
    assert all(f'"{setup.name}"' in recipe.summary() for setup in recipe.setups)


@pytest.mark.parametrize("name", ["linreg", "mnist-softmax"])
def test_of_some_networks_there_is_no_whole_run(name):
    recipe = recipes.get(name)
    first, *others = (setup.name for setup in recipe.setups)
    assert recipe.whole
    assert recipe.only(*others, first) == recipe
    assert not recipe.only(first).whole
    assert not recipe.only(first).only(first).whole


def test_a_setup_is_found_by_its_name_where_all_must_be_run():
    recipe = recipes.get("mnist-svm")
    assert recipe.setup("LeNet-5") == recipe.setups[2]
    with pytest.raises(InputError, match=r"mnist-svm: networks must be among \"softmax\", .*, got 'LeNet'"):
        recipe.setup("LeNet")
    with pytest.raises(InputError, match="this one has one network, got 'LeNet-5'"):
        recipes.get("mnist-lenet").setup("LeNet-5")
    with pytest.raises(InputError, match="this one needs all its networks, got 'softmax'"):
        recipe.only("softmax")


def test_setups_must_have_names_that_tell_them_apart():
    points = Splits(ArrayDataset(np.ones((4, 1)), np.ones((4, 1))))
    (setup,) = line_recipe(points).setups
    with pytest.raises(InputError, match="names that tell them apart"):
        Experiment(name="a", title="", source="", reported="", expects="", setups=(setup, setup))
