"""Rows for `npnet.engines`."""

from npnet import engines
from npnet.engines import EngineOption, EngineSettings
from tests.wrong_values.table import POSITIVE, TEXT, Row, without

NO_TEXT = [*TEXT, None, b"bytes", 1j]
NO_MAPPING = [3, "text", [1], (1, 2)]
NAME = [*NO_TEXT, "", "no_such_engine"]

ROWS = [
    Row(
        "npnet.engines.EngineOption",
        EngineOption,
        lambda: {"name": "amp", "help": "Compute in less precision.", "choices": ("bf16",)},
        {
            "name": [*NO_TEXT, "", "a b"],
            "help": NO_TEXT,
            "choices": [None, "bf16", ["bf16"], (3,), {}],
        },
    ),
    Row(
        "npnet.engines.EngineSettings",
        EngineSettings,
        lambda: {"device": "cpu", "threads": 1, "options": {}},
        {
            "device": NO_TEXT,
            "threads": [*without(POSITIVE, None), 1025],
            "options": [None, *NO_MAPPING],
        },
    ),
    Row(
        "npnet.engines.Backend.check",
        lambda settings: engines.get("numpy").check(settings),
        lambda: {"settings": EngineSettings()},
        {"settings": [None, {}, "cpu", EngineSettings]},
    ),
    Row("npnet.engines.get", engines.get, lambda: {"name": "numpy"}, {"name": NAME}),
    Row(
        "npnet.engines.chosen",
        engines.chosen,
        lambda: {"engine": "numpy"},
        {"engine": [*NAME, "numpy,", "numpy,no_such_engine"]},
    ),
    Row(
        "npnet.engines.plan",
        engines.plan,
        lambda: {"engine": "numpy", "device": "cpu", "threads": 1, "options": {}},
        {
            "engine": NAME,
            "device": [*without(NO_TEXT, None), "abacus"],
            "threads": [*without(POSITIVE, None), 1025],
            "options": [*NO_MAPPING, {"beads": "glass"}],
        },
    ),
]
