"""The parts of a report that are about one network: each is a title and what makes it, where there is any."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import engines, metrics, nn, tracing
from npnet._words import counted
from npnet.data import minibatches
from npnet.experiments._diagnosing import NOTHING, figure_files
from npnet.experiments._report._charts import Curve, chart
from npnet.experiments._report._images import coloured, figure_file, picture, signed
from npnet.experiments.run import Run
from npnet.experiments.runner import Runner
from npnet.experiments.studies import outcome
from npnet.experiments.tracing import traced
from npnet.table import html_table
from npnet.train.history import epochs_table

MOST_EPOCHS = 60  # rows of a table
MOST_CELLS = 26  # classes of a confusion matrix in full
MOST_CONFUSIONS, MOST_IMAGES, MOST_FILTERS, MOST_LAYERS = 10, 24, 64, 12
MOST_VALUES = 50_000  # of a layer's feature maps
MOST_OF_A_TRACE = 1_500_000  # bytes
LONG_NAME = 3  # letters of a class that stand side by side

MAKES_MAPS = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)

Part = tuple[str, Callable[[], str]]


@dataclass(frozen=True, eq=False)
class Network:
    """A network with the run that each engine made of it.

    Parameters
    ----------
    name : str
        "" of the only one.
    runners : list of Runner
        Those that trained it, the first engine first.
    settings : mapping
        What ``settings.json`` says of it.
    is_traced : bool
        Whether a step of it is shown.
    """

    name: str
    runners: list[Runner]
    settings: Mapping[str, Any]
    is_traced: bool

    @property
    def runs(self) -> list[Run]:
        """One of each engine."""
        return [runner.runs[self.name] for runner in self.runners]

    @property
    def first(self) -> Run:
        """The run of the first engine, which is looked at more closely."""
        return self.runs[0]

    @cached_property
    def predicted(self) -> tuple[ndarray, ndarray] | None:
        """Right classes and probabilities of the first run; None if it tells no classes apart."""
        run = self.first
        if not run.splits.classes or run.accuracy is None:
            return None
        target, p = outcome(self.runners[0], run)
        fits = p.ndim == 2 and p.shape[1] == len(run.splits.classes) and target.ndim == 1
        return (target, p) if fits else None

    def parts(self) -> Iterator[Part]:
        """Yield what there is to show."""
        if any(run.symptoms is not None for run in self.runs):
            yield "Diagnosis", self.diagnosis
        if any(run.history.epochs for run in self.runs):
            yield "Curves", self.curves
        if self.first.splits.classes and self.first.accuracy is not None:
            yield "Confusion matrix", self.confusion
            if len(self.first.setup.input_shape) == 3:
                yield "Misclassified images", self.misclassified
        if filters_of(self.first) is not None:
            yield "Filters of the first layer", self.filters
        if any(isinstance(layer, MAKES_MAPS) for _, layer in self.first.model.named_layers()):
            yield "Feature maps of one image", self.feature_maps
        yield "Settings", self.described
        if self.is_traced:
            yield "One training step, number by number", self.trace

    # ---- how training went -----------------------------------------------------------------------------

    def diagnosis(self) -> str:
        """Say in words what is wrong, and show the figures of it."""
        made = []
        for runner, run in zip(self.runners, self.runs, strict=True):
            who = f"{escape(run.engine)}: " if len(self.runs) > 1 else ""
            made += [
                f'<p class="note">{who}<b>{escape(symptom.kind)}</b>: {escape(symptom.sentence)}. '
                f"{escape(symptom.advice)}.</p>"
                for symptom in run.symptoms or ()
            ]
            if not run.symptoms:
                made.append(f"<p>{who}{escape(NOTHING.partition(': ')[2])}.</p>")
            made += [figure_file(path, words) for path, words in figure_files(runner, run.setup)]
        return "\n".join(made)

    def curves(self) -> str:
        """Draw loss and accuracy over the epochs, of all engines, and list them."""
        label = self.first.setup.loss_label
        losses, accuracies = [], []
        for number, run in enumerate(self.runs):
            engine = f"{run.engine}, " if len(self.runs) > 1 else ""
            history = run.history
            for part, loss, accuracy in (
                ("training", history.train_loss, history.train_accuracy),
                ("validation", history.validation_loss, history.validation_accuracy),
            ):
                losses.append(Curve(f"{engine}{part}", loss.tolist(), part, number))
                accuracies.append(Curve(f"{engine}{part}", (100 * accuracy).tolist(), part, number))
        best = self.first.history.best_epoch
        charts = [
            chart(f"Loss: {label}", _numbered(losses), log=True, marked=best),
            chart("Accuracy in %", _numbered(accuracies), unit=" %", marked=best),
        ]
        kept = f'<p class="remark">{self.first.history.kept.capitalize()}.</p>'
        return f'<div class="charts">{"".join(charts)}</div>{kept}{self._epochs()}'

    def _epochs(self) -> str:
        tables = []
        for run in self.runs:
            columns, rows = epochs_table(run.history, MOST_EPOCHS)
            caption = run.engine if len(self.runs) > 1 else None
            tables.append(scroll(html_table(columns, rows, title=caption), "All epochs"))
        return f"<details><summary>Epochs as a table</summary>{''.join(tables)}</details>"

    # ---- what it takes for what ------------------------------------------------------------------------

    def confusion(self) -> str:
        """Show how often each class is taken for which, and what is confused most often."""
        if self.predicted is None:
            return ""
        target, p = self.predicted
        classes = self.first.splits.classes
        matrix = metrics.confusion_matrix(p.argmax(axis=1), target, len(classes))
        part = f"{self.first.judged_on} part"
        said = f"<p>{matrix.trace()} of {len(target)} of the {part} are right.</p>"
        if len(classes) <= MOST_CELLS:
            said += scroll(_cells(matrix, classes), "Confusion matrix")
        if len(classes) > MOST_CELLS:
            share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
            said += f"<p>{signed(share[None], 'rows: true class, columns: predicted class')}</p>"
        return said + (_confusions(matrix, classes) if len(classes) > 2 else "")

    def misclassified(self) -> str:
        """Show the images that it gets wrong, those it is surest of first."""
        if self.predicted is None:
            return ""
        target, p = self.predicted
        run, predicted = self.first, p.argmax(axis=1)
        confidence = p.max(axis=1)
        wrong = np.flatnonzero(predicted != target)
        chosen = wrong[np.argsort(-confidence[wrong], kind="stable")][:MOST_IMAGES]
        if not len(chosen):
            return f"<p>None of {len(target)} is misclassified.</p>"
        classes = run.splits.classes
        images, _ = next(minibatches([run.test[int(i)] for i in chosen], len(chosen)))
        items = []
        for i, image in zip(chosen, images, strict=True):
            taken, right = classes[predicted[i]], classes[target[i]]
            drawn = picture(image, f"sample {i}, a {right} taken for {taken}")
            items.append(
                f"<li><figure>{drawn}<figcaption><b>{escape(taken)}</b> {100 * confidence[i]:.0f} %"
                f"<small>is {escape(right)}; sample {i}</small></figcaption></figure></li>"
            )
        surest = f"; these are the {len(chosen)} that it is surest of" if len(chosen) < len(wrong) else ""
        said = f"<p>{len(wrong)} of {len(target)} are taken for something else{surest}.</p>"
        return f'{said}<ul class="gallery">{"".join(items)}</ul>'

    # ---- what it looks at ------------------------------------------------------------------------------

    def filters(self) -> str:
        """Show the weights of the first layer as images."""
        weight = filters_of(self.first)
        if weight is None:
            return ""
        n, channels, height, width = weight.shape
        shown = min(n, MOST_FILTERS if channels in (1, 3) else max(1, MOST_FILTERS // channels))
        of = f"{shown} of {n}" if shown < n else f"{n}"
        what = f"{of} filters of {channels}×{height}×{width}"
        if channels == 3:
            return (
                f"<p>{what}, in the colours they respond to; grey is 0.</p>{coloured(weight[:shown], what)}"
            )
        flat = weight[:shown].reshape(-1, height, width)
        largest = f"{float(np.abs(flat).max()):.3g}"
        beside = "" if channels == 1 else ", a filter’s channels side by side"
        return f"<p>{what}{beside}. {_signs(largest)}</p>{signed(flat, what)}"

    def feature_maps(self) -> str:
        """Show what each layer makes of one image, in evaluation mode."""
        run = self.first
        seen = traced(run.setup, run.model, run.splits, training=False)
        drawn = [f"<figure><figcaption>image</figcaption>{picture(seen.x[0], 'the image')}</figure>"]
        for operation in seen:
            y, x = operation.tensors.get("y"), operation.tensors.get("x")
            if y is None or y.ndim != 4 or (x is not None and np.array_equal(x, y)):
                continue
            count, height, width = y.shape[1:]
            shown = max(1, min(count, MOST_FILTERS, MOST_VALUES // (height * width)))
            of = f"{shown} of {counted(count, 'map')}" if shown < count else counted(count, "map")
            name = f"{operation.name} {operation.layer}"
            words = f"{of} of {height}×{width}, largest {float(np.abs(y).max()):.3g}"
            drawn.append(
                f"<figure><figcaption><b>{escape(name)}</b><small>{words}</small></figcaption>"
                f"{signed(y[0, :shown], f'{name}: {words}')}</figure>"
            )
            if len(drawn) > MOST_LAYERS:
                break
        said = f"<p>Sample 0 of the {run.judged_on} part. {_signs('')}</p>"
        return f'{said}<div class="maps">{"".join(drawn)}</div>'

    # ---- with what it was made -------------------------------------------------------------------------

    def described(self) -> str:
        """List the settings it was trained with, and print the model."""
        listed = {name: value for name, value in self.settings.items() if name not in ("model", "data")}
        parts = dict(self.settings.get("data", {}))
        listed |= {f"data: {name}": value for name, value in parts.items()}
        model = "\n".join(self.settings.get("model", []))
        return definitions(listed) + f'<div class="scroll"><pre>{escape(model)}</pre></div>'

    def trace(self) -> str:
        """Put the page of one training step into this one; it is opened by a click."""
        run = self.first
        others = any(run.engine != engines.get(engines.NUMPY).title for run in self.runs)
        reference = tracing.installed_reference() if others else None
        page = traced(run.setup, run.model, run.splits, reference=reference).html()
        if len(page) > MOST_OF_A_TRACE:
            return "<p>It is too large to be shown here; <code>npnet trace</code> writes a page of it.</p>"
        quoted = page.replace("&", "&amp;").replace("'", "&#39;")
        return (
            f"<details class='trace'><summary>Sample 0 of the {run.judged_on} part, forward and backward: "
            "every array, and the sum behind every number</summary>"
            f"<iframe title='One training step' loading='lazy' srcdoc='{quoted}'></iframe></details>"
        )


def filters_of(run: Run) -> ndarray | None:
    """Return the weights of the first layer as images (n, c, h, w); None if they are none.

    They are those of a convolution, or of a fully connected layer that looks at images.
    """
    first, shape = next(iter(run.model.parameters.values()), None), run.setup.input_shape
    if first is None or len(shape) != 3:
        return None
    if first.ndim == 4:
        return first
    return first.reshape(-1, *shape) if first.ndim == 2 and first.shape[1] == math.prod(shape) else None


def scroll(table: str, name: str) -> str:
    """Return a table in a box that scrolls sideways, by keyboard too."""
    return f'<div class="scroll" role="region" aria-label="{escape(name)}" tabindex="0">{table}</div>'


def definitions(values: Mapping[str, Any]) -> str:
    """Return names with their values."""
    rows = (
        f"<div><dt>{escape(str(name).replace('_', ' '))}</dt><dd>{escape(_value(value))}</dd></div>"
        for name, value in values.items()
    )
    return f"<dl>{''.join(rows)}</dl>"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_value(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_value, value))
    if isinstance(value, int):
        return f"{value:,}".replace(",", " ")
    return "none" if value is None else str(value)


def _numbered(curves: list[Curve]) -> list[Curve]:
    """Return the curves that have a number."""
    return [curve for curve in curves if not all(map(math.isnan, curve.values))]


def _signs(largest: str) -> str:
    strongest = (
        f" The strongest colour is {largest}." if largest else " The strongest colour is a layer’s largest."
    )
    return (
        f'<span class="above">Blue</span> is above zero, <span class="below">orange</span> below.{strongest}'
    )


def _cells(matrix: ndarray, classes: tuple[str, ...]) -> str:
    """Return a confusion matrix as a table: right ones blue, wrong ones orange, by their share of the row."""
    totals, named = matrix.sum(axis=1), matrix.sum(axis=0)
    upright = ' class="upright"' if max(map(len, classes)) > LONG_NAME else ""
    heads = "".join(f'<th scope="col"{upright}><span>{escape(name)}</span></th>' for name in classes)
    rows = []
    for i, name in enumerate(classes):
        cells = []
        for j, count in enumerate(matrix[i]):
            share = count / totals[i] if totals[i] else 0.0
            kind = "right" if i == j else "wrong"
            strong = " strong" if share > 0.55 else ""
            style = f' style="--share:{100 * share**0.5:.0f}%"' if count else ""
            cells.append(f'<td class="{kind}{strong}"{style}>{count or "·"}</td>')
        recall = f"{100 * matrix[i, i] / totals[i]:.1f}" if totals[i] else "–"
        rows.append(
            f'<tr><th scope="row">{escape(name)}</th>{"".join(cells)}<td class="edge">{recall}</td></tr>'
        )
    precision = "".join(
        f'<td class="edge">{f"{100 * matrix[j, j] / count:.0f}" if count else "–"}</td>'
        for j, count in enumerate(named)
    )
    return (
        '<table class="confusion"><caption>Rows: the true class. Columns: the predicted one.</caption>'
        f'<thead><tr><td></td>{heads}<th scope="col" class="edge">recall %</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody>"
        f'<tfoot><tr><th scope="row" class="edge">precision %</th>{precision}<td></td></tr></tfoot></table>'
    )


def _confusions(matrix: ndarray, classes: tuple[str, ...]) -> str:
    """List what is taken for something else most often."""
    wrong = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_CONFUSIONS]
    pairs = [np.unravel_index(place, wrong.shape) for place in order if wrong.flat[place]]
    items = [f"{escape(classes[i])} for {escape(classes[j])}: {wrong[i, j]}" for i, j in pairs]
    return f"<p>Most often taken: {'; '.join(items)}.</p>" if items else ""
