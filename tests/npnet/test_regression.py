"""Numbers of any size are learnt: targets are standardised, and answered in their own units."""

import json

import numpy as np
import pytest

import npnet
from npnet import data, nn, optim
from npnet.cli import main
from npnet.data import ArrayDataset, Splits, Standardization
from npnet.errors import InputError
from npnet.saved import SavedModel, load, save


def rng(seed=0):
    return np.random.default_rng(seed)


def houses(n=200):
    """Return areas, ages and prices around 300 000, which are nearly linear in the two."""
    area, age = rng().uniform(40, 200, n), rng(1).uniform(0, 80, n)
    return area, age, 100_000 + 2_500 * area - 1_000 * age + rng(2).normal(0, 5_000, n)


@pytest.fixture
def table(tmp_path):
    lines = [f"{area:.1f},{age:.0f},{price:.0f}" for area, age, price in zip(*houses(), strict=True)]
    path = tmp_path / "houses.csv"
    path.write_text("area,age,price\n" + "\n".join(lines))
    return path


def fitted(splits, outputs=1):
    model = nn.Sequential(
        nn.Linear(splits.input_shape[0], 16, generator=rng()),
        nn.ReLU(),
        nn.Linear(16, outputs, generator=rng(1)),
    )
    optimizer = optim.Adam(model.parameters, lr=0.01)
    history = npnet.fit(
        model, nn.MSELoss(), optimizer, splits, epochs=40, batch_size=16, generator=rng(), progress=False
    )
    return model, history


def test_house_prices_are_learnt_and_answered_in_their_own_units(table, capsys):
    splits = data.csv(table, "price")
    model, _ = fitted(splits)
    path = table.parent / "houses.safetensors"
    save(path, model, splits)
    saved = load(path)
    prices = houses()[2]
    answers = saved.predict(table)
    assert np.abs(answers - prices).mean() < 15_000
    own = splits.target_standardization.undo(splits.test.y.astype(np.float64))[:, 0]
    judged = saved.evaluate(splits.test)
    assert judged["r2"] > 0.95
    assert judged["rmse"] == pytest.approx(np.sqrt(np.square(saved.predict(splits.test) - own).mean()))
    assert saved.evaluate(table, target=prices.round())["rmse"] == pytest.approx(
        np.sqrt(np.square(answers - prices.round()).mean())
    )

    assert main(["predict", str(path), str(table)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].split() == ["line", "value", "target"]
    line, value, target = out[2].split()
    assert (line, float(target)) == ("2", round(prices[0]))
    assert float(value) == pytest.approx(answers[0], rel=1e-5)
    judged = saved.evaluate(table, target=prices.round())
    assert out[-1].startswith(f"RMSE: {judged['rmse']:.2f}"[:9])
    assert out[-1].endswith(f", R²: {judged['r2']:.4f}, of 200 rows")
    assert main(["predict", str(path), str(table), "--json"]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert first["target"] == round(prices[0])
    assert first["value"] == pytest.approx(answers[0])


def test_the_training_part_alone_standardises_the_target(table):
    raw, splits = data.csv(table, "price", standardized=False), data.csv(table, "price")
    assert raw.target_standardization is None
    assert splits.train.y.dtype == np.float32
    mean, deviation = raw.train.y.mean(dtype=np.float64), raw.train.y.std(dtype=np.float64)
    np.testing.assert_allclose(splits.target_standardization.mean, mean)
    np.testing.assert_allclose(splits.target_standardization.deviation, deviation)
    np.testing.assert_allclose(splits.test.y, (raw.test.y - mean) / deviation, atol=1e-5)
    assert 0.5 < nn.MSELoss().forward(np.zeros_like(splits.train.y), splits.train.y)[0] < 1.5
    told = [line for line in str(splits).splitlines() if "'price' is standardised" in line]
    assert len(told) == 1
    assert f"always predicting its mean ({mean:g}) has a squared error of 1" in told[0]
    assert "target's own units" in told[0]
    assert "standardised" not in str(raw)


def test_targets_keep_differences_that_float32_does_not_hold():
    y = 1e9 + np.linspace(0, 1, 40)
    splits = data.arrays(rng().normal(size=(40, 2)), y)
    assert len(np.unique(splits.train.y)) == len(splits.train)
    saved = SavedModel(
        nn.Linear(2, 1, generator=rng()),
        "regression",
        input_shape=(2,),
        target_standardization=splits.target_standardization,
    )
    answers = saved.predict(splits.test)
    assert answers.dtype == np.float64
    assert len(np.unique(answers)) > 1


def test_several_numbers_are_standardised_each(tmp_path):
    x = rng().normal(size=(60, 3))
    y = np.stack([1000 * x[:, 0], 5 + 0.01 * x[:, 1]], axis=1)
    splits = data.arrays(x, y)
    np.testing.assert_allclose(splits.train.y.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(splits.train.y.std(axis=0), 1, atol=1e-5)
    model, _ = fitted(splits, outputs=2)
    save(tmp_path / "m.safetensors", model, splits)
    saved = load(tmp_path / "m.safetensors")
    assert saved.predict(x).shape == (60, 2)
    assert (np.abs(saved.predict(x) - y).mean(axis=0) < y.std(axis=0) / 2).all()
    with pytest.raises(InputError, match="one output for each of the target's 2 columns, got"):
        save(tmp_path / "m.safetensors", nn.Linear(3, 1, generator=rng()), splits)


def test_yes_or_no_to_several_labels_stays():
    y = rng().integers(0, 2, (40, 3))
    splits = data.arrays(rng().normal(size=(40, 2)), y)
    assert splits.target_standardization is None
    assert set(np.unique(splits.train.y)) == {0, 1}


def test_splits_made_by_hand_are_standardised_likewise():
    x, y = rng().normal(5, 2, (30, 4)), rng().normal(1000, 50, 30)
    splits = Splits(ArrayDataset(x[:20], y[:20]), None, ArrayDataset(x[20:], y[20:])).standardized()
    assert splits.test.y.shape == (10,)
    assert splits.train.y.std() == pytest.approx(1)
    np.testing.assert_allclose(splits.target_standardization.undo(splits.test.y[:, None])[:, 0], y[20:])
    labels = Splits(ArrayDataset(x, np.arange(30) % 3)).standardized()
    assert labels.target_standardization is None
    assert labels.train.y.max() == 2
    places = Splits(ArrayDataset(x, np.arange(60).reshape(30, 2))).standardized()
    assert places.train.y.dtype == np.int64
    text = Splits(ArrayDataset(x, np.array(["a", "b"] * 15))).standardized()
    assert text.train.y[1] == "b"
    y[3] = np.nan
    with pytest.raises(InputError, match="y of train must hold finite numbers, got nan at index 3"):
        Splits(ArrayDataset(x, y)).standardized()


def test_a_file_without_the_field_still_loads(table):
    from npnet import checkpoint
    from npnet.saved import KEY

    splits = data.csv(table, "price", standardized=False)
    path = table.parent / "m.safetensors"
    save(path, nn.Linear(2, 1, generator=rng()), splits)
    arrays, metadata = checkpoint.load(path)
    description = json.loads(metadata[KEY])
    assert description.pop("target_standardization") is None
    checkpoint.save(path, arrays, {KEY: json.dumps(description)})
    assert load(path).target_standardization is None
    assert load(path).predict(table).shape == (200,)


STANDARD = Standardization(np.zeros(2), np.ones(2))


def test_statistics_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="target_standardization must be None unless the task is regression"):
        SavedModel(nn.ReLU(), "classification", ("a",), (1,), target_standardization=STANDARD)
    one = SavedModel(nn.Identity(), "regression", (), (1,), target_standardization=STANDARD)
    with pytest.raises(
        InputError, match=r"must return 2 numbers for each sample, .* got outputs of shape \(1, 1\)"
    ):
        one.predict([[1.0]])
    huge = Standardization(np.zeros(1), np.full(1, 1e308))
    large = SavedModel(nn.Identity(), "regression", (), (1,), target_standardization=huge)
    with pytest.raises(InputError, match="too large for float64"):
        large.predict([[1000.0]])


def test_classes_are_judged_by_how_many_are_right():
    splits = data.arrays(np.linspace(-1, 1, 20), ["no"] * 10 + ["yes"] * 10)
    model = nn.Linear(1, 2, generator=rng())
    model.weight[...], model.bias[...] = [[-1], [1]], 0
    saved = SavedModel(model, "classification", splits.classes, (1,))
    assert saved.evaluate(splits.test) == {"accuracy": 1.0}
    assert saved.evaluate([[-1.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "no"]) == {"accuracy": 0.5}
    numbered = SavedModel(model, "classification", ("1", "2"), (1,))
    assert numbered.evaluate([[-1.0], [1.0]], [1.0, 2.0]) == {"accuracy": 1.0}


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (None, "target must be the right answer for each of 2 samples, got None"),
        ([1.0], r"each of 2 samples, got a float64 array of shape \(1,\)"),
        ([1.0, np.nan], "target must hold finite numbers, got nan at index 1"),
        (["a", "b"], "target must hold booleans or integers or floating-point numbers"),
    ],
)
@pytest.mark.usefixtures("bare")
def test_what_is_no_right_answer_is_refused(target, message):
    saved = SavedModel(nn.Identity(), "regression", (), (1,))
    with pytest.raises(InputError, match=message):
        saved.evaluate([[1.0], [2.0]], target)


def test_r2_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    from npnet._judged import errors_of

    p, t = rng().normal(size=(2, 30, 2))
    errors = errors_of(p, t)
    assert errors["r2"] == pytest.approx(metrics.r2_score(t, p))
    assert errors["rmse"] == pytest.approx(
        np.sqrt(metrics.mean_squared_error(t, p, multioutput="raw_values")).mean()
    )
    assert np.isnan(errors_of(np.zeros(3), np.ones(3))["r2"])
