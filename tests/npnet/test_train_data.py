"""One's own data on its way into training: what is taken, and what is met before anything is learnt."""

import numpy as np
import pytest

from npnet import nn, optim
from npnet.data import ArrayDataset, Splits
from npnet.errors import InputError
from npnet.train import evaluate, fit, predict

pytestmark = pytest.mark.usefixtures("bare")

N = 60
RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((N, 5)), RNG.integers(3, size=N)
IMAGES = RNG.random((N, 3, 6, 6), dtype=np.float32)


def classifier(inputs=5, outputs=3, dtype=np.float32):
    rng = np.random.default_rng(0)
    made = {"generator": rng, "dtype": dtype}
    return nn.Sequential(nn.Linear(inputs, 8, **made), nn.ReLU(), nn.Linear(8, outputs, **made))


def learn(data, model=None, loss=None, **settings):
    model = model or classifier()
    sgd = optim.SGD(model.parameters, lr=0.1)
    return fit(model, loss or nn.CrossEntropyLoss(), sgd, data, **{"epochs": 1, "progress": False} | settings)


# ---- what is taken -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "validated"),
    [
        ((X, Y), False),
        ((X.tolist(), Y.tolist()), False),
        ({"data": X, "target": Y}, False),
        (ArrayDataset(X, Y), False),
        ([(X[i], Y[i]) for i in range(N)], False),
        (((X, Y), (X, Y)), True),
        ((ArrayDataset(X, Y), (X, Y)), True),
        (((X, Y), None), False),
        (Splits(ArrayDataset(X, Y), ArrayDataset(X, Y)), True),
    ],
    ids=["arrays", "lists", "bunch", "data set", "pairs", "two of arrays", "two", "one of two", "splits"],
)
def test_own_data_goes_straight_into_fit(data, validated):
    expected = learn(ArrayDataset(X.astype(np.float32), Y)).train_loss
    history = learn(data)
    np.testing.assert_array_equal(history.train_loss, expected)
    assert np.isnan(history.validation_loss).all() != validated
    assert history.notes[0] == "training: x converted from float64 to float32"


def test_evaluate_and_predict_take_it_too():
    model = classifier()
    x = X.astype(np.float32)
    expected = evaluate(model, nn.CrossEntropyLoss(), ArrayDataset(x, Y))
    for data in ((X, Y), {"data": X, "target": Y}, [(X[i], Y[i]) for i in range(N)]):
        assert evaluate(model, nn.CrossEntropyLoss(), data) == expected
        np.testing.assert_array_equal(predict(model, data), model(x))
    np.testing.assert_array_equal(predict(model, X), model(x))
    whole, _ = evaluate(classifier(outputs=1), nn.MSELoss(), (X, Y[:, np.newaxis]))
    assert np.isfinite(whole)


def test_the_defaults_are_those_that_are_documented():
    def weights(**settings):
        model = classifier()
        history = fit(
            model, nn.CrossEntropyLoss(), optim.SGD(model.parameters), (X, Y), progress=False, **settings
        )
        assert len(history.epochs) == 10
        return model.state_dict()

    plain = weights()
    for same in (
        {"generator": 0},
        {"generator": np.random.default_rng(0), "batch_size": 64, "epochs": np.int64(10)},
    ):
        assert all(np.array_equal(plain[name], array) for name, array in weights(**same).items())
    other = weights(generator=np.uint8(1), batch_size=7)
    assert not np.array_equal(plain["0.weight"], other["0.weight"])


def test_numpy_integers_are_welcome():
    history = learn((X, Y), epochs=np.int64(3), batch_size=np.int8(40), drop_last=np.True_)
    assert len(history.epochs) == 3
    patient = learn(((X, Y), (X, Y)), epochs=3, patience=np.int8(2))
    assert len(patient.epochs) == 3


def test_targets_of_a_regression_become_floats():
    history = learn((X, Y[:, np.newaxis]), classifier(outputs=1), nn.MSELoss())
    assert history.notes[1] == "training: y converted from int64 to float32"


def test_the_last_minibatch_can_be_left_out():
    seen = []
    learn((X, Y), batch_size=25, drop_last=True, on_step=lambda state: seen.append(state.metrics.seen))
    assert seen == [25, 50]


# ---- what is met before training ---------------------------------------------------------------------


def with_value(array, place, value):
    changed = array.copy()
    changed[place] = value
    return changed


BAD = {
    "nan in x": ((with_value(X, (12, 3), np.nan), Y), "training x holds nan at sample 12, feature 3"),
    "inf in an image": (
        (with_value(IMAGES, (7, 2, 1, 0), np.inf), Y),
        r"training x holds inf at sample 7, position \(2, 1, 0\)",
    ),
    "nan in the validation part": (
        ((X, Y), (with_value(X, (0, 4), -np.inf), Y)),
        "validation x holds -inf at sample 0, feature 4",
    ),
    "too large": ((with_value(X, (1, 1), 1e300), Y), r"x holds 1e\+300 at sample 1, .*too large for float32"),
    "one-hot": ((X, np.eye(3, dtype=int)[Y]), r"looks one-hot; write y.argmax\(axis=1\)"),
    "from 1": ((X, Y + 1), "labels must be in 0…2, .* labels 1…3 become such by y - 1"),
    "text": ((X, np.array(["u", "v", "w"])[Y]), r"y must hold numbers, got text; npnet.data.arrays\(x, y\)"),
    "text in x": (
        (X.astype(str), Y),
        r"got text; numbers written as text become numbers by x.astype\(float\)",
    ),
    "numbers as text": ((X, Y.astype(str)), r"numbers written as text become numbers by y.astype\(float\)"),
    "float labels": ((X, Y * 1.0), r"y must hold integer labels, .*y.astype\(np.int64\)"),
    "column of labels": ((X, Y[:, np.newaxis]), r"must have shape \(n,\), .* got \(n, 1\); write y\[:, 0\]"),
    "no targets": (X, r"data must be .* beside them: \(x, y\)"),
    "four arrays": (
        (X, X, Y, Y),
        r"training and validation: write \(\(x_train, y_train\), \(x_test, y_test\)\)",
    ),
    "three": ((X, Y, 3), "got a tuple of 3"),
    "mapping": ({"x": X}, "data must be .* got dict"),
    "empty validation": (((X, Y), []), "the validation data must not be empty"),
}


@pytest.mark.parametrize("case", BAD)
def test_data_that_cannot_be_learnt_from_is_met_before_training(case):
    data, message = BAD[case]
    model = nn.Sequential(nn.Flatten(), classifier(inputs=108)) if case == "inf in an image" else classifier()
    before = model.state_dict()
    with pytest.raises(InputError, match=message) as caught:
        learn(data, model)
    assert "learning rate" not in str(caught.value)
    assert all(np.array_equal(before[name], array) for name, array in model.state_dict().items())


def test_targets_of_another_shape_than_the_outputs_meet_what_to_write():
    model = classifier(outputs=1)
    with pytest.raises(InputError, match=r"outputs, \(n, 1\), got \(n,\); write y\[:, np.newaxis\]"):
        learn([(X[i], X[i, 0]) for i in range(N)], model, nn.MSELoss())
    with pytest.raises(InputError, match=r"outputs, \(n, 1\), got \(n, 5\)$"):
        learn((X, X), model, nn.BCEWithLogitsLoss())


def test_images_with_their_channels_last_meet_how_to_turn_them():
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Conv2d(3, 2, 3, generator=rng), nn.Flatten(), nn.Linear(32, 3, generator=rng))
    learn((IMAGES, Y), model)
    with pytest.raises(InputError, match=r"transpose\(0, 3, 1, 2\)"):
        learn((IMAGES.transpose(0, 2, 3, 1), Y), model)


class Lazy:
    """A data set that cannot be looked at as a whole."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return self.x[index], self.y[index]


def test_nan_in_data_that_is_loaded_piece_by_piece_is_named_once_it_is_met():
    wrong = Lazy(with_value(X.astype(np.float32), (41, 2), np.nan), Y)
    good = Lazy(X.astype(np.float32), Y)
    with pytest.raises(InputError, match="training x holds nan at sample 41, feature 2"):
        learn(wrong, batch_size=20)
    with pytest.raises(InputError, match="validation x holds nan at sample 41, feature 2") as caught:
        learn((good, wrong), batch_size=20)
    assert len(caught.value.history.epochs) == 0


# ---- batch norm --------------------------------------------------------------------------------------


def normalised():
    rng = np.random.default_rng(0)
    return nn.Sequential(
        nn.Linear(5, 8, generator=rng), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3, generator=rng)
    )


@pytest.mark.parametrize("batch_size", [59, 1])
def test_a_single_sample_for_batch_norm_is_met_before_training(batch_size):
    model = normalised()
    before = model.state_dict()
    with pytest.raises(InputError, match=r"single sample.* got 60 samples .* batch_size, .*drop_last=True"):
        learn((X, Y), model, batch_size=batch_size)
    assert all(np.array_equal(before[name], array) for name, array in model.state_dict().items())
    if batch_size == 59:
        assert len(learn((X, Y), model, batch_size=59, drop_last=True).epochs) == 1


def test_batch_norm_over_pixels_takes_a_single_image():
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(108, 3, generator=rng))
    learn((IMAGES, Y), model, batch_size=59)


def test_pytorch_meets_it_too():
    torch = pytest.importorskip("torch")
    from ptref.train import fit as torch_fit

    module = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 3))
    sgd = torch.optim.SGD(module.parameters(), lr=0.1)
    with pytest.raises(InputError, match=r"single sample.*drop_last=True"):
        torch_fit(module, torch.nn.CrossEntropyLoss(), sgd, (X, Y), batch_size=59)
    history = torch_fit(
        module, torch.nn.CrossEntropyLoss(), sgd, (X, Y), batch_size=59, drop_last=True, progress=False
    )
    assert len(history.epochs) == 10


# ---- models, losses, optimizers ----------------------------------------------------------------------


def test_what_is_no_model_loss_or_optimizer_is_refused():
    model = classifier()
    good = {
        "model": model,
        "loss": nn.CrossEntropyLoss(),
        "optimizer": optim.SGD(model.parameters),
        "data": (X, Y),
    }
    for change, message in (
        ({"model": "mlp"}, "fit: model must be a layer such as"),
        ({"model": nn.Linear}, "got the class Linear"),
        ({"loss": nn.CrossEntropyLoss}, "loss must be a loss such as .* got the class CrossEntropyLoss"),
        ({"loss": "mse"}, "loss must be a loss"),
        ({"optimizer": "sgd"}, "optimizer must be an optimizer such as .* got 'sgd'"),
        ({"optimizer": optim.SGD}, "got the class SGD"),
        ({"schedule": 0.9}, "schedule must be a schedule"),
        ({"step": 3}, "step must be a function"),
        ({"progress": "loud"}, "progress must be True or False"),
        ({"drop_last": 1}, "drop_last must be True or False"),
        ({"on_epoch": "print"}, "on_epoch must be a function"),
        ({"generator": -1}, "generator must be .* or a seed"),
    ):
        with pytest.raises(InputError, match=message):
            fit(**good | change)


def test_an_optimizer_of_part_of_the_parameters_is_refused_and_freezing_named():
    model = classifier()
    last = {name: array for name, array in model.parameters.items() if name.startswith("2.")}
    sgd = optim.SGD(last, lr=0.1)
    with pytest.raises(
        InputError, match=r"lacks '0.weight', '0.bias'; .* model.freeze\('0.weight', '0.bias'"
    ):
        fit(model, nn.CrossEntropyLoss(), sgd, (X, Y))
    model.freeze("0")
    fit(model, nn.CrossEntropyLoss(), sgd, (X, Y), epochs=1, progress=False)


def test_a_module_of_pytorch_is_refused_and_where_it_is_trained_said():
    torch = pytest.importorskip("torch")
    module = torch.nn.Linear(5, 3)
    with pytest.raises(InputError, match=r"got torch.Linear; ptref.convert.from_torch\(module\)"):
        fit(module, nn.CrossEntropyLoss(), None, (X, Y))
    with pytest.raises(InputError, match="predict: model must be"):
        predict(module, X)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (Y + 1, "evaluate: dataset's labels must be in 0…2, .* become such by y - 1"),
        (np.eye(3, dtype=int)[Y], r"evaluate: dataset's y must .* looks one-hot; write y.argmax\(axis=1\)"),
        (np.array(["u", "v", "w"])[Y], r"evaluate: dataset's y must hold numbers, .*npnet.data.arrays"),
        (Y * 1.0, r"dataset's y must hold integer labels, .*y.astype\(np.int64\)"),
    ],
)
def test_what_is_evaluated_meets_the_same_words(y, message):
    with pytest.raises(InputError, match=message):
        evaluate(classifier(), nn.CrossEntropyLoss(), (X, y))


def test_targets_to_evaluate_are_never_broadcast():
    with pytest.raises(InputError, match=r"evaluate: dataset's y must .*\(n, 1\), got \(n, 5\)"):
        evaluate(classifier(outputs=1), nn.MSELoss(), (X, X))


def test_a_number_for_each_sample_is_a_row_of_one():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 2)).astype(np.float32)
    y = x.sum(axis=1)
    models, losses = [], []
    for target in (y, y[:, np.newaxis]):
        model = nn.Linear(2, 1, generator=np.random.default_rng(0))
        sgd = optim.SGD(model.parameters, lr=0.1)
        history = fit(model, nn.MSELoss(), sgd, ((x, target), (x, target)), epochs=2, progress=False)
        models.append(model)
        losses.append(evaluate(model, nn.MSELoss(), (x, target)))
        said = "training y of shape (n,) is read as (n, 1), like the model's outputs"
        assert (said in history.notes) == (target.ndim == 1)
    np.testing.assert_array_equal(models[0].weight, models[1].weight)
    assert losses[0] == losses[1]


def test_the_loss_that_was_meant_is_named():
    x = np.zeros((4, 2), np.float32)
    model = nn.Linear(2, 3, generator=np.random.default_rng(0))
    sgd = optim.SGD(model.parameters, lr=0.1)
    with pytest.raises(InputError, match=r"numbers are learnt by nn.MSELoss"):
        fit(model, nn.CrossEntropyLoss(), sgd, (x, np.array([0.5, 1.5, 2.0, 0.0])), progress=False)
    with pytest.raises(InputError, match=r"labels of several classes are learnt by nn.CrossEntropyLoss"):
        fit(model, nn.BCEWithLogitsLoss(), sgd, (x, np.array([0, 1, 2, 0])), progress=False)
