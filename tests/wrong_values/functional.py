"""Rows for `npnet.functional`."""

import numpy as np

from npnet import functional as F
from tests.wrong_values.table import FLOAT_ARRAY, Row


def backward_of_relu(grad_y):
    return F.relu(np.ones(2))[1](grad_y)


ROWS = [
    Row("npnet.functional.relu", F.relu, lambda: {"x": np.ones(2)}, {"x": FLOAT_ARRAY}),
    Row("backward of relu", backward_of_relu, lambda: {"grad_y": np.ones(2)}, {"grad_y": FLOAT_ARRAY}),
]
