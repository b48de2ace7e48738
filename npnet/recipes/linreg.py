"""A line through two points by gradient descent, then through many noisy ones.

The smallest network there is: one weight a, one bias b, ŷ = a x + b. Its loss is the mean of the squared
errors over the n points,

    L(a, b) = 1/n Σᵢ (a xᵢ + b − yᵢ)²,

so its gradients can be written out by hand,

    ∂L/∂a = 2/n Σᵢ (a xᵢ + b − yᵢ) xᵢ        ∂L/∂b = 2/n Σᵢ (a xᵢ + b − yᵢ),

and the experiment shows that backpropagation computes the very same numbers at every step it looks at. The
mean, not the sum, makes the loss and the learning rate that suits it independent of how many points there
are.

Data: the points (1, 3) and (2, 5), through which y = 2x + 1 is the only line; and 100 points about that
line, x even in [0, 3], with noise of deviation 0.5. Model: one linear layer. Optimizer: plain gradient
descent, lr 0.1, all points at every step.

As in the source, 100 steps are taken through the two points, after which the line is still on its way: the
loss is a long valley, in which the slower direction shrinks by 1.5 % a step. In our setting there are 1000.

What to expect: of two points, a = 2 and b = 1 to six digits. Of the noisy ones, the line of least squares to
six digits; that line, not the one the points were made from, is what the loss asks for. Measured with seed
0: a = 2.0000001 and b = 0.9999998 after 1000 steps (2.07 and 0.89 after the source's 100); 1.9782 and 0.9963
through the noisy points; gradients by hand and by backpropagation at most 3e-16 apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from npnet import check, nn, plot
from npnet.data import ArrayDataset, Splits
from npnet.engines import Spec
from npnet.recipes._both_settings import AS_IN_SOURCE
from npnet.recipes._network import NetworkRecipe
from npnet.recipes._several import SeveralNetworks, Trained, Verdict
from npnet.recipes._spec import Options, Report
from npnet.run import RunFolder
from npnet.table import table
from npnet.train import plain_step

__all__ = ["recipe", "written_gradients"]

SLOPE, INTERCEPT, NOISE = 2.0, 1.0, 0.5
SOURCE_POINTS, POINTS, NOISY = f"two points, {AS_IN_SOURCE}", "two points", "noisy points"
PAUSES = (0, 1, 10, 100, 1000)


def written_gradients(
    a: float, b: float, x: Float[ndarray, "n 1"], y: Float[ndarray, "n 1"]
) -> tuple[float, float]:
    """Return ∂L/∂a and ∂L/∂b of the mean squared error of a x + b, by the formulas above.

    Parameters
    ----------
    a, b : float
    x, y : arrays, shape (n, 1)

    Returns
    -------
    grad_a, grad_b : float

    Raises
    ------
    InputError
        If an argument is none of this.

    Examples
    --------
    >>> written_gradients(0.0, 0.0, np.array([[1.0], [2.0]]), np.array([[3.0], [5.0]]))
    (-13.0, -8.0)
    """
    a, b = (check.number("written_gradients", name, value) for name, value in (("a", a), ("b", b)))
    for name, value in (("x", x), ("y", y)):
        check.axes(
            "written_gradients", name, check.array("written_gradients", name, value, "f"), (2,), "(n, 1)"
        )
    check.shape("written_gradients", "y", y, x.shape, "like x")
    error = a * x + b - y
    return float(2 * (error * x).mean()), float(2 * error.mean())


def two_points(_: Options) -> Splits[ArrayDataset]:
    """Return (1, 3) and (2, 5)."""
    return Splits(ArrayDataset(np.array([[1.0], [2.0]]), np.array([[3.0], [5.0]])), name="two points")


def noisy_points(options: Options) -> Splits[ArrayDataset]:
    """Return 100 points about y = 2x + 1."""
    generator = np.random.default_rng(options.seed)
    x = generator.uniform(0, 3, size=(100, 1))
    y = SLOPE * x + INTERCEPT + NOISE * generator.standard_normal(x.shape)
    return Splits(ArrayDataset(x, y), name="noisy points")


def least_squares(part: ArrayDataset) -> tuple[float, float]:
    """Return slope and intercept of the line with the smallest squared error, by linear algebra."""
    with_ones = np.hstack([part.x, np.ones_like(part.x)])
    (slope,), (intercept,) = np.linalg.lstsq(with_ones, part.y)[0]
    return float(slope), float(intercept)


@dataclass(frozen=True)
class Stop:
    """The line after so many steps, and its gradients by backpropagation and by hand."""

    step: int
    line: tuple[float, float]  # a, b, and so for the gradients
    backpropagated: tuple[float, float]
    written: tuple[float, float]

    @property
    def name(self) -> str:
        """What it is called in the figure."""
        return "untrained" if self.step == 0 else f"after {self.step} step{'s' if self.step > 1 else ''}"

    @property
    def difference(self) -> float:
        """By how much the gradients differ."""
        return max(abs(one - other) for one, other in zip(self.backpropagated, self.written, strict=True))

    def cells(self) -> list[str]:
        """Return a row of the table."""
        gradients = zip(self.backpropagated, self.written, strict=True)
        numbers = [*self.line, *(number for pair in gradients for number in pair)]
        return [str(self.step), *(f"{number:.8f}" for number in numbers)]


class LinearRegression(SeveralNetworks):
    """Two lines, the gradients on the way to them, and what they must come to."""

    def judge(
        self, trained: Sequence[Trained], options: Options, folder: RunFolder, report: Report
    ) -> Verdict:
        """Compare gradients with those written out, and lines with least squares."""
        values: dict[str, dict[str, Any]] = {}
        for each in trained:
            name, (a, b), sought = each.network.name, line(each.model), least_squares(each.splits.train)
            stops = stops_of(each)
            headings = ["step", "a", "b", "∂L/∂a", "by hand", "∂L/∂b", "by hand"]
            report(table(headings, [stop.cells() for stop in stops], title=name))
            values[name] = {
                "a": a,
                "b": b,
                "least_squares": sought,
                "distance": max(abs(a - sought[0]), abs(b - sought[1])),
                "gradients_differ_by": max(stop.difference for stop in stops),
            }
        return Verdict(_headline(trained, values), {"lines": values}, lambda into: _draw(trained, into))


def _headline(trained: Sequence[Trained], values: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the lines through the two points, and how far our setting is from least squares."""
    shown = [each for each in trained if each.network.name != NOISY] or trained
    lines = []
    for each in shown:
        a, b = line(each.model)
        lines.append(f"{each.network.name}: y = {a:.4f} x + {b:.4f}")
    distances = [value["distance"] for name, value in values.items() if name != SOURCE_POINTS]
    if distances:
        lines.append(f"distance from least squares: {max(distances):.1e}")
    return "; ".join(lines)


def _draw(trained: Sequence[Trained], folder: RunFolder) -> list[Path]:
    panels: list[plot.Fit] = []
    for each in trained:
        part, (a, b) = each.splits.train, line(each.model)
        lines = {stop.name: stop.line for stop in stops_of(each)}
        title = f"{each.network.name}: ŷ = {a:.4f} x + {b:.4f}"
        panels.append(
            plot.Fit(title, part.x[:, 0], part.y[:, 0], lines, least_squares(part), "least squares")
        )
    files = [folder.figure("lines.png", plot.fits(panels, title="Lines found by gradient descent"))]
    shown = [
        plot.LinePlot(
            {"training": each.losses},
            y_label="mean squared error",
            title=each.network.name,
            x_scale="log",
            y_scale="log",
        )
        for each in trained
        if each.losses
    ]
    if shown:
        drawn = plot.line_plots(shown, title="Loss of the lines")
        files.append(folder.figure("losses.png", drawn))
    return files


def line(model: nn.Layer) -> tuple[float, float]:
    """Return slope and intercept."""
    return float(model.parameters["weight"][0, 0]), float(model.parameters["bias"][0])


def stops_of(trained: Trained) -> list[Stop]:
    """Return where training stood at each look."""
    return [stop_at(trained, step) for step in trained.looks]


def stop_at(trained: Trained, step: int) -> Stop:
    """Return where training stood after so many steps."""
    part, model = trained.splits.train, one_line(np.random.default_rng(0))
    model.load_state_dict(trained.looks[step])
    _, _, grads = plain_step(model, nn.MSELoss(), part.x, part.y, np.random.default_rng(0))
    backpropagated = float(grads["weight"][0, 0]), float(grads["bias"][0])
    return Stop(step, line(model), backpropagated, written_gradients(*line(model), part.x, part.y))


def one_line(generator: np.random.Generator) -> nn.Linear:
    """Return the model: one weight, one bias."""
    return nn.Linear(1, 1, generator=generator, dtype=np.float64)


SOURCE = "Deep learning laboratory, University of Zagreb (FER), exercise 1: pt_linreg"


def _network(
    name: str, data: Callable[[Options], Splits[ArrayDataset]], points: int, steps: int
) -> NetworkRecipe:
    return NetworkRecipe(
        name=name,
        title="a line",
        source=SOURCE,
        reported="",
        expects="",
        data=data,
        input_shape=(1,),
        model=one_line,
        loss=Spec("MSELoss"),
        optimizer=Spec("SGD", lr=0.1),
        epochs=steps,
        quick_epochs=steps,  # they take a fraction of a second
        batch_size=points,
    )


recipe = LinearRegression(
    name="linreg",
    title="a line through (1, 3) and (2, 5), and through noisy points, gradients written out",
    source=SOURCE,
    reported="y = 2x + 1, and gradients equal to autograd's",
    expects="y = 2x + 1 and the line of least squares to 1e-5; gradients equal to 1e-12",
    networks=(
        _network(SOURCE_POINTS, two_points, 2, steps=100),
        _network(POINTS, two_points, 2, steps=1000),
        _network(NOISY, noisy_points, 100, steps=1000),
    ),
    pauses=lambda network: [step for step in PAUSES if step <= network.epochs],
)
