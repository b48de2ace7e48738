"""NaN and ∞ stop training, with the name of what holds them and of the operation that made them."""

import numpy as np
import pytest

from npnet import nn, optim
from npnet.errors import InputError
from npnet.train import _checkpoints, evaluate, fit, plain_step, read_checkpoint
from npnet.train.anomaly import AnomalyError, detect_anomalies, first_not_finite

pytestmark = pytest.mark.usefixtures("bare")

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((40, 5)), RNG.integers(3, size=40)
SPLIT = ((X[:30], Y[:30]), (X[30:], Y[30:]))


class Spoiling(nn.Layer):
    """Passes everything on, but for one value: forward or backward, once it has been called often enough."""

    def __init__(self, value=np.nan, *, forward=10**9, backward=10**9):
        super().__init__()
        self.value, self.left_forward, self.left_backward = value, forward, backward

    def apply(self, x, *, training, generator):
        self.left_forward -= training
        y = x.copy()
        if self.left_forward < 0:
            y[1, 2] = self.value

        def backward(grad_y):
            self.left_backward -= 1
            grad_x = grad_y.copy()
            if self.left_backward < 0:
                grad_x[0, 3] = self.value
            return grad_x

        return y, backward


def model_with(layer):
    rng = np.random.default_rng(0)
    made = {"generator": rng, "dtype": np.float64}
    return nn.Sequential(nn.Linear(5, 8, **made), layer, nn.ReLU(), nn.Linear(8, 3, **made))


def learn(layer=None, lr=0.1, data=SPLIT, **settings):
    model = model_with(layer or nn.Identity())
    sgd = optim.SGD(model.parameters, lr=lr)
    settings = {"epochs": 4, "batch_size": 10, "progress": False, "step": plain_step} | settings
    return fit(model, nn.CrossEntropyLoss(), sgd, data, **settings), model


# ---- what stops a run ------------------------------------------------------------------------------------


def test_a_loss_that_is_no_number_names_the_operation_it_arose_in():
    with pytest.raises(
        InputError,
        match=r"loss became nan in epoch 2, after step 2; .*It arose in the forward of layer '1' "
        r"Spoiling\(\): its output holds nan at index \(1, 2\)\. The model has the weights of epoch 1",
    ):
        learn(Spoiling(forward=5))


def test_a_gradient_that_is_no_number_stops_before_the_update():
    states = []
    with pytest.raises(
        InputError,
        match=r"the gradient of '0\.weight' of layer '0' Linear holds -inf at index \(3, 0\) in epoch 1, "
        r"after step 2; .*It arose in the backward of layer '1' Spoiling\(\): the gradient of its input",
    ) as caught:
        learn(Spoiling(np.inf, backward=2), on_step=lambda state: states.append(state.step))
    assert states == [1, 2]
    assert caught.value.history.diverged


def test_a_gradient_that_a_callback_spoils_is_named():
    def spoil(state):
        state.grads["3.bias"] = np.array([0.0, np.nan, np.inf])

    with pytest.raises(InputError, match=r"gradient of '3\.bias' of layer '3' Linear holds nan at index 1"):
        learn(on_backward=spoil)


def test_gradients_that_a_callback_mends_do_not_stop_the_run():
    def mend(state):
        state.grads = {name: np.nan_to_num(grad, posinf=0, neginf=0) for name, grad in state.grads.items()}

    history, _ = learn(Spoiling(np.inf, backward=2), on_backward=mend)
    assert len(history.epochs) == 4


def test_a_weight_that_the_last_step_of_an_epoch_spoils_is_named():
    def spoil(state):  # the optimizer's own step is finite, and this comes after it
        if (state.epoch, state.step) == (1, 3):
            model_of[0].parameters["0.weight"][2, 4] = -np.inf

    model_of = []

    def first(model, *arguments):
        model_of[:] = [model]
        return plain_step(model, *arguments)

    with pytest.raises(
        InputError,
        match=r"the weight '0\.weight' of layer '0' Linear holds -inf at index \(2, 4\) in epoch 2, after "
        r"step 3; .*The model has the weights of epoch 1",
    ):
        learn(on_step=spoil, step=first)
    assert np.isfinite(model_of[0].parameters["0.weight"]).all()


def test_the_last_good_checkpoint_and_the_best_weights_stay_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(_checkpoints, "SHARE", 1e9)  # after each epoch, however short
    states = []
    with pytest.raises(
        InputError, match=r"The checkpoint after epoch 2 is safe in .*step-000000006\."
    ) as caught:
        learn(Spoiling(forward=7), checkpoint=tmp_path, on_epoch=states.append)
    found = read_checkpoint(tmp_path)
    assert found.epoch == len(caught.value.history.epochs) == 2
    model = model_with(nn.Identity())
    model.load_state_dict(found.best_weights)
    loss, _ = evaluate(model, nn.CrossEntropyLoss(), SPLIT[1])
    assert loss == pytest.approx(min(epoch.validation_loss for epoch in states), rel=1e-12)


def test_weights_that_are_no_numbers_are_never_saved(tmp_path):
    def spoil(state):
        state_of_model["3.bias"][0] = np.nan

    state_of_model = {}

    def first(model, *arguments):
        state_of_model.update(model.parameters)
        return plain_step(model, *arguments)

    with pytest.raises(InputError, match="loss became nan"):
        learn(on_step=spoil, step=first, checkpoint=tmp_path, checkpoint_seconds=1e-9)
    assert (read_checkpoint(tmp_path).epoch, read_checkpoint(tmp_path).step) == (0, 0)


def test_labels_that_are_all_ignored_in_a_minibatch_are_no_anomaly():
    y = Y.copy()
    y[:10] = -100
    order = np.arange(40)

    class InOrder(np.random.Generator):
        def permutation(self, n):
            return order[:n]

    history, _ = learn(data=(X, y), generator=InOrder(np.random.PCG64(0)), detect_anomaly=True)
    assert len(history.epochs) == 4


# ---- detect_anomaly --------------------------------------------------------------------------------------


def test_infinity_that_a_later_layer_hides_is_found_on_demand():
    """ReLU makes 0 of −∞: the loss never shows it."""
    history, _ = learn(Spoiling(-np.inf, forward=0))
    assert len(history.epochs) == 4
    with pytest.raises(
        InputError,
        match=r"forward of layer '1' Spoiling\(\): its output holds -inf at index \(1, 2\) in epoch 1",
    ):
        learn(Spoiling(-np.inf, forward=0), detect_anomaly=True)


def test_detection_changes_no_bit_and_leaves_the_layers_as_they_were():
    plain, model = learn()
    checked, same = learn(detect_anomaly=True)
    assert plain.train_loss.tobytes() == checked.train_loss.tobytes()
    assert all(np.array_equal(array, same.parameters[name]) for name, array in model.parameters.items())
    assert not any("forward" in vars(layer) for _, layer in same.named_layers())


@pytest.mark.parametrize("spoilt", ["weight", "input"])
def test_what_goes_into_a_layer_is_looked_at_first(spoilt):
    model, x = model_with(nn.Identity()), X.copy()
    if spoilt == "weight":
        model.parameters["3.weight"][2, 7] = np.inf
        expected = r"forward of layer '3' Linear\(8, 3\): its 'weight' holds inf at index \(2, 7\)"
    else:
        x[4, 1] = np.nan
        expected = r"forward of the model Sequential: its input holds nan at index \(4, 1\)"
    with pytest.raises(AnomalyError, match=expected), detect_anomalies(model, nn.CrossEntropyLoss()):
        plain_step(model, nn.CrossEntropyLoss(), x, Y, np.random.default_rng(0))


def test_a_loss_that_overflows_is_named():
    model, loss = model_with(nn.Identity()), nn.MSELoss()
    model.parameters["3.bias"][:] = 1e200
    with (
        pytest.raises(AnomalyError, match=r"forward of the loss MSELoss: its value holds inf"),
        np.errstate(all="ignore"),
        detect_anomalies(model, loss),
    ):
        plain_step(model, loss, X, np.zeros((40, 3)), np.random.default_rng(0))


def test_the_first_value_is_found_also_where_the_sum_overflows():
    large = np.full((3, 4), 1e308)
    assert first_not_finite({"large": large, "whole": np.arange(3), "empty": np.zeros(0)}) is None
    large[1, 2] = np.nan
    large[2, 0] = np.inf
    assert first_not_finite({"a": np.zeros(3), "large": large}) == ("large", "nan at index (1, 2)")
    assert first_not_finite({"a": np.array(np.inf)}) == ("a", "inf")
