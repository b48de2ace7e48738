"""What the recipes for CIFAR share: the data, images moved by some pixels, and what is seen of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import data, nn, plot
from npnet.data import ArrayDataset, Splits
from npnet.experiments import Options, Run, Runner, probabilities
from npnet.metrics import accuracy
from npnet.shapes import Float

BOOK = "Stevens, Antiga, Viehmann (2020), Deep learning with PyTorch"
AIRPLANES_AND_BIRDS = ("airplane", "bird")  # 0 and 1
SHIFTS = range(-8, 9)
MOST_TURNED = 6


def airplanes_and_birds(options: Options) -> Splits[ArrayDataset]:
    """Return two classes of CIFAR-10, relabelled 0 and 1, standardised by the training part of these two.

    A tenth of the published training part is held out for validation, the same one whatever the seed of
    the run.
    """
    whole = data.cifar10(options.data, validation=0.1, generator=np.random.default_rng(0))
    return whole.keep(*AIRPLANES_AND_BIRDS).standardized()


def airplanes_and_birds_of_source(options: Options) -> Splits[ArrayDataset]:
    """Return two classes of CIFAR-10, relabelled 0 and 1, as the book has them: 10 000 to learn from.

    Every channel has been standardised by mean and deviation of the whole training set, all ten classes of
    it. The published test part is the validation part too.
    """
    splits = data.cifar10(options.data).standardized().keep(*AIRPLANES_AND_BIRDS)
    return replace(splits, validation=splits.test)


def with_mirror_images(splits: Splits[ArrayDataset]) -> Splits[ArrayDataset]:
    """Return the same parts, in the training part each image with its mirror image behind it.

    Examples
    --------
    >>> part = ArrayDataset(np.array([[[[1.0, 2.0]]]]), np.array([0]))
    >>> with_mirror_images(Splits(part)).train.x.squeeze()
    array([[1., 2.],
           [2., 1.]])
    """
    x, y = splits.train.x, splits.train.y
    both = np.stack([x, x[..., ::-1]], axis=1).reshape(-1, *x.shape[1:])
    return replace(splits, train=ArrayDataset(both, np.repeat(y, 2)))


# ---- shifted images ------------------------------------------------------------------------------------


def shifted(x: Float[ndarray, "n c h w"], pixels: int) -> Float[ndarray, "n c h w"]:
    """Return images moved to the right, or to the left by a negative number; columns at the edge repeat.

    Examples
    --------
    >>> image = np.array([[[[1.0, 2.0, 3.0]]]])
    >>> shifted(image, 1).squeeze(), shifted(image, -2).squeeze()
    (array([1., 1., 2.]), array([3., 3., 3.]))
    """
    width = x.shape[-1]
    moved: ndarray = x[..., np.clip(np.arange(width) - pixels, 0, width - 1)]
    return moved


@dataclass(frozen=True, eq=False)
class ShiftStudy:
    """What a classifier makes of a data set whose images are all moved by some pixels."""

    part: ArrayDataset
    probabilities: Mapping[int, ndarray]  # (n, classes) for each number of pixels

    @property
    def accuracies(self) -> dict[int, float]:
        """The accuracy for each shift."""
        return {by: accuracy(p.argmax(axis=1), self.part.y) for by, p in self.probabilities.items()}

    @property
    def changed(self) -> dict[int, float]:
        """The share of images that are taken for another class than where they were."""
        before = self.probabilities[0].argmax(axis=1)
        return {by: float((p.argmax(axis=1) != before).mean()) for by, p in self.probabilities.items()}

    def flipped(self, by: int = 1) -> ndarray:
        """Return the places of images that were recognised until they were moved, most changed first."""
        before, after = self.probabilities[0], self.probabilities[by]
        found = np.flatnonzero((before.argmax(axis=1) == self.part.y) & (after.argmax(axis=1) != self.part.y))
        change = abs(after[found] - before[found]).max(axis=1)
        return found[np.argsort(-change, kind="stable")]

    def line(self) -> str:
        """Say what a single pixel does."""
        worst = max(self.changed[1], self.changed[-1])
        return (
            f"moved by one pixel, {100 * worst:.1f} % of the images are taken for the other class than before"
        )

    def panels(self) -> list[plot.LinePlot]:
        """Return accuracy and changed predictions by shift; and guessing, if accuracy comes near it."""
        reached, changed = (
            {by: 100 * share for by, share in each.items()} for each in (self.accuracies, self.changed)
        )
        references = {f"not shifted: {reached[0]:.1f} %": reached[0]}
        if min(reached.values()) < 60:
            references["guessing: 50 %"] = 50.0
        shift = "shift to the right (pixels)"
        return [
            plot.LinePlot({"": reached}, shift, "accuracy (%)", references=references),
            plot.LinePlot({"": changed}, shift, "predictions that change (%)", from_zero=True),
        ]


def shift_test_images(runner: Runner, run: Run) -> dict[str, Any]:
    """Move the test images left and right, draw what becomes of the predictions, and return the shares."""
    study = study_shifts(run.model, run.test)
    runner.report(study.line())
    name = runner.experiment.name
    runner.figure("shifts.png", plot.line_plots, study.panels(), title=f"{name}: all test images shifted")
    flipped = study.flipped()[:MOST_TURNED]
    if len(flipped):
        x = run.test.x[flipped]
        runner.figure(
            "turned_by_one_pixel.png",
            plot.predictions,
            np.concatenate([x, shifted(x, 1)]),
            np.tile(run.test.y[flipped], 2),
            np.concatenate([study.probabilities[by][flipped] for by in (0, 1)]),
            run.splits.classes,
            row_names=["not shifted", "shifted"],
            title=f"{name}: recognised, but not after a shift by one pixel",
        )
    return {"accuracy": study.accuracies, "changed": study.changed}


def study_shifts(model: nn.Layer, part: ArrayDataset, shifts: Sequence[int] = SHIFTS) -> ShiftStudy:
    """Show a classifier a data set again and again, moved by each number of pixels; 0 must be among them."""
    moved = {by: ArrayDataset(shifted(part.x, by), part.y) for by in shifts}
    return ShiftStudy(part, {by: probabilities(model, each) for by, each in moved.items()})
