"""What is wrong with a run, in words: dead units, gradients that vanish or explode, a loss that stays.

The limits stand in `LIMITS`, each with its reason. They are meant to be silent on runs that go well: every
recipe of npnet as written keeps within them, and each fault that is planted in the tests is beyond them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from npnet import check
from npnet.errors import InputError
from npnet.train.history import History
from npnet.train.recorder import Recorder


class Limit(NamedTuple):
    """A limit, why it is where it is, and who says so."""

    value: float
    reason: str
    source: str


LIMITS = {
    "dead": Limit(
        0.6,
        "Some units of a healthy network are silent: up to 52 % of a layer in npnet's recipes. A network "
        "whose bias or learning rate has killed them loses 70 % and more.",
        "Lu, Shin, Su, Karniadakis (2020), Dying ReLU and initialization; measured on npnet's recipes",
    ),
    "vanishing": Limit(
        0.01,
        "The first layer's gradient, relative to the last one's. With one learning rate, a hundredth of "
        "it moves a layer a hundred times as slowly. npnet's recipes are above 0.025; ten sigmoid layers "
        "are at 1e-9.",
        "Glorot, Bengio (2010), Understanding the difficulty of training deep feedforward neural networks",
    ),
    "exploding": Limit(
        100.0,
        "The same ratio. npnet's recipes stay below 4.",
        "Pascanu, Mikolov, Bengio (2013), On the difficulty of training recurrent neural networks",
    ),
    "loss rises": Limit(
        10.0,
        "How far above its start, or above that of constant outputs, a loss may rise. That of one minibatch "
        "may be a few times another's, but hardly ten times.",
        "measured on npnet's recipes",
    ),
    "large updates": Limit(
        0.1,
        "‖Δw‖ / ‖w‖ of a step, the median over the run. About 1e-3 is usual; at a tenth, ten steps undo what "
        "was learnt before.",
        "Karpathy, CS231n, Neural networks part 3: ratio of weights to updates",
    ),
    "small updates": Limit(
        1e-5,
        "The same ratio. At 1e-5, a weight changes by a tenth of itself in ten thousand steps.",
        "Karpathy, CS231n, as above",
    ),
    "not learning": Limit(
        0.98,
        "The loss, relative to that of the best constant outputs, which is reached without looking at x. "
        "The mean over some minibatches is known to about 1 %.",
        "Karpathy (2019), A recipe for training neural networks: input-independent baseline",
    ),
    "skill": Limit(
        0.1,
        "Which share of what is to be won over always naming the commonest class the validation accuracy "
        "must win.",
        "Cohen (1960), A coefficient of agreement for nominal scales",
    ),
    "steps": Limit(20, "In fewer steps nobody learns much.", "measured on npnet's recipes"),
}


@dataclass(frozen=True)
class Symptom:
    """Something that is wrong with a run.

    Parameters
    ----------
    kind : str
        "dead units", "vanishing", "exploding" or "not learning".
    sentence : str
        What was seen, with numbers.
    advice : str
        What to try.
    """

    kind: str
    sentence: str
    advice: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.sentence}. {self.advice}."


def diagnose(recorder: Recorder, history: History | None = None) -> tuple[Symptom, ...]:
    """Say what is wrong with a run, by what was recorded of it; nothing where nothing is.

    Parameters
    ----------
    recorder : Recorder
        That the run was given.
    history : History, optional
        What the run returned, or ``error.history`` of the error that ended it. Without it, the validation
        data is not looked at.

    Returns
    -------
    symptoms : tuple of Symptom
        Causes before what they cause.

    Raises
    ------
    InputError
        If recorder or history is of another kind, or nothing was recorded.

    Examples
    --------
    A learning rate of 0:

    >>> from npnet import fit, nn, optim
    >>> from npnet.train import Recorder
    >>> rng = np.random.default_rng(0)
    >>> model = nn.Linear(3, 1, generator=rng)
    >>> x = rng.normal(size=(100, 3)).astype(np.float32)
    >>> recorder, sgd = Recorder(), optim.SGD(model.parameters, lr=0.0)
    >>> history = fit(model, nn.MSELoss(), sgd, (x, x[:, :1]), recorder=recorder, progress=False)
    >>> for symptom in diagnose(recorder, history):
    ...     print(symptom.kind)
    not learning
    """
    check.instance("diagnose", "recorder", recorder, Recorder, "a train.Recorder()")
    if history is not None:
        check.instance("diagnose", "history", history, History, "a History, as fit returns it")
    if not recorder.moments:
        raise InputError("diagnose: recorder must have recorded a step, got none; give it to fit(recorder=…)")
    diverged = history is not None and history.diverged
    dead = _dead(recorder)
    through_depth = [] if dead else _through_depth(recorder)  # dead units stop gradients: they are the cause
    exploding = _exploding(recorder, diverged=diverged)
    causes = [*exploding, *dead, *through_depth]
    if diverged:
        return tuple(causes)
    return (*causes, *_not_learning(recorder, history, caused=bool(causes)))


# ---- symptoms ------------------------------------------------------------------------------------------


def _dead(recorder: Recorder) -> list[Symptom]:
    dead = {name: share for name, share in recorder.moments[-1].dead.items() if share > LIMITS["dead"].value}
    if not dead:
        return []
    named = ", ".join(f"{100 * share:.0f} % in '{name}'" for name, share in dead.items())
    samples = 0 if recorder.x is None else len(recorder.x)
    sentence = f"of the units of ReLU, these are 0 for each of {samples} samples and learn nothing: {named}"
    advice = (
        "Try a smaller learning rate, biases that begin at 0, inputs of mean 0 and deviation 1, "
        "LeakyReLU, or a batch norm before the ReLU"
    )
    return [Symptom("dead units", sentence, advice)]


def _through_depth(recorder: Recorder) -> list[Symptom]:
    """Compare the gradients of the first layer and the last."""
    if len(recorder.weights) < 2:
        return []
    first, last = recorder.weights[0], recorder.weights[-1]
    ratio = _median([m.grads[first] / m.grads[last] for m in recorder.moments if m.grads.get(last)])
    if ratio < LIMITS["vanishing"].value:
        sentence = f"the gradient of '{first}' is {ratio:.1g} times that of '{last}' (root mean square)"
        advice = (
            "Try ReLU in place of sigmoid and tanh, batch norm, residual connections, fewer layers, or "
            'initial weights of init="kaiming_normal"'
        )
        return [Symptom("vanishing", sentence, advice)]
    if ratio > LIMITS["exploding"].value:
        sentence = (
            f"the gradient of '{first}' is {ratio:.1g} times that of '{last}' (root mean square, median)"
        )
        advice = "Try initial weights that suit the widths of the layers, batch norm, or optim.clip_grad_norm"
        return [Symptom("exploding", sentence, advice)]
    return []


def _exploding(recorder: Recorder, *, diverged: bool) -> list[Symptom]:
    """Look for NaN, a loss that rises, and steps as large as the weights."""
    losses = [moment.loss for moment in recorder.moments]
    highest, floor = int(np.argmax(losses)), max(losses[0], recorder.baseline or 0.0)
    seen = []
    if diverged:
        seen.append("training ended with NaN or ∞")
    if losses[highest] > LIMITS["loss rises"].value * floor:
        step = recorder.moments[highest].step
        seen.append(f"the loss rose from {losses[0]:.3g} to {losses[highest]:.3g} at step {step}")
    name, size = max(_updates(recorder).items(), key=lambda each: each[1], default=("", 0.0))
    if size > LIMITS["large updates"].value:
        by = f"{100 * size:.0f} % of" if size < 1 else f"{size:.2g} times"
        seen.append(f"a step moves '{name}' by {by} its size (median; 0.1 % is usual)")
    advice = "Try a smaller learning rate, optim.clip_grad_norm, or inputs of mean 0 and deviation 1"
    return [Symptom("exploding", "; ".join(seen), advice)] if seen else []


def _not_learning(recorder: Recorder, history: History | None, *, caused: bool) -> list[Symptom]:
    """Compare the loss with that of constant outputs, on the training part and on the validation part."""
    if recorder.moments[-1].step < LIMITS["steps"].value:
        return []
    last = recorder.moments[-max(1, len(recorder.moments) // 4) :]
    loss, known = float(np.mean([moment.loss for moment in last])), recorder.baseline
    floor = recorder.moments[0].loss if known is None else known
    rival = "what it began with" if known is None else "that of the best constant outputs, whatever x is"
    if not loss <= LIMITS["not learning"].value * floor:
        sentence = f"the training loss of the last steps is {loss:.3g}; {floor:.3g} is {rival}"
        advice = "What was found above is the likely cause" if caused else _to_learn(recorder)
        return [Symptom("not learning", sentence, advice)]
    return _by_heart(recorder, history)


def _to_learn(recorder: Recorder) -> str:
    largest = max(_updates(recorder).values(), default=0.0)
    if largest < LIMITS["small updates"].value:
        return f"A step moves no weight by more than {largest:.1g} of its size: try a larger learning rate"
    return (
        "Try whether it can learn a few samples by heart; look at samples and labels side by side; try "
        "another learning rate, and more epochs"
    )


def _by_heart(recorder: Recorder, history: History | None) -> list[Symptom]:
    """Look for a training loss that falls while nothing of it holds on the validation part."""
    epochs = [] if history is None else history.epochs
    losses = [epoch.validation_loss for epoch in epochs if epoch.validation_loss is not None]
    floor = recorder.baseline
    if not losses or floor is None or min(losses) <= LIMITS["not learning"].value * floor:
        return []
    accuracies = [epoch.validation_accuracy for epoch in epochs if epoch.validation_accuracy is not None]
    if accuracies and recorder.chance is not None:
        skill = (max(accuracies) - recorder.chance) / max(1 - recorder.chance, 1e-9)
        if skill > LIMITS["skill"].value:
            return []
    sentence = (
        f"what it learns does not hold for the validation data: the loss there is {min(losses):.3g} at best, "
        f"and {floor:.3g} for the best constant outputs"
    )
    advice = "Look at samples and labels side by side: do they belong together, and are both parts alike?"
    return [Symptom("not learning", sentence, advice)]


# ---- numbers -------------------------------------------------------------------------------------------


def _updates(recorder: Recorder) -> dict[str, float]:
    """Return the median of ‖Δw‖ / ‖w‖ over the run, by weight."""
    found = {
        name: _median([m.updates.get(name, np.nan) for m in recorder.moments]) for name in recorder.weights
    }
    return {name: value for name, value in found.items() if np.isfinite(value)}


def _median(values: Sequence[float]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.median(finite)) if finite else float("nan")
