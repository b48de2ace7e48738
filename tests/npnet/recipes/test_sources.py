"""What stands under "as in the source" is the source's: sizes, data, parts and training, by number."""

import csv
import json
import sys

import numpy as np
import pytest

from npnet import data, nn, optim, recipes
from npnet.checkpoint import load
from npnet.data import ArrayDataset, Splits
from npnet.errors import InputError
from npnet.experiments import AS_IN_SOURCE, OURS, Options, runner
from npnet.recipes.cifar2_mlp import FULL_BATCH, PER_SAMPLE
from npnet.recipes.common import held_out_at_random
from npnet.recipes.common.mnist import without
from npnet.recipes.gmm_ksvm import KSVMWrap
from npnet.recipes.mnist_deep import SOURCE_BATCH_NORM, SOURCE_DEPTHS, SOURCE_STRENGTHS

PUBLISHED_SIGNS = [label for label in range(25) if label != 9]
SIGNS_ROWS = {"sign_mnist_train.csv": 480, "sign_mnist_test.csv": 120}


def network(recipe, name=AS_IN_SOURCE):
    (found,) = (each for each in recipes.get(recipe).setups if each.name == name)
    return found


def layers(recipe, name=AS_IN_SOURCE):
    """Return each layer of a network as text, in order."""
    model = network(recipe, name).model(np.random.default_rng(0))
    return [repr(layer) for layer in model.children.values()]


def training(recipe, name=AS_IN_SOURCE):
    """Return loss, optimizer, schedule, minibatch, epochs, and which weights are judged."""
    each = network(recipe, name)
    schedule = None if each.schedule is None else repr(each.schedule(each.epochs))
    judged = "last epoch" if not each.keep_best else "best epoch"
    assert each.patience is None or each.keep_best
    return each.loss.kind, repr(each.optimizer), schedule, each.batch_size, each.epochs, judged


def sizes(splits):
    return {name: len(part) for name, part in splits.parts().items()}


# ---- networks ------------------------------------------------------------------------------------------

LENET = [
    "Conv2d({channels}, 6, kernel_size=(5, 5))",
    "ReLU()",
    "MaxPool2d(2)",
    "Conv2d(6, 16, kernel_size=(5, 5))",
    "ReLU()",
    "MaxPool2d(2)",
    "Flatten()",
    "Linear(400, 120)",
    "ReLU()",
    "Linear(120, 84)",
    "ReLU()",
    "Linear(84, {classes})",
]


def kinds_and_sizes(texts):
    """Return the kind of each layer with the first integers of it, as reprs may say more."""
    found = []
    for text in texts:
        kind, _, inside = text.partition("(")
        numbers = [
            int(n)
            for n in inside.replace("(", " ").replace(")", " ").replace(",", " ").split()
            if n.isdigit()
        ]
        found.append((kind, *numbers[:2]))
    return found


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ("cifar100-logreg", [("Flatten",), ("Linear", 3072, 100)]),
        ("cifar100-mlp", [("Flatten",), ("Linear", 3072, 1024), ("Tanh",), ("Linear", 1024, 100)]),
        ("signs-logreg", [("Flatten",), ("Linear", 784, 26)]),
        ("signs-minimal", [("Conv2d", 1, 4), ("ReLU",), ("Flatten",), ("Linear", 4 * 24 * 24, 26)]),
        (
            "cifar2-mlp",
            [("Flatten",), ("Linear", 3072, 512), ("Tanh",), ("Linear", 512, 2), ("LogSoftmax",)],
        ),
    ],
)
def test_the_layers_are_those_of_the_source(recipe, expected):
    found = kinds_and_sizes(layers(recipe))
    assert [each[:3] if each[0] in {"Linear", "Conv2d"} else each[:1] for each in found] == expected


@pytest.mark.parametrize(("recipe", "classes"), [("cifar100-lenet", 100), ("cifar10-lenet", 10)])
def test_lenet_has_6_and_16_kernels_and_400_120_84_units(recipe, classes):
    model = network(recipe).model(np.random.default_rng(0))
    shapes = {name: array.shape for name, array in model.parameters.items() if name.endswith("weight")}
    assert shapes == {
        "conv1.weight": (6, 3, 5, 5), "conv2.weight": (16, 6, 5, 5), "fc1.weight": (120, 400),
        "fc2.weight": (84, 120), "fc3.weight": (classes, 84),
    }  # fmt: skip
    kinds = [type(layer).__name__ for layer in model.children.values()]
    assert kinds == [
        "Conv2d", "ReLU", "MaxPool2d", "Conv2d", "ReLU", "MaxPool2d", "Flatten", "Linear", "ReLU", "Linear",
        "ReLU", "Linear",
    ]  # fmt: skip


def test_the_least_network_for_signs_has_5_by_5_kernels():
    model = network("signs-minimal").model(np.random.default_rng(0))
    assert model.parameters["conv1.weight"].shape == (4, 1, 5, 5)
    assert model(np.zeros((1, 1, 28, 28), np.float32)).shape == (1, 26)


def test_the_deeper_network_for_signs_stacks_convolutions_and_linear_layers():
    model = network("signs-conv").model(np.random.default_rng(0))
    kinds = [type(layer).__name__ for layer in model.children.values()]
    assert kinds[:9] == ["Conv2d", "ReLU", "MaxPool2d"] * 3
    assert [kind for kind in kinds[9:] if kind != "Dropout"] == ["Flatten", "Linear", "ReLU", "Linear"]
    assert all(layer.p == 0 for layer in model.children.values() if isinstance(layer, nn.Dropout))
    assert model.parameters["fc2.weight"].shape[0] == 26


def test_the_book_has_16_and_8_kernels_and_tanh():
    model = network("cifar2-conv").model(np.random.default_rng(0))
    shapes = [array.shape for name, array in model.parameters.items() if name.endswith("weight")]
    assert shapes == [(16, 3, 3, 3), (8, 16, 3, 3), (32, 512), (2, 32)]
    kinds = [type(layer).__name__ for layer in model.children.values()]
    assert kinds.count("Tanh") == 3
    assert "ReLU" not in kinds


@pytest.mark.parametrize(
    ("name", "units"),
    [
        (SOURCE_DEPTHS[0], [784, 10]),
        (SOURCE_DEPTHS[1], [784, 100, 10]),
        (SOURCE_DEPTHS[2], [784, 100, 100, 10]),
        (SOURCE_DEPTHS[3], [784, 100, 100, 100, 10]),
        *((name, [784, 100, 10]) for name in SOURCE_STRENGTHS.values()),
        (SOURCE_BATCH_NORM, [784, 100, 100, 10]),
    ],
)  # fmt: skip
def test_the_networks_for_digits_have_the_units_their_name_says(name, units):
    children = network("mnist-deep", name).model(np.random.default_rng(0)).children
    shapes = [layer.weight.shape for layer in children.values() if isinstance(layer, nn.Linear)]
    assert [shapes[0][1], *(shape[0] for shape in shapes)] == units
    kinds = [type(layer).__name__ for layer in children.values()]
    normed = name == SOURCE_BATCH_NORM
    hidden = ["Linear", "BatchNorm1d", "ReLU"] if normed else ["Linear", "ReLU"]
    assert kinds == ["Flatten", *hidden * (len(units) - 2), "Linear"]  # after each hidden affine map


# ---- training ------------------------------------------------------------------------------------------

CE = "CrossEntropyLoss"
FALLING = "ExponentialLR(gamma=0.9999)"


@pytest.mark.parametrize(
    ("recipe", "name", "expected"),
    [
        ("cifar100-logreg", AS_IN_SOURCE, (CE, "SGD(lr=0.01)", None, 128, 10, "last epoch")),
        ("cifar100-mlp", AS_IN_SOURCE, (CE, "SGD(lr=0.01)", None, 128, 10, "last epoch")),
        ("cifar100-lenet", AS_IN_SOURCE, (CE, "SGD(lr=0.01)", None, 128, 10, "last epoch")),
        ("cifar10-lenet", AS_IN_SOURCE, (CE, "SGD(lr=0.001, momentum=0.9)", None, 4, 2, "last epoch")),
        ("cifar2-conv", AS_IN_SOURCE, (CE, "SGD(lr=0.01)", None, 64, 100, "last epoch")),
        ("cifar2-mlp", AS_IN_SOURCE, ("NLLLoss", "SGD(lr=0.01)", None, 64, 100, "last epoch")),
        ("cifar2-mlp", FULL_BATCH, ("NLLLoss", "SGD(lr=0.01)", None, 10_000, 25, "last epoch")),
        ("cifar2-mlp", PER_SAMPLE, ("NLLLoss", "SGD(lr=0.01)", None, 1, 2, "last epoch")),
        ("signs-logreg", AS_IN_SOURCE, (CE, "SGD(lr=0.001)", None, 128, 30, "last epoch")),
        ("signs-minimal", AS_IN_SOURCE, (CE, "SGD(lr=0.001)", None, 128, 20, "last epoch")),
        ("signs-conv", AS_IN_SOURCE, (CE, "Adam(lr=0.001)", None, 128, 10, "last epoch")),
        *(
            ("mnist-softmax", f"{AS_IN_SOURCE}, λ = {decay:g}",
             (CE, f"Adam(lr=0.0001, weight_decay={decay})", FALLING, 100, 20, "best epoch"))
            for decay in (0.0, 0.001, 0.01, 0.1)
        ),
        *(
            ("mnist-deep", name,
             (CE, f"Adam(lr=0.0001, weight_decay={decay})", FALLING, 100, 20, "best epoch"))
            for name, decay in [
                *((name, 0.0) for name in (*SOURCE_DEPTHS, SOURCE_BATCH_NORM)),
                (SOURCE_STRENGTHS["1e-4"], 1e-4),
                (SOURCE_STRENGTHS["1e-3"], 1e-3),
            ]
        ),
        ("gmm-fcann2", "2-5-2", (CE, "SGD(lr=0.05, weight_decay=0.001)", None, 60, 100_000, "best epoch")),
        ("gmm-logreg", "2 classes", (CE, "SGD(lr=0.5, weight_decay=0.0)", None, 200, 1000, "best epoch")),
        ("gmm-logreg", "3 classes", (CE, "SGD(lr=0.5, weight_decay=0.0)", None, 300, 1000, "best epoch")),
        ("gmm-deep", "2-10-10-2 relu on (4, 2, 40)",
         (CE, "SGD(lr=0.1, weight_decay=0.0001)", None, 160, 10_000, "best epoch")),
        ("gmm-ksvm", "2-10-10-2 relu on (6, 2, 10)",
         (CE, "SGD(lr=0.1, weight_decay=0.0001)", None, 60, 10_000, "best epoch")),
        ("linreg", f"two points, {AS_IN_SOURCE}", ("MSELoss", "SGD(lr=0.1)", None, 2, 100, "best epoch")),
    ],
)  # fmt: skip
def test_the_training_is_that_of_the_source(recipe, name, expected):
    assert training(recipe, name) == expected


def test_the_rate_of_adam_falls_once_an_epoch():
    each = network("mnist-deep", SOURCE_DEPTHS[1])
    optimizer = each.optimizer.make(optim, {"w": np.zeros(1)})
    schedule = each.schedule(each.epochs).make(optim, optimizer)
    for _ in range(20):
        schedule.step()
    assert optimizer.lr == pytest.approx(1e-4 * (1 - 1e-4) ** 20, rel=1e-12)


@pytest.mark.parametrize(
    ("recipe", "units", "activation"),
    [
        ("gmm-fcann2", [2, 5, 2], "ReLU"),
        ("gmm-deep", [2, 10, 10, 2], "ReLU"),
        ("gmm-ksvm", [2, 10, 10, 2], "ReLU"),
        ("gmm-logreg", [2, 2], None),
    ],
)
def test_the_networks_of_the_plane_have_the_sources_units(recipe, units, activation):
    networks = {each.name: each for each in recipes.get(recipe).setups}
    chosen = next((each for name, each in networks.items() if name.startswith("2-10-10-2 relu")), None)
    model = (chosen or next(iter(networks.values()))).model(np.random.default_rng(0))
    shapes = [layer.weight.shape for layer in model.children.values() if isinstance(layer, nn.Linear)]
    assert [shapes[0][1], *(shape[0] for shape in shapes)] == units
    kinds = {type(layer).__name__ for layer in model.children.values()} - {"Flatten", "Linear"}
    assert kinds == ({activation} if activation else set())


@pytest.mark.parametrize(
    ("recipe", "names"),
    [
        ("gmm-fcann2", {"sample_gmm_2d(6, 2, 10)"}),
        ("gmm-deep", {"sample_gmm_2d(4, 2, 40)", "sample_gmm_2d(6, 2, 10)"}),
        ("gmm-ksvm", {"sample_gmm_2d(6, 2, 10)"}),
    ],
)
def test_the_mixtures_are_those_of_the_source(recipe, names):
    for each in recipes.get(recipe).setups:
        splits = each.data(Options())
        components, _, samples = (int(n) for n in splits.name[len("sample_gmm_2d(") : -1].split(", "))
        assert len(splits.train) == components * samples
        assert splits.standardization is None
    assert {each.data(Options()).name for each in recipes.get(recipe).setups} == names


def test_the_machine_has_the_sources_c_and_gamma():
    splits = network("gmm-ksvm", "2-10-10-2 relu on (6, 2, 10)").data(Options())
    svc = KSVMWrap(splits.train.x, splits.train.y).svc
    assert (svc.C, svc.gamma, svc.kernel) == (1.0, "auto", "rbf")


# ---- data ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", ["cifar100-logreg", "cifar100-mlp", "cifar100-lenet"])
def test_cifar100_has_pixels_from_0_to_1_and_a_random_fifth_held_out(small_cifar, recipe):
    folder = small_cifar("cifar100", 10)
    one, other = (network(recipe).data(Options(seed=seed, data=folder)) for seed in (0, 1))
    assert sizes(one) == {"train": 800, "validation": 200, "test": 1000}
    np.testing.assert_array_equal(one.validation.x, other.validation.x)
    assert one.standardization is None
    for part in one.parts().values():
        bytes_ = part.x * 255
        np.testing.assert_allclose(bytes_, bytes_.round(), atol=1e-4)  # the published bytes
        assert 0 <= part.x.min() < 0.2
        assert 0.8 < part.x.max() <= 1
    counts = np.bincount(one.validation.y, minlength=100)
    assert counts.min() == 0 or counts.max() > 3  # stratified it would be 2 of each class


def test_a_random_fifth_of_50_000_is_10_000():
    whole = Splits(ArrayDataset(np.zeros((50_000, 1), np.float32), np.zeros(50_000, int)))
    assert sizes(held_out_at_random(whole, 0.2)) == {"train": 40_000, "validation": 10_000}


def test_the_tutorial_has_pixels_from_minus_1_to_1_and_holds_nothing_out(small_cifar):
    folder = small_cifar("cifar10", 10)
    splits = network("cifar10-lenet").data(Options(data=folder))
    assert sizes(splits) == {"train": 500, "test": 100}
    raw = (splits.train.x + 1) / 2 * 255
    np.testing.assert_allclose(raw, raw.round(), atol=1e-3)
    assert -1 <= splits.train.x.min() < -0.5
    assert 0.5 < splits.train.x.max() <= 1
    assert splits.train.x.dtype == np.float32


@pytest.mark.parametrize("recipe", ["cifar2-mlp", "cifar2-conv"])
def test_the_book_standardises_by_all_ten_classes_and_keeps_two(small_cifar, recipe):
    folder = small_cifar("cifar10", 10)
    splits = network(recipe).data(Options(data=folder))
    assert sizes(splits) == {"train": 100, "validation": 20, "test": 20}
    assert splits.validation is splits.test  # which it uses for validation
    assert splits.classes == ("airplane", "bird")
    whole = data.cifar10(folder)
    mean, deviation = whole.train.x.mean(axis=(0, 2, 3)), whole.train.x.std(axis=(0, 2, 3))
    two = whole.keep("airplane", "bird").train.x
    expected = (two - mean.reshape(-1, 1, 1)) / deviation.reshape(-1, 1, 1)
    np.testing.assert_allclose(splits.train.x, expected, atol=1e-4)


@pytest.fixture
def small_signs(tmp_path, monkeypatch):
    """Write a small Sign Language MNIST in the published format, and return the data folder."""
    place = tmp_path / "data" / "sign_mnist"
    place.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for file, n in SIGNS_ROWS.items():
        labels = rng.permutation(np.resize(PUBLISHED_SIGNS, n))
        pixels = rng.integers(0, 256, size=(n, 784))
        with (place / file).open("w", newline="") as opened:
            rows = csv.writer(opened)
            rows.writerow(["label", *(f"pixel{i}" for i in range(1, 785))])
            rows.writerows(np.column_stack([labels, pixels]).tolist())
    monkeypatch.setattr(sys.modules["npnet.data.signs"], "ROWS", SIGNS_ROWS)
    return tmp_path / "data"


@pytest.mark.parametrize("recipe", ["signs-logreg", "signs-minimal", "signs-conv"])
def test_signs_have_pixels_from_0_to_1_and_a_class_for_each_letter(small_signs, recipe):
    splits = network(recipe).data(Options(data=small_signs))
    assert sizes(splits) == {"train": 432, "validation": 48, "test": 120}
    assert splits.classes == tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert splits.standardization is None
    labels = np.concatenate([part.y for part in splits.parts().values()])
    assert set(labels) == set(PUBLISHED_SIGNS)  # as published: no J, no Z
    for part in splits.parts().values():
        assert part.x.min() == 0
        assert part.x.max() == 1
        assert part.x.mean() == pytest.approx(0.5, abs=0.01)


def test_digits_have_pixels_from_0_to_1_and_a_fifth_held_out(monkeypatch):
    asked = {}

    def published(folder, **settings):
        asked.update(settings)
        return Splits(ArrayDataset(np.zeros((10, 1, 28, 28), np.float32), np.arange(10)))

    monkeypatch.setattr("npnet.data.mnist", published)
    for name in ("mnist-softmax", "mnist-deep"):
        for each in recipes.get(name).setups:
            splits = each.data(Options())
            assert asked.pop("validation") == 0.2
            assert splits.standardization is None


# ---- side by side --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "recipe",
    [
        "cifar100-logreg", "cifar100-mlp", "cifar100-lenet", "cifar10-lenet", "cifar2-conv", "cifar2-mlp",
        "signs-logreg", "signs-minimal", "signs-conv",
    ],
)  # fmt: skip
def test_either_setting_can_be_run_alone(recipe):
    for name in (AS_IN_SOURCE, OURS):
        assert [each.name for each in recipes.get(recipe).only(name).setups] == [name]
        assert f'"{name}"' in recipes.get(recipe).summary()


def test_the_setting_is_left_out_of_a_networks_name_where_it_is_said_already():
    assert without(SOURCE_BATCH_NORM, AS_IN_SOURCE) == "784-100-100-10, batch norm"
    assert without("our setting, λ = 0", OURS) == "λ = 0"


def test_a_source_that_reports_its_last_epoch_is_judged_by_it(small_cifar, tmp_path):
    recipe = recipes.get("cifar100-mlp")
    options = Options(data=small_cifar("cifar100", 5), epochs=3, threads=1, progress=False)
    result = recipe.run(options, tmp_path / "runs", lambda line: None)
    source, ours = (result.values["networks"]["npnet"][name] for name in (AS_IN_SOURCE, OURS))
    assert source["best_epoch"] is None
    assert ours["best_epoch"] in (1, 2, 3)
    settings = json.loads((result.folder / "settings.json").read_text())["networks"]
    assert (settings[AS_IN_SOURCE]["keep_best"], settings[OURS]["keep_best"]) == (False, True)
    one, other = (f"{100 * each['accuracy']:.2f} %" for each in (source, ours))
    assert result.headline == f"test accuracy: {one} {AS_IN_SOURCE}, {other} {OURS}"


# ---- a run that fails ----------------------------------------------------------------------------------


def fail_at(monkeypatch, number):
    """Let the training of one setup, counted from 1, end in an error after its epochs."""
    train, calls = runner.run, []

    def failing(*arguments, **settings):
        calls.append(train(*arguments, **settings))
        if len(calls) == number:
            raise InputError("fit: loss became nan")
        return calls[-1]

    monkeypatch.setattr(runner, "run", failing)


@pytest.mark.parametrize("failing", [1, 2])
def test_a_run_that_fails_leaves_what_was_learnt(small_cifar, tmp_path, monkeypatch, failing):
    fail_at(monkeypatch, failing)
    options = Options(data=small_cifar("cifar100", 5), epochs=1, threads=1, progress=False)
    with pytest.raises(InputError, match="loss became nan"):
        recipes.get("cifar100-logreg").run(options, tmp_path / "runs", lambda line: None)
    (folder,) = (tmp_path / "runs" / "cifar100-logreg").iterdir()
    assert load(folder / "model.safetensors")[0]["linear.weight"].shape == (100, 3072)
    assert json.loads((folder / "result.json").read_text())["status"] == "failed"


def test_a_run_of_small_networks_that_fails_leaves_all_so_far(tmp_path, monkeypatch):
    fail_at(monkeypatch, 2)
    options = Options(epochs=20, progress=False)
    with pytest.raises(InputError, match="loss became nan"):
        recipes.get("gmm-logreg").run(options, tmp_path, lambda line: None)
    (folder,) = (tmp_path / "gmm-logreg").iterdir()
    shapes = {name: array.shape for name, array in load(folder / "weights.safetensors")[0].items()}
    assert shapes == {"2 classes/fc1.weight": (2, 2), "2 classes/fc1.bias": (2,)}
    assert load(folder / "model.safetensors")[0]["fc1.weight"].shape == (3, 2)  # of the one that failed


def test_a_whole_run_of_small_networks_leaves_the_weights_of_each(tmp_path):
    result = recipes.get("linreg").run(Options(epochs=20, progress=False), tmp_path, lambda line: None)
    networks = {name.partition("/")[0] for name in load(result.folder / "weights.safetensors")[0]}
    assert networks == {each.name for each in recipes.get("linreg").setups}
