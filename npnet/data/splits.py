"""The training, validation and test parts of a data set, and their description."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np

from npnet import check
from npnet._words import counted
from npnet.data._targets import standardized_targets
from npnet.data.dataset import ArrayDataset, Dataset
from npnet.data.image_format import ImageFormat
from npnet.data.report import Report
from npnet.data.row_format import RowFormat
from npnet.data.standardize import Standardization, standardize
from npnet.errors import InputError
from npnet.table import html_table, table

D = TypeVar("D", bound=Dataset)


_ADJECTIVES = {"train": "training", "validation": "validation", "test": "test"}
_MOST_CLASSES = 20  # columns of class counts in a table


@dataclass(frozen=True, eq=False, repr=False)
class Splits(Generic[D]):
    """The training, validation and test parts of a data set.

    Parameters
    ----------
    train : Dataset
        The samples to train on.
    validation : Dataset, optional
        The samples for early stopping and for choosing settings.
    test : Dataset, optional
        The samples for the final evaluation.
    classes : tuple of str
        The name of each class, in the order of the labels; empty if there are no classes.
    name : str
        The name of the data set.
    standardization : Standardization, optional
        The map that was applied to x, if any.
    format : RowFormat or ImageFormat, optional
        The format of the raw data, which encodes future data in the same way.
    report : Report, optional
        What was found in the raw data.
    target_standardization : Standardization, optional
        In regression, the map that was applied to y, if any; its `undo` gives the original units.

    Raises
    ------
    InputError
        If an argument has the wrong type, parts held in arrays differ in sample shape or dtype, or a label is
        not the index of a class.

    Examples
    --------
    >>> part = ArrayDataset(np.array([[1.0], [3.0], [5.0]]), np.array([0, 1, 2]))
    >>> splits = Splits(part, None, part, classes=("cat", "dog", "owl"))
    >>> splits.keep("owl", "cat").train.y
    array([1, 0])
    >>> float(splits.standardized().train.x.mean())
    0.0
    >>> splits
    Splits(3 training, 3 test samples of shape (1,); 3 classes)
    """

    train: D
    validation: D | None = None
    test: D | None = None
    classes: tuple[str, ...] = ()
    name: str = ""
    standardization: Standardization | None = None
    format: RowFormat | ImageFormat | None = None
    report: Report | None = None
    target_standardization: Standardization | None = None

    def __post_init__(self) -> None:
        self._check_kinds()
        for title, part in self.parts().items():
            if isinstance(part, ArrayDataset):
                self._check_samples(title, part)
                self._check_labels(title, part)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one sample; ``splits.input_shape[0]`` is the number of features of a table."""
        x = self.train.x[0] if isinstance(self.train, ArrayDataset) else self.train[0][0]
        return tuple(int(size) for size in np.shape(x))

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the features, or () if they have none."""
        return self.format.features if isinstance(self.format, RowFormat) else ()

    @property
    def task(self) -> str:
        """The task of the targets: "classification" or "regression"."""
        if self.classes:
            return "classification"
        target = self.train.y[0] if isinstance(self.train, ArrayDataset) else self.train[0][1]
        label = np.asarray(target)
        return "classification" if label.ndim == 0 and label.dtype.kind in "iu" else "regression"

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(part)} {_ADJECTIVES[title]}" for title, part in self.parts().items())
        name = f"{self.name}: " if self.name else ""
        what = counted(len(self.classes), "class", "classes") if self.classes else self.task
        return f"Splits({name}{counts} samples of shape {self.input_shape}; {what})"

    def __str__(self) -> str:
        """Return a table of the parts, followed by the report if there is one."""
        text = [repr(self), table(*self._table())]
        return "\n".join([*text, *([] if self.report is None else ["", str(self.report)])])

    def _repr_html_(self) -> str:
        """Return the same as HTML, for a notebook."""
        columns, rows = self._table()
        drawn = html_table(columns, rows, title=repr(self))
        return drawn if self.report is None else f"{drawn}\n{self.report._repr_html_()}"

    def _table(self) -> tuple[list[str], list[list[object]]]:
        """Return a row for each part, with its number of samples of each class if there are few classes."""
        shown = self.classes if len(self.classes) <= _MOST_CLASSES else ()
        rows: list[list[object]] = []
        for title, part in self.parts().items():
            row: list[object] = [title, len(part)]
            if shown and isinstance(part, ArrayDataset):
                row += np.bincount(part.y, minlength=len(shown)).tolist()
            rows.append([*row, *[""] * (2 + len(shown) - len(row))])
        return ["part", "samples", *shown], rows

    def parts(self) -> dict[str, D]:
        """Return the parts that are not None, by name."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {title: part for title, part in named.items() if part is not None}

    def standardized(self) -> Splits[ArrayDataset]:
        """Return the parts standardised with the training part's statistics; see `standardize`.

        In regression the targets are standardised too: a network's outputs start near 0 and would need many
        steps to reach targets in the thousands. Integer targets, and multi-label targets of only 0 and 1,
        stay as they are.

        Raises
        ------
        InputError
            If the parts are standardised already, not held in arrays, or hold numbers that are not finite.
        """
        if self.standardization is not None:
            raise InputError("Splits: the parts must not be standardised twice")
        parts = self._arrays()
        mapped, standardization = standardize(*parts.values())
        named, of_target = dict(zip(parts, mapped, strict=True)), None
        if self.task == "regression" and self.target_standardization is None:
            named, of_target = standardized_targets(named)
        splits = self._with(named, standardization=standardization)
        if of_target is None:
            return splits
        report = self.report
        if report is not None:
            report = replace(report, remarks=(*report.remarks, self._target_remark(of_target)))
        return replace(splits, target_standardization=of_target, report=report)

    def _target_remark(self, standardization: Standardization) -> str:
        """Return a remark on how to read the loss of a standardised target."""
        name = repr(self.format.target) if isinstance(self.format, RowFormat) else "y"
        means = ", ".join(f"{mean:g}" for mean in standardization.mean[:3])
        shown = means if len(standardization.mean) <= 3 else f"{means}, …"
        return (
            f"target {name} is standardised: always predicting its mean ({shown}) has a squared error of 1; "
            "predict of a saved model answers in the target's own units"
        )

    def keep(self, *classes: str) -> Splits[ArrayDataset]:
        """Return only the samples of the named classes, labelled 0, 1, … in the order of the names.

        Raises
        ------
        InputError
            If a name is unknown or given twice, the parts are not held in arrays, or one of them has no
            sample left.
        """
        are_names = all(isinstance(name, str) for name in classes)
        if not classes or not are_names or len(set(classes) & set(self.classes)) < len(classes):
            raise InputError(
                f"Splits: classes must be different ones of {', '.join(self.classes)}, got {classes}"
            )
        new_label = np.full(len(self.classes), -1)
        new_label[[self.classes.index(name) for name in classes]] = np.arange(len(classes))
        kept = {}
        for title, part in self._arrays().items():
            y = new_label[part.y]
            if not (y >= 0).any():
                raise InputError(f"Splits: {title} must hold samples of {', '.join(classes)}, got none")
            kept[title] = ArrayDataset(part.x[y >= 0], y[y >= 0])
        return replace(self._with(kept, classes=classes), report=None)  # the report is about all classes

    def _arrays(self) -> dict[str, ArrayDataset]:
        arrays: dict[str, ArrayDataset] = {}
        for title, part in self.parts().items():
            if not isinstance(part, ArrayDataset):
                raise InputError(f"Splits: {title} must be an ArrayDataset, got {type(part).__name__}")
            arrays[title] = part
        return arrays

    def _with(
        self,
        parts: dict[str, ArrayDataset],
        *,
        classes: tuple[str, ...] | None = None,
        standardization: Standardization | None = None,
    ) -> Splits[ArrayDataset]:
        return Splits(
            parts["train"],
            parts.get("validation"),
            parts.get("test"),
            classes=self.classes if classes is None else classes,
            name=self.name,
            standardization=standardization or self.standardization,
            format=self.format,
            report=self.report,
            target_standardization=self.target_standardization,
        )

    def _check_kinds(self) -> None:
        for name in ("train", "validation", "test"):
            part: Any = getattr(self, name)
            if part is not None or name == "train":
                kind = "a data set, with __len__ and __getitem__"
                check.instance("Splits", name, part, Dataset, kind)  # type: ignore[type-abstract] # a protocol
        classes: Any = self.classes
        if not isinstance(classes, tuple) or not all(isinstance(name, str) for name in classes):
            raise InputError(f"Splits: classes must be a tuple of strings, got {check.described(classes)}")
        if len(set(classes)) < len(classes):
            raise InputError(f"Splits: classes must have different names, got {classes!r:.200}")
        check.instance("Splits", "name", self.name, str, "text")
        optional: dict[str, tuple[tuple[type, ...], str]] = {
            "standardization": ((Standardization,), "a Standardization"),
            "format": ((RowFormat, ImageFormat), "a RowFormat, an ImageFormat"),
            "report": ((Report,), "a Report"),
            "target_standardization": ((Standardization,), "a Standardization"),
        }
        for name, (kinds, words) in optional.items():
            value: Any = getattr(self, name)
            if value is not None and not isinstance(value, kinds):
                raise InputError(f"Splits: {name} must be {words} or None, got {check.described(value)}")

    def _check_samples(self, title: str, part: ArrayDataset) -> None:
        if not isinstance(self.train, ArrayDataset):
            return
        for what in ("shape", "dtype"):
            expected, got = getattr(self.train.x[0], what), getattr(part.x[0], what)
            if expected != got:
                raise InputError(f"Splits: {title}'s samples must have train's {what}, {expected}, got {got}")

    def _check_labels(self, title: str, part: ArrayDataset) -> None:
        if not self.classes:
            return
        check.class_labels(f"Splits: {title}", part.y)
        outside = np.flatnonzero((part.y < 0) | (part.y >= len(self.classes)))
        if outside.size:
            raise InputError(
                f"Splits: {title}'s labels must be 0..{len(self.classes) - 1}, "
                f"got {part.y[outside[0]]} at sample {outside[0]}"
            )
