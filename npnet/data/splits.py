"""Training, validation and test part, and what is known about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from npnet.data import _check
from npnet.data.dataset import ArrayDataset, Dataset
from npnet.data.standardize import Standardization, standardize
from npnet.errors import InputError

D = TypeVar("D", bound=Dataset)


@dataclass(frozen=True, eq=False)
class Splits(Generic[D]):
    """The parts of a data set: one to learn from, one to choose by, one to judge by.

    Parameters
    ----------
    train : Dataset
        What is learnt from.
    validation : Dataset, optional
        What early stopping and choices between settings look at.
    test : Dataset, optional
        Looked at once, in the end.
    classes : tuple of str
        The name of each class, in the order of the labels; empty where there are no classes.
    name : str
        What the data set is called.
    standardization : Standardization, optional
        The map that brought x to its present form, if one was applied.

    Raises
    ------
    InputError
        If parts held in arrays differ in sample shape or dtype, or a label names no class.

    Examples
    --------
    >>> part = ArrayDataset(np.array([[1.0], [3.0], [5.0]]), np.array([0, 1, 2]))
    >>> splits = Splits(part, None, part, classes=("cat", "dog", "owl"))
    >>> splits.keep("owl", "cat").train.y
    array([1, 0])
    >>> float(splits.standardized().train.x.mean())
    0.0
    """

    train: D
    validation: D | None = None
    test: D | None = None
    classes: tuple[str, ...] = ()
    name: str = ""
    standardization: Standardization | None = None

    def __post_init__(self) -> None:
        for title, part in self.parts().items():
            if isinstance(part, ArrayDataset):
                self._check_samples(title, part)
                self._check_labels(title, part)

    def parts(self) -> dict[str, D]:
        """Return the parts there are, by name."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {title: part for title, part in named.items() if part is not None}

    def standardized(self) -> Splits[ArrayDataset]:
        """Return the parts standardised by the training part's statistics; see `standardize`.

        Raises
        ------
        InputError
            If they are standardised already, or not held in arrays.
        """
        if self.standardization is not None:
            raise InputError("Splits: the parts must not be standardised twice")
        parts = self._arrays()
        mapped, standardization = standardize(*parts.values())
        return self._with(dict(zip(parts, mapped, strict=True)), standardization=standardization)

    def keep(self, *classes: str) -> Splits[ArrayDataset]:
        """Return the samples of the named classes alone, labelled 0, 1, … in the order of the names.

        Raises
        ------
        InputError
            If a name is unknown or given twice, the parts are not held in arrays, or one of them has no
            sample left.
        """
        if not classes or len(set(classes) & set(self.classes)) < len(classes):
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
        return self._with(kept, classes=classes)

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
        )

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
        _check.class_labels(f"Splits: {title}", part.y)
        outside = np.flatnonzero((part.y < 0) | (part.y >= len(self.classes)))
        if outside.size:
            raise InputError(
                f"Splits: {title}'s labels must be 0..{len(self.classes) - 1}, "
                f"got {part.y[outside[0]]} at sample {outside[0]}"
            )
