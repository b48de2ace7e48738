"""The Python of the playground, in CPython: what is watched is what the script does, and is what it says."""

import doctest
import importlib.metadata
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

import npnet

DOCS = Path(__file__).parents[2] / "docs"
sys.path.append(str(DOCS / "_static"))

import lent_digits  # noqa: E402 - after the search path
import playground  # noqa: E402 - after the search path
from playground import Settings, Training  # noqa: E402 - after the search path

pytestmark = pytest.mark.usefixtures("bare")
FOREVER = 1e9
SEVERAL = {
    "spirals": Settings(),
    "gaussians": Settings(data="gaussians", hidden=(), optimizer="sgd", lr=0.3, batch=1),
    "mixture": Settings(
        data="mixture", hidden=(8, 4, 2), activation="sigmoid", optimizer="momentum", decay=0.01
    ),
    "digits": Settings(data="digits", hidden=(16,), activation="tanh", seed=3),
    "convolution": Settings(data="digits", hidden=(8,), activation="none", convolution=True),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_the_script_gets_the_loss_of_the_playground(name, capsys):
    training = Training(SEVERAL[name])
    frame = training.advance(FOREVER, 25)
    assert frame["step"] == 25
    exec(playground.script(SEVERAL[name], 25), {})
    printed = re.findall(r"loss ([\d.]+), accuracy ([\d.]+)%", capsys.readouterr().out)
    assert [float(loss) for loss, _ in printed] == pytest.approx(frame["loss"], abs=2e-6)
    assert [float(share) / 100 for _, share in printed] == pytest.approx(frame["accuracy"], abs=6e-4)
    assert frame["loss"] != Training(SEVERAL[name]).frame()["loss"], "the steps did something"


OTHERS = {
    "data": "mixture",
    "hidden": (32, 15),
    "activation": "sigmoid",
    "optimizer": "momentum",
    "lr": 0.03,
    "batch": 8,
    "decay": 0.1,
    "seed": 1,
}


@pytest.mark.parametrize("name", OTHERS)
def test_each_setting_matters(name):
    usual, other = (
        Training(settings).advance(FOREVER, 3)["loss"]
        for settings in (Settings(), Settings(**{name: OTHERS[name]}))
    )
    assert usual != other


def test_the_digits_are_learnt():
    training = Training(Settings(data="digits", hidden=(64,)))
    assert max(training.advance(FOREVER, 50)["accuracy"][1] for _ in range(6)) >= 0.97


def test_the_spirals_are_learnt():
    training = Training(Settings())
    assert max(training.advance(FOREVER, 100)["accuracy"][1] for _ in range(4)) >= 0.95


def test_the_clock_ends_the_steps():
    assert Training(Settings()).advance(0, 100)["step"] == 1


def test_the_surface_is_what_the_network_answers_in_its_places():
    training = Training(Settings(data="gaussians"))
    frame = training.advance(FOREVER, 50)
    side, limit = playground.GRID, training.limit
    for row, column in ((0, 0), (0, side - 1), (side - 1, 0), (20, 40)):
        x = -limit + 2 * limit * column / (side - 1)
        y = limit - 2 * limit * row / (side - 1)
        logits = training.model(np.array([[x, y]], np.float32))[0]
        place = row * side + column
        assert frame["winners"][place] == logits.argmax()
        shares = np.exp(logits - logits.max())
        assert frame["certainties"][place] == pytest.approx(shares.max() / shares.sum(), rel=1e-4)


def test_the_pictures_are_what_inputs_units_and_classes_are_in_the_plane():
    training = Training(Settings(hidden=(4, 3)))
    frame = training.frame()
    inputs, first, second, classes = frame["pictures"]
    side, limit = playground.UNIT_GRID, training.limit
    corner = np.array([limit, -limit], np.float32)  # at the right, below
    assert [picture[-1, -1] for picture in inputs] == pytest.approx(corner.tolist())
    weight, bias = training.model.parameters["0.weight"], training.model.parameters["0.bias"]
    expected = np.maximum(weight @ corner + bias, 0).tolist()
    assert [picture[-1, -1] for picture in first] == pytest.approx(expected, abs=1e-5)
    logits = training.model(corner[None])[0].tolist()
    assert [picture[-1, -1] for picture in classes] == pytest.approx(logits, abs=1e-5)
    assert [picture.shape for picture in second] == [(side, side)] * 3
    assert [weight.shape for weight in frame["weights"]] == [(4, 2), (3, 4), (2, 3)]


def test_the_pictures_of_weights_are_those_of_the_first_layer():
    training = Training(Settings(data="digits", hidden=(5,)))
    [pictures] = training.frame()["pictures"]
    assert np.array_equal(np.stack(pictures).reshape(5, 64), training.model.parameters["1.weight"])
    [kernels] = Training(Settings(data="digits", hidden=(), convolution=True)).frame()["pictures"]
    assert [kernel.shape for kernel in kernels] == [(3, 3)] * playground.KERNELS


def test_norms_are_those_of_weights_and_of_the_last_gradients():
    training = Training(Settings(hidden=(4,), optimizer="sgd", lr=0.5))
    before = training.model.parameters["2.weight"].copy()
    assert all(np.isnan(norms["gradient"]) for norms in training.frame()["norms"])
    last = training.advance(FOREVER, 1)["norms"][-1]
    after = training.model.parameters["2.weight"]
    assert last["layer"] == "2 Linear"
    assert last["weight"] == pytest.approx(np.linalg.norm(after))
    assert last["gradient"] == pytest.approx(np.linalg.norm(after - before) / 0.5, rel=1e-4)


@pytest.mark.parametrize("name", ["spirals", "digits"])
def test_a_trace_is_of_the_sample_that_is_shown(name):
    training = Training(SEVERAL[name])
    opening = training.opening()
    sample = len(opening["labels"]) - 1
    page = training.trace(sample)
    assert f"The target is {opening['labels'][sample]}." in page
    assert "1 sample through" in page


def test_samples_and_labels_are_those_of_the_data():
    training = Training(Settings())
    opening = training.opening()
    n = opening["training"]
    assert np.array_equal(opening["samples"][:n], training.train.x)
    assert np.array_equal(opening["labels"][n:], training.validation.y)
    assert np.abs(opening["samples"]).max() < opening["limit"]
    digits = Training(Settings(data="digits")).opening()
    assert (digits["samples"].min(), digits["samples"].max()) == (0, 1)


def test_a_loss_that_is_no_number_is_told_without_a_warning():
    training = Training(Settings(data="digits", activation="none", optimizer="sgd", lr=10))
    assert np.isnan(training.advance(FOREVER, 100)["loss"]).all()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"data": "moons"}, "data must be one of"),
        ({"activation": "relu6"}, "activation must be one of"),
        ({"optimizer": "lion"}, "optimizer must be one of"),
        ({"hidden": (8, 8, 8, 8)}, "hidden must be at most 3 widths"),
        ({"hidden": (0,)}, "hidden must be at most 3 widths"),
        ({"convolution": True}, "convolution must go with the digits"),
        ({"lr": -1.0}, "lr must be"),
        ({"batch": 0}, "batch_size must be"),
    ],
)
def test_wrong_settings_are_one_error(wrong, said):
    with pytest.raises(ValueError, match=said):
        Training(Settings(**wrong)).advance(FOREVER, 1)


def test_lent_digits_are_those_of_scikit_learn(monkeypatch):
    published = load_digits()
    expected = npnet.data.digits(np.random.default_rng(1))
    file = importlib.metadata.distribution("scikit-learn").locate_file("sklearn/datasets/data/digits.csv.gz")
    for name in lent_digits.NAMES:
        monkeypatch.setitem(sys.modules, name, sys.modules[name])
    lent_digits.lend(Path(str(file)).read_bytes())
    lent = sys.modules["sklearn.datasets"].load_digits()
    assert np.array_equal(lent.images, published.images)
    assert np.array_equal(lent.target, published.target)
    assert np.array_equal(npnet.data.digits(np.random.default_rng(1)).train.x, expected.train.x)


class Form(HTMLParser):
    """The options of a page's fields, and which are chosen at first."""

    def __init__(self):
        super().__init__()
        self.options, self.chosen, self.name = {}, {}, ""

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "select":
            self.name = given.get("name", "")
        elif tag == "option":
            self.value, self.selected = given.get("value"), "selected" in given
            if self.value is not None:
                self.add(self.value)
        elif tag == "input" and "name" in given:
            self.chosen[given["name"]] = given["value"]

    def handle_data(self, data):
        if self.lasttag == "option" and self.value is None and data.strip():
            self.add(data)

    def add(self, value):
        self.options.setdefault(self.name, []).append(value)
        if self.selected or self.name not in self.chosen:
            self.chosen[self.name] = value


def test_the_form_offers_what_python_takes():
    form = Form()
    form.feed((DOCS / "playground" / "playground.html").read_text(encoding="utf-8"))
    assert set(form.options["data"]) == set(playground.DATA)
    assert set(form.options["activation"]) == set(playground.ACTIVATIONS)
    assert set(form.options["optimizer"]) == set(playground.OPTIMIZERS)
    widths = [f"width{i + 1}" for i in range(playground.DEEPEST)]
    assert all(0 <= int(width) <= playground.WIDEST for name in widths for width in form.options[name])
    chosen = form.chosen
    assert Settings() == Settings(
        data=chosen["data"],
        hidden=tuple(int(chosen[name]) for name in widths if chosen[name] != "0"),
        convolution=chosen["convolution"] == "yes",
        activation=chosen["activation"],
        optimizer=chosen["optimizer"],
        lr=float(chosen["lr"]),
        batch=int(chosen["batch"]),
        decay=float(chosen["decay"]),
        seed=int(chosen["seed"]),
    )


def test_links_on_the_page_name_settings_that_there_are():
    form = Form()
    form.feed((DOCS / "playground" / "playground.html").read_text(encoding="utf-8"))
    own, lessons = (
        (DOCS / path).read_text(encoding="utf-8")
        for path in ("playground/index.md", "guides/for-teachers.md")
    )
    links = re.findall(r'href="#([^"]+)"', own)
    links += re.findall(r'href="../playground/index.html#([^"]+)"', lessons)
    assert len(links) > 10
    for name, value in (pair.split("=") for link in links for pair in link.split("&")):
        assert value in form.options[name], name


def test_examples_of_the_docstrings():
    tried = doctest.testmod(playground)
    assert tried.attempted >= 2
    assert tried.failed == 0
