"""The 1 797 handwritten digits that scikit-learn includes."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet import check
from npnet.data._images import check_held_out
from npnet.data.dataset import ArrayDataset
from npnet.data.image_format import ImageFormat
from npnet.data.published import published
from npnet.data.split import Size, hold_out
from npnet.data.splits import Splits
from npnet.shapes import Float


@published(download="")
def digits(
    generator: Generator, *, validation: Size | None = 0.1, standardized: bool = True
) -> Splits[ArrayDataset]:
    """Return the 1 797 handwritten digits of scikit-learn, with a fifth of them as the test part.

    Parameters
    ----------
    generator : numpy.random.Generator
        Decides which digits are held out.
    validation : float, int or None
        Size of the validation part, taken from the other four fifths: a fraction, a number of samples, or
        None for no such part.
    standardized : bool
        Whether x is standardised with the training part's mean and standard deviation; otherwise it is in
        [0, 1].

    Returns
    -------
    Splits
        x is float32 of shape (n, 1, 8, 8), and y is the digit. All parts are stratified by digit.

    Raises
    ------
    InputError
        If generator is not a generator, or the size of the validation part does not fit.

    References
    ----------
    Alpaydin, Kaynak, *Optical recognition of handwritten digits*, UCI Machine Learning Repository (1998);
    scikit-learn includes its test part, as 8×8 counts of dark pixels from 0 to 16.

    Examples
    --------
    >>> splits = digits(np.random.default_rng(0))
    >>> [len(part) for part in splits.parts().values()]
    [1294, 144, 359]
    >>> splits.train.x.shape
    (1294, 1, 8, 8)
    """
    check.generator("digits", generator)
    check_held_out("digits", validation, generator)
    standardized = check.flag("digits", "standardized", standardized)
    counts, labels = _published()
    x = counts.astype(np.float32).reshape(-1, 1, 8, 8) / np.float32(16)
    rest, test = hold_out(ArrayDataset(x, labels.astype(np.int64)), 0.2, generator)
    train, held_out = hold_out(rest, validation, generator)
    splits = Splits(
        train, held_out, test, classes=tuple("0123456789"), name="digits", format=ImageFormat(8, 8, "L")
    )
    return splits.standardized() if standardized else splits


def _published() -> tuple[Float[ndarray, "n 64"], Float[ndarray, " n"]]:
    """Return the counts and the labels, read from scikit-learn's file: importing it takes a second.

    Where the file is not at its usual place, scikit-learn itself is asked.
    """
    package = find_spec("sklearn")
    for folder in (package and package.submodule_search_locations) or ():
        file = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if file.is_file():
            rows = np.loadtxt(file, delimiter=",")
            return rows[:, :-1], rows[:, -1]
    from sklearn.datasets import load_digits  # noqa: PLC0415 - see above

    counts, labels = load_digits(return_X_y=True)
    return counts, labels.astype(float)
