"""Errors of predicted numbers: RMSE and R²."""

from __future__ import annotations

import numpy as np
from numpy import ndarray


def errors_of(predicted: ndarray, target: ndarray) -> dict[str, float]:
    """Return RMSE and R², averaged over the columns of the target; R² is NaN where a column is constant.

    Examples
    --------
    >>> errors_of(np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 3.0]))
    {'rmse': 0.5773502691896257, 'r2': 0.5}
    """
    p, t = (np.asarray(values, np.float64).reshape(len(values), -1) for values in (predicted, target))
    with np.errstate(all="ignore"):
        squared = np.square(p - t).mean(axis=0)
        variance = np.square(t - t.mean(axis=0)).mean(axis=0)
        r2 = np.where((t == t[0]).all(axis=0), np.nan, 1 - squared / variance)
    return {"rmse": float(np.sqrt(squared).mean()), "r2": float(r2.mean())}
