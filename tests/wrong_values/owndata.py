"""Rows for one's own data, for data sets and their parts, and for models that are kept."""

import atexit
import shutil
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from npnet import checkpoint, data, nn, saved
from tests.wrong_values.table import FLAG, GENERATOR, POSITIVE, Row, masked, without

FOLDER = Path(tempfile.mkdtemp())
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
TABLE = FOLDER / "table.csv"
TABLE.write_text("size,colour,kind\n" + "".join(f"{i * i},{'rb'[i % 2]},{'ac'[i % 2]}\n" for i in range(20)))
PHOTOS = FOLDER / "photos"
for name, grey in (("dark", 0), ("light", 200)):
    (PHOTOS / name).mkdir(parents=True)
    for i in range(10):
        Image.new("L", (4, 4), grey + i).save(PHOTOS / name / f"{i}.png")

PATH = [None, 3, 1.5, True, [], {}, b"x", "", "a\0b"]  # of one that is none the message has the name
PART = [0, 1.0, 1.5, -0.1, -3, True, "0.2", float("nan"), float("inf"), [0.2], 1j]
GENERATORS = without(GENERATOR, None)
DATASET = [3, "x", [1], np.ones(2), {}]
ARRAYS = data.ArrayDataset(np.arange(20.0).reshape(10, 2), np.arange(10) % 2)
STANDARDIZATION = data.Standardization(np.zeros(2), np.ones(2))
SPLITS = data.arrays(np.arange(20.0).reshape(10, 2), np.arange(10) % 2)
MODEL = nn.Linear(2, 2, generator=np.random.default_rng(0))
ROW_FORMAT = data.RowFormat((data.Column("a"), data.Column("b", ("x", "y"))))
IMAGE_FORMAT = data.ImageFormat(4, 4)
X = [None, 3, "x", {}, masked(), np.ones(3, object), np.ones(3, complex), np.array(3.0)]
WHOLE = FOLDER / "whole.safetensors"
saved.save(WHOLE, MODEL, SPLITS)
SAVED = saved.load(WHOLE)
OF_ARRAYS = saved.SavedModel(nn.Flatten(), "regression", input_shape=(2, 2, 2))
MET_BY_FORMAT = "by the format, in its words: see RowFormat"
TEXTS = [3, "ab", ["a", "b"], (1, 2), ("a", "a"), {}]


def split(dataset, sizes, generator, stratify):
    return data.split(dataset, sizes, generator, stratify)


def splits(**given):
    return data.Splits(**({"train": ARRAYS, "classes": ("a", "c")} | given))


def subset(indices):
    return ARRAYS.subset(indices)


def keep(classes):
    return SPLITS.keep(classes)


def apply(x):
    return STANDARDIZATION(x)


def undo(z):
    return STANDARDIZATION.undo(z)


def rows(rows):
    return ROW_FORMAT(rows)


def images(images):
    return IMAGE_FORMAT(images)


def standardize(train, others):
    return data.standardize(train, others)


def kept(**given):
    return saved.SavedModel(**({"model": MODEL} | given))


ROWS = [
    Row(
        "npnet.data.csv",
        data.csv,
        lambda: {"path": TABLE, "target": "kind"},
        {
            "path": PATH,
            "target": [None, 1.5, True, [], {}, "nonsense", 3, -4, np.int8(100), b"kind"],
            "task": ["classify", 3, True, [], b"regression"],
            "features": [
                3.5,
                True,
                ["nonsense"],
                ["kind"],
                ["size", "size"],
                [None],
                {},
                [],
                "nonsense",
                [7],
            ],
            "drop": [3.5, True, ["nonsense"], [None], {}, "nonsense", [7]],
            "missing": [None, "mean", 3, True],
            "validation": PART,
            "test": PART,
            "standardized": [*FLAG, None],
            "generator": GENERATORS,
            "delimiter": ["", ",,", 3, True, "\n", '"', b","],
            "header": [*FLAG, "yes"],
            "decimal": ["", "x", 3, True],
            "encoding": [3, True, "nonsense", b"utf-8", []],
        },
    ),
    Row(
        "npnet.data.arrays",
        data.arrays,
        lambda: {"x": np.arange(20.0).reshape(10, 2), "y": np.arange(10) % 2},
        {
            "x": X,
            "y": [
                None,
                3,
                "x",
                {},
                masked(),
                np.ones(3),
                np.eye(10),
                [0] * 9,
                np.ones(10),
                [[1], [1, 2]] * 5,
            ],
            "task": ["classify", 3, True, []],
            "missing": [None, "mean", 3, True],
            "validation": PART,
            "test": PART,
            "standardized": [*FLAG, None],
            "generator": GENERATORS,
            "name": [None, 3, [], b"x"],
        },
    ),
    Row(
        "npnet.data.image_folder",
        data.image_folder,
        lambda: {"path": PHOTOS},
        {
            "path": PATH,
            "size": [*without(POSITIVE, None), (8,), (8, 8, 8), (8, "8"), "8", {}, (0, 3), 10**9],
            "mode": [None, "RGBA", 3, "rgb", True],
            "damaged": [None, "ignore", 3, True],
            "validation": PART,
            "test": PART,
            "standardized": [*FLAG, None],
            "generator": GENERATORS,
        },
    ),
    Row(
        "npnet.data.standardize",
        standardize,
        lambda: {"train": ARRAYS, "others": ARRAYS},
        {
            "train": [
                *DATASET,
                None,
                data.ArrayDataset(np.ones(3), np.ones(3)),
                data.ArrayDataset(np.full((3, 2), np.nan), np.ones(3)),
            ],
            "others": [*DATASET, None, data.ArrayDataset(np.full((3, 2), np.inf), np.ones(3))],
        },
    ),
    Row(
        "npnet.data.Standardization",
        data.Standardization,
        lambda: {"mean": np.zeros(2), "deviation": np.ones(2)},
        {
            "mean": [*X, [0.0, 0.0], np.array([np.nan, 0]), np.zeros((1, 2))],
            "deviation": [*X, [1.0, 1.0], np.zeros(2), -np.ones(2), np.array([np.inf, 1]), np.ones(3)],
        },
    ),
    Row(
        "Standardization called",
        apply,
        lambda: {"x": np.ones((3, 2))},
        {"x": [*X, np.ones(2), np.ones((3, 3))]},
    ),
    Row(
        "Standardization.undo", undo, lambda: {"z": np.ones((3, 2))}, {"z": [*X, np.ones(2), np.ones((3, 3))]}
    ),
    Row(
        "npnet.data.ArrayDataset",
        data.ArrayDataset,
        lambda: {"x": np.ones((3, 2)), "y": np.ones(3)},
        {
            "x": [None, 3, "x", [1, 2, 3], {}, masked(), np.array(3.0), np.ones((0, 2)), np.ones(4)],
            "y": [None, 3, "x", [1, 2, 3], {}, masked(), np.array(3.0), np.ones((0, 2)), np.ones(4)],
        },
    ),
    Row(
        "ArrayDataset.subset",
        subset,
        lambda: {"indices": [0, 1]},
        {
            "indices": [
                None,
                3,
                "x",
                [],
                [10],
                [-1],
                [0.5],
                [True],
                {},
                [[0]],
                [[0], [1, 2]],
                np.ones((2, 2), int),
            ],
        },
    ),
    Row(
        "npnet.data.split",
        split,
        lambda: {
            "dataset": ARRAYS,
            "sizes": (0.5, 0.5),
            "generator": np.random.default_rng(0),
            "stratify": True,
        },
        {
            "dataset": [*DATASET, None],
            "sizes": [
                None,
                3,
                "x",
                [],
                (0.5,),
                (0.5, 0.6),
                (5, 6),
                (0, 10),
                (True, False),
                ("a", "b"),
                (float("nan"), 0.5),
                {},
                (0.5, None),
            ],
            "generator": [*GENERATOR, None],
            "stratify": [*FLAG, None],
        },
    ),
    Row(
        "npnet.data.hold_out",
        data.hold_out,
        lambda: {"dataset": ARRAYS, "size": 0.2, "generator": np.random.default_rng(0)},
        {
            "dataset": [*DATASET, None],
            "size": [0, 0.0, 1.0, 10, -1, True, "0.2", [0.2], {}, float("nan"), 1j],
            "generator": [*GENERATOR, None],
        },
    ),
    Row(
        "npnet.data.Splits",
        splits,
        dict,
        {
            "train": [None, 3, ARRAYS.x[0, 0], True],
            "validation": [
                3,
                True,
                data.ArrayDataset(np.ones((3, 5)), np.zeros(3, int)),
                data.ArrayDataset(np.ones((3, 2), np.float32), np.zeros(3, int)),
            ],
            "test": [3, True, data.ArrayDataset(np.ones((3, 2)), np.full(3, 7))],
            "classes": [*TEXTS, None],
            "name": [None, 3, [], b"x"],
            "standardization": [3, "x", {}, np.ones(2)],
            "format": [3, "x", {}, ROW_FORMAT.to_json()],
            "report": [3, "x", {}],
            "target_standardization": [3, "x", {}, np.ones(2)],
        },
    ),
    Row("Splits.keep", keep, lambda: {"classes": "0"}, {"classes": ["2", 0, None, ["0"]]}),
    Row(
        "npnet.data.Report",
        data.Report,
        lambda: {"title": "x"},
        {
            "title": [None, 3, []],
            "columns": [None, "ab", ["a"], (1,)],
            "rows": [None, "x", [], ((1, 2),), (3,)],
            "remarks": [None, "x", [], (3,)],
        },
    ),
    Row(
        "npnet.data.Column",
        data.Column,
        lambda: {"name": "a"},
        {
            "name": [None, 3, [], b"a"],
            "categories": [3, "ab", ["a"], (), (1,), ("a", "a")],
            "fill": ["0", float("nan"), float("inf"), True, [0]],
        },
    ),
    Row(
        "npnet.data.RowFormat",
        data.RowFormat,
        lambda: {"columns": (data.Column("a"),)},
        {
            "columns": [None, 3, (), "a", ("a",), [data.Column("a")], (data.Column("a"),) * 2],
            "target": [None, 3, []],
            "decimal": [None, 3, "x", ""],
        },
    ),
    Row("RowFormat.numbered", data.RowFormat.numbered, lambda: {"features": 3}, {"features": POSITIVE}),
    Row(
        "RowFormat called",
        rows,
        lambda: {"rows": [[1, "x"]]},
        {
            "rows": [
                None,
                3,
                {},
                masked(),
                [],
                [[1]],
                [[1, "z"]],
                [["?", "x"]],
                [["one", "x"]],
                [[np.inf, "x"]],
                [{"a": 1}],
                np.ones((2, 3)),
            ],
        },
    ),
    Row(
        "npnet.data.ImageFormat",
        data.ImageFormat,
        lambda: {"height": 4, "width": 4},
        {
            "height": [*POSITIVE, 2**30],
            "width": [*POSITIVE, 2**30],
            "mode": [None, "RGBA", 3, True],
        },
    ),
    Row(
        "ImageFormat called",
        images,
        lambda: {"images": np.ones((4, 4), np.uint8)},
        {
            "images": [
                None,
                3,
                {},
                [],
                [None],
                np.ones(4),
                np.ones((4, 4), int),
                np.full((4, 4), 2.0),
                np.full((4, 4), np.nan),
                np.ones((0, 4), np.uint8),
                masked(),
            ],
        },
    ),
    Row(
        "npnet.save",
        saved.save,
        lambda: {"path": FOLDER / "new.safetensors", "model": MODEL},
        {
            "path": PATH,
            "model": [None, 3, "x", nn.Linear, MODEL.state_dict(), nn.MSELoss()],
            "data": [3, "x", ARRAYS, {}, data.Splits(ARRAYS, classes=("a", "b", "c"))],
        },
    ),
    Row(
        "npnet.load",
        saved.load,
        lambda: {"path": WHOLE},
        {
            "path": PATH,
            "layers": [None, 3, "Swish", [3], ["Swish"], [nn.ReLU()], nn.ReLU, [int]],
        },
    ),
    Row(
        "npnet.saved.SavedModel",
        kept,
        dict,
        {
            "model": [None, 3, "x", nn.Linear],
            "task": [3, "x", True],
            "classes": [*TEXTS, None],
            "input_shape": [None, 3, "x", [2], (0,), ("2",), (1.5,), (1,) * 99],
            "standardization": [3, "x", {}, STANDARDIZATION],
            "format": [3, "x", {}, ROW_FORMAT],
            "name": [None, 3, []],
            "target_standardization": [3, "x", {}, STANDARDIZATION],
        },
    ),
    Row(
        "SavedModel.evaluate",
        SAVED.evaluate,
        lambda: {"raw": [[1, 2]], "target": ["a"]},
        {"target": [None, 3, "x", [1, 2], np.ones((3, 3)), {}]},
        {"raw": MET_BY_FORMAT},
    ),
    Row("SavedModel.predict", SAVED.predict, lambda: {"raw": [[1, 2]]}, {}, {"raw": MET_BY_FORMAT}),
    Row(
        "SavedModel.predict_proba", SAVED.predict_proba, lambda: {"raw": [[1, 2]]}, {}, {"raw": MET_BY_FORMAT}
    ),
    Row("SavedModel.prepare", SAVED.prepare, lambda: {"raw": [[1, 2]]}, {}, {"raw": MET_BY_FORMAT}),
    Row(
        "SavedModel.prepare of arrays",
        OF_ARRAYS.prepare,
        lambda: {"raw": np.ones((1, 2, 2, 2))},
        {"raw": [*X, np.ones((3, 3))]},
    ),
    Row(
        "npnet.checkpoint.save",
        checkpoint.save,
        lambda: {"path": FOLDER / "arrays.safetensors", "arrays": {"x": np.ones(2)}},
        {
            "path": PATH,
            "arrays": [None, 3, [np.ones(2)], "x"],
            "metadata": [3, "x", {"a": 3}, {3: "a"}, [("a", "b")]],
        },
    ),
    Row("npnet.checkpoint.load", checkpoint.load, lambda: {"path": WHOLE}, {"path": PATH}),
    Row(
        "npnet.checkpoint.save_weights",
        checkpoint.save_weights,
        lambda: {"path": FOLDER / "weights.safetensors", "model": MODEL},
        {
            "path": PATH,
            "model": [None, 3, "x", nn.Linear, MODEL.state_dict()],
        },
    ),
    Row(
        "npnet.checkpoint.load_weights",
        checkpoint.load_weights,
        lambda: {"path": WHOLE, "model": MODEL},
        {
            "path": PATH,
            "model": [None, 3, "x", nn.Linear],
        },
    ),
]
