"""Everything public meets values that it must not take, and says in words what it does not take."""

import importlib
import inspect
import pkgutil
import re

import pytest

import tests.wrong_values
from npnet.errors import InputError

ROOMS = [info.name for info in pkgutil.iter_modules(tests.wrong_values.__path__) if info.name != "table"]


def rows():
    found = []
    for room in ROOMS:
        try:
            found += importlib.import_module(f"tests.wrong_values.{room}").ROWS
        except ModuleNotFoundError as missing:
            if missing.name not in {"torch", "torchvision"}:
                raise
    return found


ROWS = rows()
LONGEST = 500  # characters of a message


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_right_values_are_taken(row, bare):
    row.call(**row.good())


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_wrong_values_are_refused_in_words(row, bare):
    faults = [
        f"{name}={value!r:.60}: {fault}"
        for name, values in row.wrong.items()
        for value in values
        if (fault := fault_of(row, name, value))
    ]
    assert not faults, "\n".join([row.name, *faults])


def fault_of(row, name, value):
    """Return what is wrong with how a wrong value is met; None if nothing is."""
    try:
        row.call(**(row.good() | {name: value}))
    except InputError as error:
        message = str(error)
        if name not in message:
            return f"the message does not name the argument: {message}"
        return f"the message is too long: {message}" if len(message) > LONGEST else None
    except Exception as error:  # noqa: BLE001 - any other is a fault
        return f"{type(error).__name__}: {error}"
    return "taken"


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_argument_is_looked_at(row):
    wanted = {
        name
        for name, parameter in inspect.signature(row.call).parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }
    assert wanted <= row.wrong.keys() | row.free.keys()


PUBLIC = (
    "npnet", "npnet.functional", "npnet.nn", "npnet.optim", "npnet.data", "npnet.train", "npnet.metrics",
    "npnet.parallel", "npnet.plot", "npnet.checkpoint", "npnet.models", "npnet.saved", "npnet.recipes",
    "npnet.gradcheck", "npnet.engines", "npnet.experiments", "npnet.tracing",
)  # fmt: skip
WITHOUT = {
    "errors, which are raised and not called": {
        "AnomalyError", "DTypeError", "GradcheckError", "InputError", "MissingError",
    },
    "what only the library makes": {
        "BatchResult", "Checkpoint", "Comparison", "Derivative", "Divergence", "Explanation", "Factor",
        "Finding", "GradcheckReport", "InputReport", "Kept", "Moment", "Operation", "Rule", "Run", "Runner",
        "State", "Statistics", "Sum", "Summary", "Symptom", "Trace", "Update", "UpdateLine", "WrongLayer",
    },
    "names of types": {
        "CheckingEngine", "Data", "Dataset", "Engine", "Gradients", "LayerBackward", "ProgressMode",
        "Reference", "ResumableEngine", "ScheduleEvery",
    },
    "a base class, looked at by those made of it": {"Layer"},
    "without arguments": {"installed_reference", "names"},
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLIC)
def test_everything_public_has_a_row(name):
    module = importlib.import_module(name)
    with_row = set(re.findall(r"\w+", " ".join(row.name for row in ROWS)))
    exempt = set().union(*WITHOUT.values())
    own = [each for each in vars(module) if getattr(getattr(module, each), "__module__", None) == name]
    public = {each for each in getattr(module, "__all__", own) if not each.startswith("_")}
    callables = {each for each in public if callable(getattr(module, each))}
    assert callables
    assert callables - with_row - exempt == set()
