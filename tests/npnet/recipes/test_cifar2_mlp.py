import numpy as np
import pytest

from npnet import nn, recipes
from npnet.experiments import AS_IN_SOURCE, OURS, Options, Runner
from npnet.recipes.cifar2_mlp import FULL_BATCH, NLL, PER_SAMPLE, losses_apart
from npnet.recipes.common.cifar import AIRPLANES_AND_BIRDS, airplanes_and_birds, shifted, study_shifts
from npnet.run import RunFolder

FIGURES = ["learning_curves", "descents", "confusion_matrix", "misclassified", "shifts"]


def run(folder, out, **options):
    return recipes.get("cifar2-mlp").run(Options(quick=True, data=folder, **options), out, lambda line: None)


@pytest.fixture
def result(small_cifar, tmp_path):
    return run(small_cifar("cifar10", 20), tmp_path / "runs", seed=1)


def test_a_quick_run_draws_everything_and_tells_the_classes(result):
    names = [path.stem for path in result.figures]
    assert [name for name in names if name != "turned_by_one_pixel"] == FIGURES
    assert result.headline.endswith(f" % {AS_IN_SOURCE}, {100 * result.values['accuracy']:.2f} % {OURS}")
    assert result.values["accuracy"] > 0.9
    shifts = result.values["shifts"]
    assert list(shifts["accuracy"]) == list(range(-8, 9))
    assert shifts["accuracy"][0] == result.values["accuracy"]
    assert shifts["changed"][0] == 0


def test_the_two_losses_are_the_same(result):
    apart = result.values["losses_apart"]
    assert apart["loss"] < 1e-14
    assert apart["gradient"] < 1e-14
    assert apart["curves"] < 1e-5


def test_the_losses_are_compared_on_what_is_given(small_cifar, monkeypatch):
    train = airplanes_and_birds(Options(data=small_cifar("cifar10", 10))).train
    monkeypatch.setattr("npnet.nn.NLLLoss.forward", lambda self, x, y: (np.array(7.0), lambda: x * 0))
    assert losses_apart(train)["loss"] > 1
    assert losses_apart(train)["gradient"] > 1e-4


def test_minibatches_full_batch_and_one_sample_are_compared_and_two_losses():
    networks = {network.name: network for network in recipes.get("cifar2-mlp").setups}
    assert list(networks) == [AS_IN_SOURCE, FULL_BATCH, PER_SAMPLE, OURS, NLL]
    for network in networks.values():
        assert network.model(np.random.default_rng(0)).summary((3, 32, 32)).parameters == 1_574_402
        assert network.optimizer.kind == "SGD"
    main, nll = networks[OURS], networks[NLL]
    assert (main.batch_size, main.optimizer.settings) == (64, {"lr": 0.01})
    assert (nll.loss.kind, main.loss.kind) == ("NLLLoss", "CrossEntropyLoss")
    assert networks[PER_SAMPLE].with_options(Options(batch_size=32)).batch_size == 1
    assert main.with_options(Options(batch_size=32)).batch_size == 32


def test_one_pass_of_single_samples_learns_more_than_one_step_of_all(small_cifar, tmp_path):
    options = Options(quick=True, data=small_cifar("cifar10", 20), epochs=1)
    recipe = recipes.get("cifar2-mlp").only(PER_SAMPLE, FULL_BATCH)
    runs = Runner(recipe, options, "numpy", RunFolder(tmp_path, "x"), lambda line: None).train_all()
    losses = [runs[name].loss for name in (PER_SAMPLE, FULL_BATCH)]
    assert losses[0] < losses[1]


def test_two_classes_are_kept_and_standardised_by_their_training_part(small_cifar):
    splits = airplanes_and_birds(Options(data=small_cifar("cifar10", 20)))
    assert splits.classes == AIRPLANES_AND_BIRDS
    assert [len(part) for part in splits.parts().values()] == [180, 20, 40]
    for part in splits.parts().values():
        assert set(part.y) == {0, 1}
    np.testing.assert_allclose(splits.train.x.mean(axis=(0, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(splits.train.x.std(axis=(0, 2, 3)), 1, atol=1e-4)


@pytest.mark.parametrize("by", [-3, 0, 1, 8])
def test_shifting_moves_columns_and_repeats_the_edge(by):
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 10))
    moved = shifted(x, by)
    for column in range(10):
        np.testing.assert_array_equal(moved[..., column], x[..., min(max(column - by, 0), 9)])


def test_a_network_that_sees_one_column_alone_is_turned_by_a_pixel(small_cifar):
    splits = airplanes_and_birds(Options(data=small_cifar("cifar10", 5)))
    part = splits.test.subset(np.arange(4))
    part.x[:] = 0
    part.x[:2, :, :, 16] = 1  # a line in the first two images
    part.y[:] = [1, 1, 0, 0]

    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 2, generator=np.random.default_rng(0)))
    weight, bias = model.parameters.values()
    weight[:], bias[:] = 0, [0.5, -0.5]
    weight[:, 16] = [-1, 1]  # of the first row of the red channel
    study = study_shifts(model, part)
    assert study.accuracies[0] == 1
    assert study.accuracies[1] == 0.5
    assert study.changed[1] == 0.5
    assert sorted(study.flipped()) == [0, 1]
    assert "50.0 % of the images" in study.line()


def test_real_airplanes_and_birds(real_data, tmp_path):
    result = run(real_data, tmp_path)
    assert result.values["accuracy"] > 0.7
    assert 0.01 < result.values["shifts"]["changed"][1] < 0.2
    assert "turned_by_one_pixel" in [path.stem for path in result.figures]


@pytest.mark.parametrize(("name", "shown"), [(OURS, OURS), (FULL_BATCH, FULL_BATCH)])
def test_what_is_listed_says_which_network_it_is(small_cifar, tmp_path, name, shown):
    recipe = recipes.get("cifar2-mlp").only(name, *([PER_SAMPLE] if name == OURS else []))
    options = Options(quick=True, epochs=1, data=small_cifar("cifar10", 10))
    result = recipe.run(options, tmp_path / "runs", lambda line: None)
    accuracy = result.values["networks"]["npnet"][name]["accuracy"]
    assert result.headline == f"test accuracy: {100 * accuracy:.2f} % {shown}"
    assert result.values["reached"]["npnet"]["headline"] == result.headline
