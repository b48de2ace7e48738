"""A recipe on both engines: equal weights, equal minibatches, equal dropout, curves that stay together."""

import json
from dataclasses import replace

import numpy as np
import pytest

from npnet import engines, nn, optim, parallel, recipes, train
from npnet.checkpoint import load, load_weights
from npnet.cli import main
from npnet.data import ArrayDataset, Splits, digits
from npnet.errors import DTypeError, InputError
from npnet.experiments import Experiment, Options, Setup, Spec

torch = pytest.importorskip("torch")

from ptref.convert import to_torch  # noqa: E402 - PyTorch may be absent
from ptref.engine import TorchEngine, engine_for  # noqa: E402 - as above
from ptref.execution import Execution  # noqa: E402 - as above
from ptref.shared_dropout import Noise, share_dropout  # noqa: E402 - as above

pytestmark = pytest.mark.usefixtures("bare")  # run-time shape checks would take most of the time

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")),
]


def network(rng):
    """Everything that training treats in its own way: batch norm, dropout, a frozen parameter."""
    made = {"generator": rng, "dtype": np.float64}
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False, **made),
        nn.BatchNorm2d(4, dtype=np.float64),
        nn.LeakyReLU(),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Residual(nn.Sequential(nn.Linear(144, 144, **made), nn.Dropout(0.5), nn.Tanh())),
        nn.Linear(144, 10, **made),
    )
    model.freeze("6.bias")
    return model


def recipe(optimizer, schedule=None, loss=None, model=network, every="epoch"):
    whole = digits(np.random.default_rng(0))
    parts = {
        name: ArrayDataset(part.x[:n].astype(np.float64), part.y[:n])
        for (name, part), n in zip(whole.parts().items(), (200, 64, 64), strict=True)
    }
    return Setup(
        data=lambda _: Splits(**parts, classes=whole.classes, name="digits"),
        input_shape=(1, 8, 8),
        model=model,
        optimizer=optimizer,
        schedule=schedule,
        schedule_every=every,
        loss=loss or Spec("CrossEntropyLoss"),
        epochs=3,
        batch_size=32,
    )


@pytest.fixture(autouse=True)
def one_thread():
    """Keep PyTorch from waiting for a second thread at every one of many small operations."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


OPTIMIZERS = [
    Spec("SGD", lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
    Spec("Adam", lr=1e-3, weight_decay=1e-2, amsgrad=True),
    Spec("AdamW", lr=1e-3, weight_decay=1e-2),
    Spec("RMSprop", lr=1e-3, momentum=0.5),
]


PLANS = {
    "epoch": lambda epochs: Spec("CosineAnnealingLR", T_max=epochs),
    "step": lambda steps: Spec("OneCycleLR", max_lr=0.05, total_steps=steps),
}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("optimizer", "every"),
    [*((spec, "epoch") for spec in OPTIMIZERS), (OPTIMIZERS[0], "step")],
    ids=lambda each: getattr(each, "kind", each),
)
def test_in_float64_both_engines_take_the_same_way(optimizer, every, device):
    """Twenty-one steps. Where a gradient is next to nothing Adam's kind enlarges its rounding."""
    small = recipe(
        optimizer,
        schedule=PLANS[every],
        every=every,
        loss=Spec("CrossEntropyLoss", weight=np.linspace(0.5, 2, 10), label_smoothing=0.1),
    )
    ended = {}
    for engine, on in (("numpy", "cpu"), ("torch", device)):
        options = Options(engine=engine, device=on, threads=1, progress=False)
        model = network(np.random.default_rng(3))
        settings = options.engines()[engine]
        splits = small.splits(options)
        planned = small.planned(splits)
        with engines.get(engine).engine(model, small.loss, optimizer, planned, settings, every) as learner:
            history = train.run(
                learner, splits, epochs=3, batch_size=32, progress=False,
                generator=np.random.default_rng(4),
            )  # fmt: skip
        ended[engine] = model.state_dict(), history
    (weights, history), (others, other_history) = ended["numpy"], ended["torch"]
    for epoch, other in zip(history.epochs, other_history.epochs, strict=True):
        assert other.train_loss == pytest.approx(epoch.train_loss, rel=1e-10)
        assert other.validation_loss == pytest.approx(epoch.validation_loss, rel=1e-10)
        assert other.lr == pytest.approx(epoch.lr, rel=1e-14)
    for name, array in weights.items():
        np.testing.assert_allclose(others[name], array, rtol=0, atol=1e-9, err_msg=name)


def test_dropout_drops_the_same_where_the_minibatch_is_cut_into_shards():
    rng = np.random.default_rng(0)
    model = nn.Sequential(
        nn.Conv2d(3, 32, 3, generator=rng), nn.Dropout(0.5), nn.Conv2d(32, 8, 3, generator=rng),
        nn.MaxPool2d(14), nn.Flatten(), nn.Dropout(0.2),
        nn.Linear(32, 32, generator=rng), nn.Dropout(0.3),  # these see the whole minibatch
    )  # fmt: skip
    x = rng.standard_normal((64, 3, 32, 32), dtype=np.float32)
    division = parallel.plan(model, x, training=True)
    assert (len(division.shards) > 1, set(division.head.children)) == (True, {"6", "7"})
    _, y, _ = parallel.Step(1)(model, nn.MSELoss(), x, np.zeros((64, 32), np.float32), rng_of_7())
    noise = Noise(model)
    module = share_dropout(to_torch(model), noise)
    noise.begin(x, rng_of_7(), slice(0, 64))
    theirs = module(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_array_equal(theirs == 0, y == 0)
    np.testing.assert_allclose(theirs, y, rtol=0, atol=1e-4)
    noise.begin(x, rng_of_7(), slice(10, 20))
    np.testing.assert_array_equal(module(torch.from_numpy(x[10:20])).detach().numpy() == 0, y[10:20] == 0)


def rng_of_7():
    return np.random.default_rng(7)


def test_shared_dropout_is_dropout_at_its_ends():
    ones = np.ones((4, 2), np.float32)
    for p in (0.0, 1.0):
        layer = nn.Dropout(p)
        noise = Noise(layer)
        noise.begin(ones, rng_of_7(), slice(0, 4))
        shared = share_dropout(to_torch(layer), noise)
        np.testing.assert_array_equal(shared(torch.ones(4, 2)).numpy(), np.full((4, 2), 1 - p))
        np.testing.assert_array_equal(shared.eval()(torch.ones(4, 2)).numpy(), ones)


def test_the_digits_on_both_engines_stay_together(tmp_path):
    """Rounding of 123 steps in float32: 4e-8 was the worst seen in a loss, and later it only grows."""
    digit_recipe = recipes.get("digits")
    lines = []
    options = Options(engine="both", threads=1, progress=False, epochs=3)
    result = digit_recipe.run(options, tmp_path, lines.append)
    ours, theirs = (result.values["networks"][name]["digits"] for name in ("npnet", "PyTorch"))
    assert abs(ours["accuracy"] - theirs["accuracy"]) <= 2 / 359
    assert ours["accuracy"] > 0.9
    assert 0 < result.values["largest_loss_difference"]["digits"] < 4e-6
    for engine, each in (("npnet", ours), ("PyTorch", theirs)):
        reached = f"test accuracy: {100 * each['accuracy']:.2f} %"
        assert result.values["reached"][engine]["headline"] == reached
        assert reached in result.headline
    assert any("losses differ by" in line for line in lines)
    assert {path.name for path in result.figures} >= {"learning_curves.png", "confusion_matrix.png"}

    # Each file of weights opens in either engine, and holds what its engine learnt.
    model = digit_recipe.setups[0].model(np.random.default_rng(9))
    module = to_torch(model)
    for name in ("model.safetensors", "model-pytorch.safetensors"):
        arrays, _ = load(result.folder / name)
        load_weights(result.folder / name, model)
        module.load_state_dict({key: torch.from_numpy(array) for key, array in arrays.items()})
    metrics = [json.loads(line) for line in (result.folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["engine"] for line in metrics] == ["npnet"] * 3 + ["PyTorch"] * 3


@pytest.mark.usefixtures("blank_pictures")
def test_pytorch_alone_leaves_the_same_run_folder(tmp_path):
    names = {}
    for engine in ("numpy", "torch"):
        options = Options(engine=engine, threads=1, progress=False)
        small = Experiment(
            name="small", title="a small network", source="none", reported="nothing",
            expects="both engines alike", setups=(replace(recipe(Spec("SGD", lr=0.1)), epochs=1),),
        )  # fmt: skip
        result = small.run(options, tmp_path / engine, lambda line: None)
        settings = json.loads((result.folder / "settings.json").read_text())
        assert (settings["engine"], "torch" in settings["versions"]) == (engine, engine == "torch")
        names[engine] = {path.name for path in result.folder.iterdir()}
    assert names["numpy"] == names["torch"]


# ---- mistakes ------------------------------------------------------------------------------------------


def make_engine(module, loss=None):
    return TorchEngine(module, loss or torch.nn.MSELoss(), torch.optim.SGD([torch.zeros(1)], lr=0.1))


def test_what_does_not_fit_is_refused():
    linear = torch.nn.Linear(2, 1)
    with pytest.raises(InputError, match="must be one number for a minibatch"):
        make_engine(linear, torch.nn.MSELoss(reduction="none"))
    with pytest.raises(InputError, match="module must have parameters, got none"):
        make_engine(torch.nn.ReLU())
    with pytest.raises(DTypeError, match=r"data must be torch.float32.*got torch.float64"):
        make_engine(linear).predict(np.zeros((3, 2)))


def test_a_layer_pytorch_has_not_is_named():
    class Double(nn.Layer):
        def apply(self, x, *, training, generator):
            return 2 * x, lambda grad_y: 2 * grad_y

    with (
        pytest.raises(InputError, match=r"Double.*npnet knows no module that computes the same"),
        engine_for(Double(), Spec("MSELoss"), Spec("SGD", lr=0.1)),
    ):
        pass


def test_the_number_of_threads_is_put_back():
    before = torch.get_num_threads()
    model = nn.Linear(2, 1, generator=np.random.default_rng(0))
    with engine_for(model, Spec("MSELoss"), Spec("SGD", lr=0.1), threads=before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_cuda_without_a_gpu_meets_one_line(tmp_path, capsys):
    out = str(tmp_path / "runs")
    assert main(["train", "--engine", "torch", "--device", "cuda", "--out", out]) == 2
    complaint = capsys.readouterr().err
    assert complaint.startswith("npnet: device cuda: PyTorch ")
    assert complaint.endswith("; use --device cpu\n")
    assert complaint.count("\n") == 1
    assert not list(tmp_path.iterdir())


# ---- memory --------------------------------------------------------------------------------------------


class Greedy(torch.nn.Module):
    """Asks for more memory than there is, in one mode and for more than 100 samples."""

    def __init__(self, *, training):
        super().__init__()
        self.when = training

    def forward(self, x):
        torch.empty(2**50 if self.training == self.when and len(x) > 100 else 1)
        return x


@pytest.mark.parametrize(("training", "what"), [(True, "fit"), (False, "evaluation")])
def test_a_minibatch_too_large_for_memory_is_one_line_and_says_what_fits(training, what):
    """What npnet drops is drawn for each size that is tried."""
    model = nn.Sequential(nn.Linear(4, 3, generator=rng_of_7()), nn.Dropout(0.5))
    module = share_dropout(to_torch(model), noise := Noise(model))
    module = torch.nn.Sequential(Greedy(training=training), module)
    sgd = torch.optim.SGD(module.parameters(), lr=0.1)
    engine = TorchEngine(module, torch.nn.CrossEntropyLoss(), sgd, noise=noise)
    x, target = np.ones((256, 4), np.float32), np.zeros(256, np.int64)
    told = f"^{what}: a minibatch of 256 samples does not fit into memory; at most 100 fit$"
    with pytest.raises(InputError, match=told):
        (engine.forward_backward(x, target, rng_of_7()) if training else engine.evaluate(x, target))


def test_what_an_optimizer_keeps_and_a_model_may_be_too_large_too(monkeypatch):
    def full(*_, **__):
        torch.empty(2**50)

    model, x = nn.Linear(4, 3, generator=rng_of_7()), np.ones((5, 4), np.float32)
    with engine_for(model, Spec("MSELoss"), Spec("SGD", lr=0.1), threads=1) as engine:
        grads = engine.forward_backward(x, np.ones((5, 3), np.float32), rng_of_7()).grads
        monkeypatch.setattr(engine.optimizer, "step", full)
        with pytest.raises(InputError, match=r"^fit: what the optimizer keeps does not fit into memory \("):
            engine.update(grads)
    monkeypatch.setattr(torch.nn.Module, "to", full)
    with (
        pytest.raises(InputError, match=r"^fit: the model does not fit into memory \("),
        engine_for(model, Spec("MSELoss"), Spec("SGD", lr=0.1)),
    ):
        pass


def test_several_processes_learn_with_what_is_compiled(monkeypatch):
    """Each wraps its module to add up gradients, and the wrapped one is compiled."""
    monkeypatch.setattr("ptref.engine.process", lambda: (0, 2))
    monkeypatch.setattr("ptref.engine.DistributedDataParallel", lambda module, **_: ("together", module))
    monkeypatch.setattr(torch, "compile", lambda module: ("compiled", module))
    module = torch.nn.Linear(4, 2)
    sgd = torch.optim.SGD(module.parameters(), lr=0.1)
    for execution, expected in ((Execution(), ()), (Execution(compile=True), ("compiled",))):
        engine = TorchEngine(module, torch.nn.CrossEntropyLoss(), sgd, execution=execution)
        assert engine._learning == ((*expected, ("together", module)) if expected else ("together", module))
        assert engine._called == ((*expected, module) if expected else module)


def test_what_moves_weights_in_npnet_moves_them_here():
    """The specs of all optimizers and schedules are understood by both."""
    model = nn.Linear(2, 1, generator=np.random.default_rng(0))
    for schedule in (Spec("StepLR", step_size=2), Spec("ExponentialLR", gamma=0.5)):
        with engine_for(model, Spec("MSELoss"), Spec("SGD", lr=0.1), schedule, threads=1) as engine:
            own = optim.SGD(model.parameters, lr=0.1)
            planned = schedule.make(optim, own)
            x = np.ones((1, 2), np.float32)
            for _ in range(3):
                engine.update(engine.forward_backward(x, np.ones((1, 1), np.float32), rng_of_7()).grads)
                engine.end_epoch()
                planned.step()
                assert engine.lr == pytest.approx(own.lr, rel=1e-14)
