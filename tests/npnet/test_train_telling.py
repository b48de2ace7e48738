"""What training tells: its history, its callbacks, its lines, bars and errors."""

import io
import os
import re
import subprocess
import sys
import types

import numpy as np
import pytest

from npnet import nn, optim
from npnet.errors import InputError
from npnet.train import Epoch, History, State, evaluate, evaluate_engine, fit, predict
from npnet.train.engine import NumPyEngine
from npnet.train.state import Fallback

pytestmark = pytest.mark.usefixtures("bare")

N = 60
RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((N, 5)), RNG.integers(3, size=N)
SPLIT = ((X[:40], Y[:40]), (X[40:], Y[40:]))


def classifier(outputs=3):
    rng = np.random.default_rng(0)
    made = {"generator": rng, "dtype": np.float64}
    return nn.Sequential(nn.Linear(5, 8, **made), nn.ReLU(), nn.Linear(8, outputs, **made))


def learn(data=SPLIT, model=None, lr=0.1, **settings):
    model = model or classifier()
    sgd = optim.SGD(model.parameters, lr=lr)
    return fit(model, nn.CrossEntropyLoss(), sgd, data, **{"epochs": 3, "progress": False} | settings)


def same(weights, others):
    return all(np.array_equal(weights[name], others[name]) for name in weights)


# ---- history -----------------------------------------------------------------------------------------


def test_the_numbers_of_a_history_are_arrays():
    history = learn()
    for name in ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "lr", "seconds"):
        expected = [getattr(epoch, name) for epoch in history.epochs]
        np.testing.assert_array_equal(getattr(history, name), expected)
        assert getattr(history, name).dtype == np.float64
    alone = learn((X, Y))
    assert np.isnan(alone.validation_loss).all()
    assert alone.validation_accuracy.shape == (3,)
    assert History().train_loss.shape == (0,)


def test_a_history_is_read_in_a_line_and_printed_as_a_table():
    epochs = [Epoch(i, 1 / i, 0.5, 2 / i, 0.25, 0.1, 0.5, 100.0) for i in (1, 2, 3)]
    history = History(epochs, best_epoch=2, stopped_early=True)
    assert repr(history) == (
        "History(3 epochs, best 2, training loss 0.5000, validation loss 1.0000, stopped early)"
    )
    assert str(history).splitlines()[0].split("  ")[0] == "epoch"
    assert re.search(r"^2 \* +0\.5000 +50\.00 % +1\.0000 +25\.00 % +0\.1 +0\.50$", str(history), re.MULTILINE)
    assert str(history).splitlines()[-1] == "stopped early after 3 epochs; weights of epoch 2 kept"
    page = history._repr_html_()
    assert page.startswith("<table>")
    assert "validation loss" in page
    plain = History([Epoch(1, 1.0, None, None, None, 0.1, 0.5, 100.0)])
    assert "accuracy" not in str(plain)
    assert "validation" not in str(plain)
    assert repr(History()) == "History(0 epochs)"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 3}, "History: epochs must be a list of Epoch, got 3"),
        ({"epochs": [1.0]}, "epochs must be a list of Epoch"),
        ({"best_epoch": "1"}, "best_epoch must be an integer"),
        ({"interrupted": 1}, "interrupted must be True or False"),
        ({"notes": "x"}, "notes must be a list"),
    ],
)
def test_a_history_of_something_else_is_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        History(**wrong)


# ---- callbacks ---------------------------------------------------------------------------------------


def test_callbacks_get_the_loss_and_the_gradients_of_the_minibatch():
    seen = []

    def look(state):
        assert isinstance(state, State)
        seen.append((state.epoch, state.step, state.loss, {name: g.shape for name, g in state.grads.items()}))

    history = learn((X, Y), batch_size=30, epochs=2, on_step=look)
    assert [entry[:2] for entry in seen] == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert np.mean([entry[2] for entry in seen[:2]]) == pytest.approx(history.train_loss[0])
    assert seen[0][3] == {name: array.shape for name, array in classifier().parameters.items()}


@pytest.mark.parametrize("how", ["in place", "replaced"])
def test_gradients_can_be_changed_between_backward_and_update(how):
    def none_of_it(state):
        if how == "in place":
            for grad in state.grads.values():
                grad *= 0
        else:
            state.grads = {name: 0 * grad for name, grad in state.grads.items()}

    model, free = classifier(), classifier()
    learn((X, Y), model, on_backward=none_of_it)
    learn((X, Y), free)
    assert same(model.state_dict(), classifier().state_dict())
    assert not same(free.state_dict(), classifier().state_dict())


def test_pytorch_s_gradients_can_be_changed_too():
    torch = pytest.importorskip("torch")
    from ptref.train import fit as torch_fit

    def none_of_it(state):
        assert set(state.grads) == {"weight", "bias"}
        state.grads["weight"].zero_()
        state.grads["bias"] = torch.zeros_like(state.grads["bias"])

    module = torch.nn.Linear(5, 3)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    sgd = torch.optim.SGD(module.parameters(), lr=0.1)
    torch_fit(module, torch.nn.CrossEntropyLoss(), sgd, (X, Y), on_backward=none_of_it, progress=False)
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    torch_fit(module, torch.nn.CrossEntropyLoss(), sgd, (X, Y), progress=False)
    assert not torch.equal(before["weight"], module.weight)


def test_a_callback_ends_training_by_returning_true():
    history = learn((X, Y), epochs=9, on_epoch=lambda epoch: epoch.epoch == 2)
    assert (len(history.epochs), history.stopped_by_callback) == (2, True)
    history = learn(SPLIT, epochs=9, batch_size=10, on_step=lambda state: np.bool_(state.epoch == 1))
    assert (len(history.epochs), history.best_epoch) == (1, 1)
    assert "stopped by a callback" in repr(history)
    for other in (None, 1, "yes", [3]):
        assert len(learn((X, Y), on_epoch=lambda _, answer=other: answer).epochs) == 3


def test_whatever_ends_training_carries_the_history():
    class MineError(Exception):
        pass

    def at_two(epoch):
        if epoch.epoch == 2:
            raise MineError

    with pytest.raises(MineError) as caught:
        learn(on_epoch=at_two)
    assert len(caught.value.history.epochs) == 2
    with pytest.raises(InputError) as caught:
        learn((X, Y), lr=1e200, epochs=9)
    assert caught.value.history.diverged
    with pytest.raises(SystemExit) as caught:
        learn(on_step=lambda _: sys.exit(3))
    assert caught.value.history.epochs == []


# ---- diverging ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("lr", [1e3, 1e6, 1e100])
def test_a_run_that_diverges_at_once_leaves_the_weights_it_began_with(lr):
    """Losses grow from epoch to epoch, all of them finite at first."""
    model = classifier(outputs=1)
    sgd = optim.SGD(model.parameters, lr=lr)
    with pytest.raises(
        InputError, match=r"learning rate .* The model has the weights it began with"
    ) as caught:
        fit(model, nn.MSELoss(), sgd, (X, X[:, :1]), epochs=500, progress=False)
    assert same(model.state_dict(), classifier(outputs=1).state_dict())
    assert (caught.value.history.best_epoch, caught.value.history.diverged) == (0, True)


@pytest.mark.parametrize("keep_best", [True, False])
def test_a_run_that_diverges_later_leaves_those_of_its_best_epoch(keep_best):
    model = classifier()
    sgd = optim.SGD(model.parameters, lr=0.5)
    states = []

    def spoil(epoch):
        states.append(model.state_dict())
        if epoch.epoch == 4:
            sgd.lr = 1e200

    with pytest.raises(InputError, match=r"The model has the weights of epoch (\d)") as caught:
        fit(
            model, nn.CrossEntropyLoss(), sgd, (X, Y), epochs=9, progress=False, on_epoch=spoil,
            keep_best=keep_best,
        )  # fmt: skip
    history = caught.value.history
    assert history.best_epoch in (3, 4)
    assert f"epoch {history.best_epoch}" in str(caught.value)
    assert same(model.state_dict(), states[history.best_epoch - 1])


def test_weights_are_worth_the_worse_of_their_epoch_and_the_next_minibatch():
    fallback = Fallback()
    fallback.propose(0, -np.inf, {"w": 0})
    fallback.confirm(5.0)
    fallback.propose(1, 1.0, {"w": 1})
    fallback.confirm(2.0)
    assert (fallback.epoch, fallback.loss, fallback.weights) == (1, 2.0, {"w": 1})
    fallback.propose(2, 0.5, {"w": 2})
    fallback.confirm(1e9)  # the last steps of epoch 2 have spoilt them
    assert (fallback.epoch, fallback.weights) == (1, {"w": 1})


# ---- NumPy's settings --------------------------------------------------------------------------------


def test_numpy_may_be_told_to_raise():
    model = classifier()
    with np.errstate(all="raise"):
        learn((X * 1e150, Y), model, lr=1e-300)
        loss, _ = evaluate(model, nn.CrossEntropyLoss(), (X * 1e200, Y))
        outputs = predict(model, X * 1e300)
        engine = NumPyEngine(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters))
        tally = evaluate_engine(engine, (X * 1e200, Y))
        with pytest.raises(InputError, match="learning rate"):
            learn((X, Y), lr=1e300, epochs=20)
    assert outputs.shape == (N, 3)
    assert tally.loss == loss


# ---- lines and bars ----------------------------------------------------------------------------------


def test_where_there_is_no_terminal_each_epoch_is_a_line(capsys):
    history = learn(SPLIT, progress=True)
    told = capsys.readouterr()
    lines = told.err.splitlines()
    assert told.out == ""
    assert lines[:-1] == [epoch.line(3) for epoch in history.epochs]
    assert re.fullmatch(
        r"trained 3 of 3 epochs in \d+\.\d s; best epoch (\d), validation loss \d\.\d+; "
        r"weights of epoch \1 kept",
        lines[-1],
    )


def test_what_is_converted_is_said_once(capsys):
    model = nn.Linear(5, 3, generator=np.random.default_rng(0))
    sgd = optim.SGD(model.parameters, lr=0.1)
    fit(model, nn.CrossEntropyLoss(), sgd, (X, Y), epochs=2)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "training: x converted from float64 to float32"
    assert lines[-1].endswith("weights of the last step kept")
    assert len(lines) == 4


@pytest.mark.parametrize("progress", [False, "bar"])
def test_a_caller_that_reports_for_itself_hears_nothing(capsys, progress):
    learn(progress=progress)
    assert capsys.readouterr() == ("", "")


def test_of_very_many_epochs_not_all_are_told(capsys):
    learn((X, Y), epochs=1000, progress=True, on_epoch=lambda epoch: epoch.epoch == 50)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 7  # 1, 10, 20, … 50, and the end
    assert lines[-1].startswith("stopped by a callback after 50 of 1000 epochs")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_in_a_terminal_there_is_a_bar_and_a_closing_line(monkeypatch):
    monkeypatch.setattr("npnet.train._progress.SECONDS_BETWEEN_DRAWINGS", 0)
    monkeypatch.setattr(sys, "stderr", Terminal())
    learn(progress=True)
    told = sys.stderr.getvalue()
    assert "epoch 2/3" in told
    assert "samples/s" in told
    assert re.search(r"weights of epoch \d kept\n$", told)
    assert "validation 0" not in told.replace("validation loss", "")


class Closed(Terminal):
    def write(self, text):
        raise OSError(5, "gone")


class Bare:
    """What some programs put in place of standard error: it only writes."""

    def __init__(self):
        self.lines = []

    def write(self, text):
        self.lines.append(text)


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [lambda: None, closed, Closed, Bare, object])
@pytest.mark.parametrize("progress", [True, "bar"])
def test_training_goes_on_where_standard_error_does_not(monkeypatch, stream, progress):
    monkeypatch.setattr("npnet.train._progress.SECONDS_BETWEEN_DRAWINGS", 0)
    monkeypatch.setattr(sys, "stderr", stream())
    monkeypatch.setattr(sys, "stdout", None)
    assert len(learn(progress=progress).epochs) == 3


PROGRAM = """
import pathlib, sys
import numpy as np
from npnet import fit, nn, optim

model = nn.Linear(2, 2, generator=np.random.default_rng(0))
history = fit(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters), (np.ones((9, 2)), np.zeros(9, int)))
pathlib.Path(sys.argv[1]).write_text(f"{len(history.epochs)} {sys.stderr}")
"""


def test_training_goes_on_in_a_program_without_any_streams(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    command = f'"{sys.executable}" "{tmp_path}/program.py" "{tmp_path}/done" >&- 2>&-'
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(command, shell=True, env=environment, check=True, timeout=120)
    assert (tmp_path / "done").read_text() == "10 None"


# ---- notebooks ---------------------------------------------------------------------------------------


class Shown:
    """A place on a notebook's page."""

    pages = ()

    def __init__(self, page):
        Shown.pages = [page]

    def update(self, page):
        Shown.pages.append(page)


@pytest.fixture
def notebook(monkeypatch):
    """IPython with a kernel, as far as it is asked."""
    ipython, display = types.ModuleType("IPython"), types.ModuleType("IPython.display")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    display.HTML = str
    display.display = lambda page, display_id: Shown(page)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr("npnet.train._progress.SECONDS_BETWEEN_DRAWINGS", 0)
    Shown.pages = []


@pytest.mark.usefixtures("notebook")
def test_in_a_notebook_a_bar_is_updated_in_place(capsys):
    learn(progress=True, batch_size=20)
    assert capsys.readouterr() == ("", "")
    assert '<progress value="20" max="120"></progress>' in Shown.pages[0]
    assert any("epoch 2/3  training" in page for page in Shown.pages)
    assert re.fullmatch(
        "trained 3 of 3 epochs in .* weights of epoch \\d kept", Shown.pages[-1]
    )  # and no bar


@pytest.mark.usefixtures("notebook")
def test_in_a_notebook_too_nothing_is_shown_when_it_is_not_wanted():
    learn()
    learn(progress="bar")
    assert Shown.pages == []


def test_ipython_in_a_terminal_is_no_notebook(notebook, monkeypatch, capsys):
    sys.modules["IPython"].get_ipython = types.SimpleNamespace
    learn(progress=True)
    assert capsys.readouterr().err.startswith("epoch 1/3")
