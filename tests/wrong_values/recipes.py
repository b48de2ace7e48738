"""Rows for `npnet.recipes`, `npnet.run` and `npnet.cli`."""

import atexit
import shutil
import tempfile

import numpy as np
from matplotlib.figure import Figure

from npnet import cli, nn, optim, recipes
from npnet.data import ArrayDataset, Splits
from npnet.recipes import NetworkRecipe, Options, Recipe, Result, Spec
from npnet.run import RunFolder
from tests.wrong_values.table import COUNT, FLAG, FUNCTION, NOT_NEGATIVE, POSITIVE, SIZE, TEXT, Row, without

TOO_MANY = [10**13, 10**400]
NO_TEXT = [*TEXT, None, b"bytes", 1j]
PATH = [*without(NO_TEXT, None), "", "a\0b", b"bytes"]
NO_PATH = [*PATH, None]
FILE_NAME = [*NO_TEXT, "", ".", "..", "a/b", "a\0b", "../a"]
NO_MAPPING = [None, 3, "text", [1], (1, 2)]
SPEC = [None, "SGD", optim.SGD, 0.1, {"lr": 0.1}]
CALLABLE = [None, *FUNCTION]
OPTIONS = [None, {}, "quick", Options, 3]


def points(_):
    return Splits(ArrayDataset(np.ones((4, 1)), np.ones((4, 1))))


def described(**others):
    return {"name": "a", "title": "", "source": "", "reported": "", "expects": "", **others}


def network():
    return described(
        data=points,
        input_shape=(1,),
        model=lambda generator: nn.Linear(1, 1, generator=generator, dtype=np.float64),
        optimizer=Spec("SGD", lr=0.1),
        epochs=1,
        batch_size=4,
        loss=Spec("MSELoss"),
        schedule=None,
        patience=None,
        keep_best=True,
        quick_epochs=1,
        quick_images=4,
    )


FOLDER = tempfile.mkdtemp()
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)


class Nothing(Recipe):
    def carry_out(self, options, folder, report):
        return Result("finished", "nothing", folder.path, (), {})


def anywhere(use):
    """Let something be done in a folder that goes away again."""
    with tempfile.TemporaryDirectory() as out:
        return use(out)


def make_options(
    seed, epochs, batch_size, lr, data, quick, progress, engine, device, threads, engine_options
):
    return Options(
        seed=seed, epochs=epochs, batch_size=batch_size, lr=lr, data=data, quick=quick,
        progress=progress, engine=engine, device=device, threads=threads, engine_options=engine_options,
    )  # fmt: skip


def make_recipe(name, title, source, reported, expects, dataset, whole):
    return Nothing(
        name=name, title=title, source=source, reported=reported, expects=expects, dataset=dataset,
        whole=whole,
    )  # fmt: skip


def make_network(
    name, title, source, reported, expects, data, input_shape, model, optimizer, epochs, batch_size, loss,
    schedule, patience, keep_best, quick_epochs, quick_images,
):  # fmt: skip
    return NetworkRecipe(
        name=name, title=title, source=source, reported=reported, expects=expects, data=data,
        input_shape=input_shape, model=model, optimizer=optimizer, epochs=epochs, batch_size=batch_size,
        loss=loss, schedule=schedule, patience=patience, keep_best=keep_best,
        quick_epochs=quick_epochs, quick_images=quick_images,
    )  # fmt: skip


def run(options, out, report):
    return Nothing(**described()).run(options, out, report)


def run_anywhere(options, report):
    return anywhere(lambda out: run(options, out, report))


def only(networks):
    return recipes.get("linreg").only(*networks)


def of(sizes):
    return recipes.get("mnist-svm").of(*sizes)


def given(options):
    return NetworkRecipe(**network()).given(options)


def splits(options):
    return NetworkRecipe(**network()).splits(options)


def make_spec(kind, module):
    return Spec(kind, lr=0.1).make(module, {"w": np.zeros(1)})


def make_folder(recipe):
    return anywhere(lambda out: RunFolder(out, recipe))


def folder_out(out):
    return RunFolder(out, "a").discard()


def write_json(name, values):
    return anywhere(lambda out: RunFolder(out, "a").write_json(name, values))


def append_jsonl(name, values):
    return anywhere(lambda out: RunFolder(out, "a").append_jsonl(name, values))


def write(name, write):
    return anywhere(lambda out: RunFolder(out, "a").write(name, write))


def figure(name, figure):
    return anywhere(lambda out: RunFolder(out, "a").figure(name, figure))


WORDS = {name: without(NO_TEXT, "") for name in ("title", "source", "reported", "expects")}

ROWS = [
    Row(
        "npnet.recipes.Options",
        make_options,
        lambda: {
            "seed": 0,
            "epochs": 1,
            "batch_size": 1,
            "lr": 0.1,
            "data": "data",
            "quick": False,
            "progress": False,
            "engine": "numpy",
            "device": "cpu",
            "threads": 1,
            "engine_options": {},
        },
        {
            "seed": [*COUNT, 2**64],
            "epochs": [*without(POSITIVE, None), *TOO_MANY],
            "batch_size": [*without(POSITIVE, None), *TOO_MANY],
            "lr": [*without(NOT_NEGATIVE, None), 0, 0.0],
            "data": PATH,
            "quick": [*FLAG, None],
            "progress": [*FLAG, None],
            "engine": [None, "jax", 3, ["numpy"]],
            "device": ["tpu", 3, ["cpu"]],
            "threads": [*without(POSITIVE, None), 1025],
            "engine_options": NO_MAPPING,
        },
    ),
    Row(
        "npnet.recipes.Result",
        Result,
        lambda: {
            "status": "finished",
            "headline": "so",
            "folder": "runs",
            "figures": ("a.png",),
            "values": {},
        },
        {
            "status": [None, "failed", 3],
            "headline": NO_TEXT,
            "folder": NO_PATH,
            "figures": [None, "a.png", 3, [None], [""], ("a\0b",)],
            "values": NO_MAPPING,
        },
    ),
    Row(
        "npnet.engines.Spec.make",
        make_spec,
        lambda: {"kind": "SGD", "module": optim},
        {"kind": [*NO_TEXT, "", "no name", "NoSuch"], "module": [None, "optim", optim.SGD, {}]},
    ),
    Row(
        "npnet.recipes.Recipe",
        make_recipe,
        lambda: described(dataset=None, whole=True),
        {
            "name": [*NO_TEXT, "", "a\0b"],
            **WORDS,
            "dataset": without([3, "imagenet", ["mnist"], b"mnist", {}]),
            "whole": [*FLAG, None],
        },
    ),
    Row(
        "npnet.recipes.NetworkRecipe",
        make_network,
        network,
        {
            "name": [*NO_TEXT, ""],
            **WORDS,
            "data": CALLABLE,
            "input_shape": [*without(SIZE, SIZE[2]), None, 3, (0,), (-1,), [1.5], np.array([1])],
            "model": CALLABLE,
            "optimizer": SPEC,
            "epochs": POSITIVE,
            "batch_size": POSITIVE,
            "loss": SPEC,
            "schedule": FUNCTION,
            "patience": without(POSITIVE, None),
            "keep_best": [*FLAG, None],
            "quick_epochs": POSITIVE,
            "quick_images": POSITIVE,
        },
    ),
    Row("npnet.recipes.get", recipes.get, lambda: {"name": "digits"}, {"name": without(NO_TEXT)}),
    Row(
        "npnet.recipes.Recipe.run",
        run_anywhere,
        lambda: {"options": Options(), "report": print},
        {"options": OPTIONS, "report": CALLABLE},
    ),
    Row(
        "npnet.recipes.Recipe.run, its folder",
        lambda out: run(Options(), out, print),
        lambda: {"out": FOLDER},
        {"out": NO_PATH},
    ),
    Row(
        "npnet.recipes.Recipe.only",
        only,
        lambda: {"networks": ["two points"]},
        {"networks": [[], ["no such"], [3], [None]]},
    ),
    Row(
        "npnet.recipes.Recipe.of",
        of,
        lambda: {"sizes": [12]},
        {"sizes": [[], [0], [-1], [1.5], ["12"], [None], [True]]},
    ),
    Row("npnet.recipes.NetworkRecipe.given", given, lambda: {"options": Options()}, {"options": OPTIONS}),
    Row("npnet.recipes.NetworkRecipe.splits", splits, lambda: {"options": Options()}, {"options": OPTIONS}),
    Row("npnet.run.RunFolder", make_folder, lambda: {"recipe": "digits"}, {"recipe": FILE_NAME}),
    Row("npnet.run.RunFolder, out", folder_out, lambda: {"out": FOLDER}, {"out": NO_PATH}),
    Row(
        "npnet.run.RunFolder.write_json",
        write_json,
        lambda: {"name": "a.json", "values": {}},
        {"name": FILE_NAME, "values": NO_MAPPING},
    ),
    Row(
        "npnet.run.RunFolder.append_jsonl",
        append_jsonl,
        lambda: {"name": "a.jsonl", "values": {}},
        {"name": FILE_NAME, "values": NO_MAPPING},
    ),
    Row(
        "npnet.run.RunFolder.write",
        write,
        lambda: {"name": "a", "write": lambda file: file.write(b"")},
        {"name": FILE_NAME, "write": CALLABLE},
    ),
    Row(
        "npnet.run.RunFolder.figure",
        figure,
        lambda: {"name": "a.png", "figure": Figure(figsize=(1, 1))},
        {"name": [*FILE_NAME, "picture", "a.doc"], "figure": [None, 3, "a.png", np.ones((2, 2))]},
    ),
    Row(
        "npnet.cli.main",
        cli.main,
        lambda: {"arguments": ["--version"]},
        {"arguments": ["train", b"train", 3, [3], ["train", None], {}, {"train": 1}]},
    ),
]
