import numpy as np
import pytest

from npnet import nn, optim, recipes
from npnet.data import ArrayDataset, Splits
from npnet.errors import InputError
from npnet.recipes import NetworkRecipe, Options, Spec
from npnet.train import History


def test_every_recipe_has_its_own_name_and_says_what_it_is():
    for name in recipes.names():
        recipe = recipes.get(name)
        assert recipe.name == name
        assert all((recipe.title, recipe.source, recipe.reported, recipe.expects))
        assert name in recipe.summary()


def test_an_unknown_recipe_is_refused_with_what_was_perhaps_meant():
    with pytest.raises(InputError, match="no recipe 'digist'; did you mean digits"):
        recipes.get("digist")


def test_a_spec_makes_the_class_it_names():
    spec = Spec("SGD", lr=0.1, momentum=0.9).but(lr=0.5)
    made = spec.make(optim, {"w": np.zeros(1)})
    assert isinstance(made, optim.SGD)
    assert (made.lr, made.momentum) == (0.5, 0.9)


def test_a_spec_is_made_by_pytorch_too():
    torch = pytest.importorskip("torch")
    spec = recipes.get("digits").optimizer
    assert isinstance(spec.make(torch.optim, [torch.zeros(1, requires_grad=True)]), torch.optim.AdamW)


def test_the_parts_of_the_digits_do_not_depend_on_the_seed():
    one, other = (recipes.get("digits").data(Options(seed=seed)) for seed in (0, 1))
    np.testing.assert_array_equal(one.test.x, other.test.x)


def test_a_quick_run_takes_samples_evenly():
    x = np.arange(1000.0)[:, None]
    sorted_by_class = ArrayDataset(x, np.repeat(np.arange(10), 100))
    recipe = line_recipe(Splits(sorted_by_class), quick_images=50)
    assert len(np.unique(recipe.splits(Options(quick=True)).train.y)) == 10
    assert len(recipe.splits(Options()).train) == 1000


def line_recipe(splits, **settings):
    return NetworkRecipe(
        name="line",
        title="a line through points",
        source="none",
        reported="nothing",
        expects="a line",
        data=lambda options: splits,
        input_shape=(1,),
        model=lambda generator: nn.Linear(1, 1, generator=generator, dtype=np.float64),
        loss=Spec("MSELoss"),
        optimizer=Spec("SGD", lr=0.1),
        epochs=3,
        batch_size=5,
        **settings,
    )


def test_a_regression_ends_with_its_loss_and_draws_what_there_is_to_draw(tmp_path):
    x = np.linspace(-1, 1, 20)[:, None]
    points = ArrayDataset(x, 2 * x)
    lines = []
    result = line_recipe(Splits(points, None, points)).run(Options(), tmp_path, lines.append)
    assert result.headline.startswith("test loss: ")
    assert [path.name for path in result.figures] == ["learning_curves.png"]
    assert result.values["accuracy"] is None


def test_an_interrupt_before_the_first_epoch_ended_is_a_result_too(tmp_path, monkeypatch):
    x = np.linspace(-1, 1, 20)[:, None]
    monkeypatch.setattr("npnet.recipes._network.run", lambda *a, **k: History(interrupted=True))
    result = line_recipe(Splits(ArrayDataset(x, 2 * x))).run(Options(), tmp_path, lambda line: None)
    assert result.status == "interrupted"
    assert result.headline.startswith("training loss: ")
    assert (result.folder / "model.safetensors").exists()
    assert not result.figures
