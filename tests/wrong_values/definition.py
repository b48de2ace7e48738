"""Rows for `npnet.definition`: its arrays, for it is to be read rather than used."""

import numpy as np

from npnet import definition
from tests.examples.operations import ARGUMENTS
from tests.wrong_values.table import CHOICE, FLOAT_ARRAY, INTEGER, LABELS, Row, without

READ = "the definition is its equation, made for reading and for tests"
WRONG = {"target": LABELS, "ignore_index": INTEGER, "reduction": CHOICE}


def row(name):
    call = getattr(definition, name)
    backward = name.endswith("_backward")
    operation = name.removesuffix("_backward")

    def good():
        given = ARGUMENTS[operation].good()
        if backward:
            given.pop("bias", None)
            given = {"grad_y": np.asarray(getattr(definition, operation)(**given)), **given}
        return given

    arrays = {
        key: FLOAT_ARRAY if key in ("x", "grad_y") else without(FLOAT_ARRAY, None)
        for key, value in good().items()
        if isinstance(value, np.ndarray) and key != "target"
    }
    wrong = arrays | {key: values for key, values in WRONG.items() if key in good()}
    free = {key: READ for key in good() if key not in wrong} | {"dim": READ, "negative_slope": READ}
    return Row(f"npnet.definition.{name}", call, good, wrong, free)


ROWS = [row(name) for name in definition.__all__]
