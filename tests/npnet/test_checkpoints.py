"""A run that was interrupted and resumed ends with the same bits as one that was not."""

import os
import signal

import numpy as np
import pytest

from npnet import nn, optim
from npnet.data import ArrayDataset
from npnet.errors import InputError, MissingError
from npnet.parallel import Step
from npnet.train import Checkpoint, _checkpoints, fit, plain_step, read_checkpoint

pytestmark = pytest.mark.usefixtures("bare", "after_each_epoch")

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((44, 1, 6, 6)).astype(np.float32), RNG.integers(3, size=44)
DATA = (ArrayDataset(X[:32], Y[:32]), ArrayDataset(X[32:], Y[32:]))
EPOCHS, STEPS = 3, 4  # minibatches of 9, the last one of 5

OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.05),
    "momentum": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=1e-3),
    "nesterov": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "adam": lambda p: optim.Adam(p, lr=0.01),
    "amsgrad": lambda p: optim.Adam(p, lr=0.01, amsgrad=True),
    "adamw": lambda p: optim.AdamW(p, lr=0.01),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True),
}
SCHEDULES = {
    "none": lambda o: None,
    "step": lambda o: optim.StepLR(o, step_size=1, gamma=0.5),
    "exponential": lambda o: optim.ExponentialLR(o, gamma=0.7),
    "cosine": lambda o: optim.CosineAnnealingLR(o, T_max=2),
    "one cycle": lambda o: optim.OneCycleLR(o, 0.1, EPOCHS * STEPS),
}


@pytest.fixture
def after_each_epoch(monkeypatch):
    """Have a checkpoint after each epoch, however short it is."""
    monkeypatch.setattr(_checkpoints, "SHARE", 1e9)


class Run:
    """One run from scratch, as a new process would begin it."""

    def __init__(self, optimizer="momentum", schedule="step", seed=0):
        rng = np.random.default_rng(seed)
        self.model = nn.Sequential(
            nn.Conv2d(1, 4, 3, generator=rng),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(64, 3, generator=rng),
        )
        self.optimizer = OPTIMIZERS[optimizer](self.model.parameters)
        self.schedule = SCHEDULES[schedule](self.optimizer)
        self.every = "step" if schedule == "one cycle" else "epoch"
        self.generator = np.random.default_rng(seed + 5)
        self.history = None

    def fit(self, **settings):
        loss, step = settings.pop("loss", nn.CrossEntropyLoss()), settings.pop("step", plain_step)
        settings = {
            "data": DATA, "epochs": EPOCHS, "batch_size": 9, "generator": self.generator,
            "schedule": self.schedule, "schedule_every": self.every, **settings,
        }  # fmt: skip
        self.history = fit(self.model, loss, self.optimizer, step=step, progress=False, **settings)
        return self

    def result(self):
        """Return all that a run leaves, without the times."""
        state = {f"model.{name}": array for name, array in self.model.state_dict().items()}
        state |= {f"optimizer.{name}": array for name, array in self.optimizer.state_dict().items()}
        if self.schedule is not None:
            state |= {f"schedule.{name}": array for name, array in self.schedule.state_dict().items()}
        epochs = [
            (e.epoch, e.train_loss, e.train_accuracy, e.validation_loss, e.validation_accuracy, e.lr)
            for e in self.history.epochs
        ]
        ended = (self.history.best_epoch, self.history.stopped_early)
        return (
            {name: array.tobytes() for name, array in state.items()},
            epochs,
            ended,
            str(self.generator.bit_generator.state),
        )


class Interrupting:
    """Calls of `on_step`, of which one presses Ctrl-C."""

    def __init__(self, at):
        self.left = at

    def __call__(self, _state):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)


def interrupted_at(steps, folder, run=None, **settings):
    run = (run or Run()).fit(checkpoint=folder, on_step=Interrupting(steps), **settings)
    assert run.history.interrupted
    return run


# ---- the same bits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", ["step", "one cycle"])
@pytest.mark.parametrize("at", range(1, EPOCHS * STEPS + 1))
def test_a_run_interrupted_at_any_step_ends_with_the_same_bits(tmp_path, at, schedule):
    expected = Run(schedule=schedule).fit().result()
    interrupted_at(at, tmp_path, Run(schedule=schedule))
    assert Run(schedule=schedule).fit(checkpoint=tmp_path, resume=True).result() == expected


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_and_schedule_goes_on_with_the_same_bits(tmp_path, optimizer, schedule):
    expected = Run(optimizer, schedule).fit().result()
    interrupted_at(6, tmp_path, Run(optimizer, schedule))
    assert Run(optimizer, schedule).fit(checkpoint=tmp_path, resume=True).result() == expected


def test_a_run_interrupted_after_every_single_step_ends_with_the_same_bits(tmp_path):
    """So there are several resumes within each epoch, and each begins with a state saved by a resumed run."""
    expected = Run().fit().result()
    for _ in range(EPOCHS * STEPS):
        interrupted_at(1, tmp_path, resume=True)
    assert Run().fit(checkpoint=tmp_path, resume=True).result() == expected


@pytest.mark.parametrize("threads", [(1, 3), (3, 1)])
def test_the_number_of_threads_may_change(tmp_path, threads):
    expected = Run().fit(step=Step(2)).result()
    interrupted_at(6, tmp_path, step=Step(threads[0]))
    assert Run().fit(checkpoint=tmp_path, resume=True, step=Step(threads[1])).result() == expected


def test_an_interrupt_while_the_validation_data_is_evaluated_repeats_no_step(tmp_path):
    steps = []

    class Evaluating(Step):
        def predict(self, model, x):
            if len(steps) == STEPS:
                os.kill(os.getpid(), signal.SIGINT)
            return super().predict(model, x)

    expected = Run().fit(step=Step(1)).result()
    run = Run().fit(checkpoint=tmp_path, step=Evaluating(1), on_step=lambda state: steps.append(0))
    assert (run.history.interrupted, len(steps)) == (True, STEPS)
    found = read_checkpoint(tmp_path)
    assert (found.epoch, found.step) == (0, STEPS)
    steps.extend(range(100))
    assert Run().fit(checkpoint=tmp_path, resume=True, step=Evaluating(1)).result() == expected


def test_a_checkpoint_of_an_epoch_s_end_begins_the_next_epoch(tmp_path):
    expected = Run().fit().result()
    Run().fit(checkpoint=tmp_path, epochs=2)
    assert read_checkpoint(tmp_path).epoch == 2
    assert Run().fit(checkpoint=tmp_path, resume=True).result() == expected


def test_a_finished_run_is_not_trained_again(tmp_path):
    expected = Run().fit(checkpoint=tmp_path).result()

    def never(state):
        raise AssertionError

    assert Run().fit(checkpoint=tmp_path, resume=True, on_step=never, on_epoch=never).result() == expected


def test_the_best_epoch_before_the_interruption_is_not_forgotten(tmp_path):
    def spoil(epoch):  # later epochs are worse
        run.model.parameters["5.bias"][0] += 8

    run = Run("sgd", "none")
    expected = run.fit(epochs=9, on_epoch=spoil, patience=3).result()
    assert run.history.stopped_early
    assert run.history.best_epoch == 1, "the test needs a run that gets worse"
    run = Run("sgd", "none")
    run.fit(checkpoint=tmp_path, epochs=9, patience=3, on_epoch=spoil, on_step=Interrupting(2 * STEPS + 1))
    run = Run("sgd", "none")
    run.fit(checkpoint=tmp_path, epochs=9, patience=3, on_epoch=spoil, resume=True)
    assert run.result() == expected


def test_resuming_in_the_same_program_goes_on_from_the_checkpoint(tmp_path):
    """The model has its best weights by then, and the schedule has moved the learning rate."""
    expected = Run().fit().result()
    run = interrupted_at(10, tmp_path)
    assert run.fit(checkpoint=tmp_path, resume=True).result() == expected


@pytest.mark.parametrize("kind", [np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_generators_of_every_kind_are_restored(tmp_path, kind):
    def run():
        made = Run()
        made.generator = np.random.Generator(kind(3))
        return made

    expected = run().fit().result()
    interrupted_at(6, tmp_path, run())
    assert run().fit(checkpoint=tmp_path, resume=True).result() == expected


def test_a_program_may_draw_from_the_generator_too(tmp_path):
    def draw(state):
        run.model.parameters["5.bias"][0] += run.generator.normal()
        interrupt(state)

    interrupt = Interrupting(0)
    run = Run()
    expected = run.fit(on_step=draw).result()
    run, interrupt = Run(), Interrupting(6)
    run.fit(checkpoint=tmp_path, on_step=draw)
    run, interrupt = Run(), Interrupting(0)
    assert run.fit(checkpoint=tmp_path, resume=True, on_step=draw).result() == expected


def test_without_validation_data_the_run_goes_on_just_as_well(tmp_path):
    expected = Run().fit(data=DATA[0]).result()
    interrupted_at(6, tmp_path, data=DATA[0])
    assert Run().fit(data=DATA[0], checkpoint=tmp_path, resume=True).result() == expected


def test_with_resume_a_run_without_a_checkpoint_begins(tmp_path):
    expected = Run().fit().result()
    assert Run().fit(checkpoint=tmp_path / "new" / "folder", resume=True).result() == expected


def test_a_checkpoint_is_also_written_within_an_epoch_after_some_time(tmp_path):
    seen = []
    Run().fit(
        checkpoint=tmp_path,
        epochs=1,
        checkpoint_seconds=1e-9,
        on_step=lambda state: seen.append(read_checkpoint(tmp_path)),
    )
    assert [(each.epoch, each.step) for each in seen] == [(0, 0), (0, 1), (0, 2), (0, 3)]


def test_after_very_short_epochs_checkpoints_take_no_more_than_their_share_of_the_time(tmp_path, monkeypatch):
    monkeypatch.setattr(_checkpoints, "SHARE", 1e-9)
    seen = []
    Run().fit(checkpoint=tmp_path, on_epoch=lambda epoch: seen.append(read_checkpoint(tmp_path).epoch))
    assert seen == [0, 0, 0]
    assert read_checkpoint(tmp_path).epoch == EPOCHS  # the last one is always written


# ---- callbacks -------------------------------------------------------------------------------------------


def test_a_run_that_a_callback_stopped_asks_it_again(tmp_path):
    seen = []

    def stop(epoch):
        seen.append(epoch.epoch)
        return len(seen) < 3

    first = Run().fit(checkpoint=tmp_path, on_epoch=stop)
    assert (first.history.stopped_by_callback, seen) == (True, [1])
    again = Run().fit(checkpoint=tmp_path, on_epoch=stop, resume=True)
    assert (again.history.stopped_by_callback, len(again.history.epochs), seen) == (True, 1, [1, 1])
    expected = Run().fit().result()
    assert Run().fit(checkpoint=tmp_path, on_epoch=stop, resume=True).result() == expected
    assert seen == [1, 1, 1, 2, 3]


# ---- what does not fit -----------------------------------------------------------------------------------


def other_data():
    x = X.copy()
    x[3, 0, 2, 2] += 1
    return (ArrayDataset(x[:32], Y[:32]), DATA[1])


OTHERS = {
    "batch size": (Run, {"batch_size": 8}, "batch_size is 8, was 9"),
    "values": (Run, {"data": other_data()}, "values of the training data is .*, was "),
    "number of samples": (
        Run,
        {"data": (ArrayDataset(X[:30], Y[:30]), DATA[1])},
        "size of the training data is 30 samples, was 32 samples",
    ),
    "validation": (Run, {"data": DATA[0]}, "size of the validation data is none, was 12 samples"),
    "patience": (Run, {"patience": 2}, "patience is 2, was None"),
    "optimizer": (lambda: Run("adam"), {}, r"optimizer is Adam\(lr=0.01.*, was SGD\(lr=0.05"),
    "schedule": (lambda: Run(schedule="cosine"), {}, r"schedule is CosineAnnealingLR.*was StepLR"),
    "when the schedule steps": (
        Run,
        {"schedule_every": "step"},
        r"schedule is StepLR\(.*\) at every step, was StepLR\(",
    ),
    "class weights": (
        Run,
        {"loss": nn.CrossEntropyLoss(np.array([1, 2, 1], np.float32))},
        r"loss is CrossEntropyLoss\(.* weight=float32\[3\] .*, was .* weight=None",
    ),
    "seed": (Run, {"generator": 3}, "seed is 3, was in a Generator"),
    "step": (Run, {"step": Step(1)}, r"step is npnet.parallel._step.Step, was npnet.nn.step.plain_step"),
    "fewer epochs": (Run, {"epochs": 1}, "epochs must be at least 2, which the checkpoint has, got 1"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_another_run_is_refused_by_the_name_of_the_difference(tmp_path, other):
    interrupted_at(10, tmp_path)
    make, settings, message = OTHERS[other]
    run = make()
    before = run.model.state_dict()
    with pytest.raises(InputError, match=message):
        run.fit(checkpoint=tmp_path, resume=True, **settings)
    if other != "fewer epochs":
        assert all(np.array_equal(array, before[name]) for name, array in run.model.state_dict().items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda model: nn.Sequential(*list(model)[:4], nn.Dropout(0.4), model[5]), r"Dropout\(p=0.4\), was"),
        (lambda model: nn.Sequential(*list(model)[:3], *list(model)[3:], nn.Identity()), "model is"),
        (lambda model: (model.freeze("5"), model)[1], "frozen parameters is 5.bias 5.weight, was none"),
    ],
)
def test_another_model_is_refused(tmp_path, change, message):
    interrupted_at(6, tmp_path)
    run = Run()
    run.model = change(run.model)
    run.optimizer = OPTIMIZERS["momentum"](run.model.parameters)
    run.schedule = SCHEDULES["step"](run.optimizer)
    with pytest.raises(InputError, match=message):
        run.fit(checkpoint=tmp_path, resume=True)


def test_another_generator_is_refused(tmp_path):
    interrupted_at(6, tmp_path)
    run = Run()
    run.generator = np.random.Generator(np.random.MT19937(0))
    with pytest.raises(InputError, match="generator is a MT19937, was a PCG64"):
        run.fit(checkpoint=tmp_path, resume=True)


def test_a_folder_with_a_run_is_not_written_over(tmp_path):
    Run().fit(checkpoint=tmp_path)
    with pytest.raises(InputError, match="holds a run already; resume=True continues it"):
        Run().fit(checkpoint=tmp_path)


def test_resume_without_a_folder_is_refused():
    with pytest.raises(InputError, match="resume=True needs checkpoint, the folder"):
        Run().fit(resume=True)


def test_two_runs_do_not_share_a_folder(tmp_path):
    def second(state):
        with pytest.raises(InputError, match=f"in use by another run .process {os.getpid()}"):
            Run().fit(checkpoint=tmp_path, resume=True)
        return True

    assert Run().fit(checkpoint=tmp_path, on_step=second).history.stopped_by_callback
    Run().fit(checkpoint=tmp_path, resume=True)  # the lock has ended with the run


# ---- files -----------------------------------------------------------------------------------------------


def test_a_checkpoint_is_read(tmp_path):
    run = Run().fit(checkpoint=tmp_path)
    found = read_checkpoint(tmp_path)
    assert isinstance(found, Checkpoint)
    assert (found.epoch, found.step) == (EPOCHS, 0)
    assert found.history == run.history
    best = found.best_weights
    assert all(np.array_equal(array, best[name]) for name, array in run.model.state_dict().items())
    assert read_checkpoint(found.path).epoch == EPOCHS
    with pytest.raises(MissingError, match="there is no checkpoint in"):
        read_checkpoint(tmp_path.parent)


def test_two_checkpoints_are_kept_with_the_permissions_of_ordinary_files(tmp_path):
    before = os.umask(0o027)
    try:
        Run().fit(checkpoint=tmp_path)
    finally:
        os.umask(before)
    files = sorted(tmp_path.glob("[!.]*"))
    assert [file.name for file in files] == ["step-000000008.safetensors", "step-000000012.safetensors"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o640}


def test_what_a_killed_run_left_unfinished_is_removed(tmp_path):
    interrupted_at(6, tmp_path)
    (tmp_path / ".0a1b2c3d.tmp").write_bytes(b"half")
    Run().fit(checkpoint=tmp_path, resume=True)
    assert not list(tmp_path.glob(".*.tmp"))


DAMAGES = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "cut by a byte": lambda data: data[:-1],
    "flipped in the header": lambda data: flipped(data, 200),
    "flipped in the middle": lambda data: flipped(data, len(data) // 2),
    "flipped at the end": lambda data: flipped(data, len(data) - 1),
    "other": lambda data: b"a" * len(data),
}


def flipped(data, i):
    return data[:i] + bytes([data[i] ^ 4]) + data[i + 1 :]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_found_and_the_one_before_it_used(tmp_path, damage):
    expected = Run().fit().result()
    interrupted_at(10, tmp_path)
    newest = max(tmp_path.glob("step-*"))
    newest.write_bytes(DAMAGES[damage](newest.read_bytes()))
    assert Run().fit(checkpoint=tmp_path, resume=True).result() == expected
    assert newest.with_suffix(".damaged").exists()


def test_a_run_all_of_whose_checkpoints_are_damaged_is_not_begun_anew(tmp_path):
    interrupted_at(10, tmp_path)
    for file in tmp_path.glob("step-*"):
        file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(InputError, match=r"no checkpoint in .* can be read"):
        Run().fit(checkpoint=tmp_path, resume=True)


def test_every_single_flipped_bit_is_found(tmp_path):
    Run("sgd").fit(checkpoint=tmp_path, epochs=1)
    path = max(tmp_path.glob("step-*"))
    data, rng = path.read_bytes(), np.random.default_rng(0)
    for bit in rng.integers(len(data) * 8, size=300):
        wrong = bytearray(data)
        wrong[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(wrong)
        with pytest.raises(InputError):
            read_checkpoint(path)
    path.write_bytes(data)
    read_checkpoint(path)
