"""Rows for `npnet.recipes`, `npnet.experiments`, `npnet.run` and `npnet.cli`."""

import atexit
import shutil
import tempfile

import numpy as np
from matplotlib.figure import Figure

from npnet import cli, nn, optim, recipes
from npnet._kept_run import KeptRun
from npnet.data import ArrayDataset, Splits
from npnet.experiments import (
    Experiment,
    Options,
    Result,
    Runner,
    Setup,
    Spec,
    draw_curves,
    draw_network,
    judge_setups,
    largest_difference,
    probabilities,
    traced,
)
from npnet.run import RunFolder, newest_unfinished, read_json
from npnet.train import History
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


def setup(**others):
    return {
        "data": points,
        "input_shape": (1,),
        "model": lambda generator: nn.Linear(1, 1, generator=generator, dtype=np.float64),
        "optimizer": Spec("SGD", lr=0.1),
        "epochs": 1,
        "batch_size": 4,
        "name": "a",
        "loss": Spec("MSELoss"),
        "schedule": None,
        "schedule_every": "epoch",
        "patience": None,
        "keep_best": True,
        "fixed_batch_size": False,
        "snapshot_epochs": None,
        "threads": None,
        "quick_epochs": 1,
        "quick_images": 4,
        **others,
    }


FOLDER = tempfile.mkdtemp()
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)


def nothing():
    return Experiment(**described(study=lambda runner: ("nothing", {})))


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


def make_experiment(
    name, title, source, reported, expects, setups, study, dataset, sizes, quick_sizes, details, takes,
    keeps_all_weights, whole,
):  # fmt: skip
    return Experiment(
        name=name, title=title, source=source, reported=reported, expects=expects, setups=setups, study=study,
        dataset=dataset, sizes=sizes, quick_sizes=quick_sizes, details=details, takes=takes,
        keeps_all_weights=keeps_all_weights, whole=whole,
    )  # fmt: skip


def make_setup(
    data, input_shape, model, optimizer, epochs, batch_size, name, loss, schedule, schedule_every,
    patience, keep_best, fixed_batch_size, snapshot_epochs, threads, quick_epochs, quick_images,
):  # fmt: skip
    return Setup(
        data=data, input_shape=input_shape, model=model, optimizer=optimizer, epochs=epochs,
        batch_size=batch_size, name=name, loss=loss, schedule=schedule, schedule_every=schedule_every,
        patience=patience, keep_best=keep_best, fixed_batch_size=fixed_batch_size,
        snapshot_epochs=snapshot_epochs, threads=threads, quick_epochs=quick_epochs,
        quick_images=quick_images,
    )  # fmt: skip


def run(options, out, report):
    return nothing().run(options, out, report)


def run_anywhere(options, report):
    return anywhere(lambda out: run(options, out, report))


def only(networks):
    return recipes.get("linreg").only(*networks)


def with_sizes(sizes):
    return recipes.get("mnist-svm").with_sizes(*sizes)


def with_options(options):
    return Setup(**setup()).with_options(options)


def splits(options):
    return Setup(**setup()).splits(options)


def make_spec(kind, module):
    return Spec(kind, lr=0.1).make(module, {"w": np.zeros(1)})


def make_folder(recipe):
    return anywhere(lambda out: RunFolder(out, recipe))


def folder_out(out):
    return RunFolder(out, "a").discard()


def reopen(path):
    def make(out):
        unfinished = RunFolder(out, "a")
        for name in ("options.json", "result.json"):
            unfinished.write_json(name, {})
        return RunFolder.reopen(unfinished.path if path is None else path)

    return anywhere(make)


def open_kept(path):
    def make(out):
        folder = RunFolder(out, "digits")
        asked = {"recipe": "digits", "only": [], "sizes": [], "options": {}}
        folder.write_json("options.json", asked)
        return KeptRun.open(folder.path if path is None else path)

    return anywhere(make)


def newest(out):
    def make(folder):
        unfinished = RunFolder(folder, "a")
        for name in ("options.json", "result.json"):
            unfinished.write_json(name, {})
        return newest_unfinished(folder if out == FOLDER else out)

    return anywhere(make)


def read_values(path):
    def make(out):
        folder = RunFolder(out, "a")
        folder.write_json("a.json", {"a": 1})
        return read_json(folder.path / "a.json" if path == "a.json" else path)

    return anywhere(make)


def write_json(name, values):
    return anywhere(lambda out: RunFolder(out, "a").write_json(name, values))


def append_jsonl(name, values):
    return anywhere(lambda out: RunFolder(out, "a").append_jsonl(name, values))


def write(name, write):
    return anywhere(lambda out: RunFolder(out, "a").write(name, write))


def figure(name, figure):
    return anywhere(lambda out: RunFolder(out, "a").figure(name, figure))


def runner_in(out):
    """Return what a study gets, with one network trained."""
    experiment = Experiment(**described(setups=(Setup(**setup()),)))
    runner = Runner(experiment, Options(progress=False), "numpy", RunFolder(out, "a"), lambda line: None)
    runner.train_all()
    return runner


def judge_anywhere(runner):
    return anywhere(lambda out: judge_setups(runner_in(out) if runner == "right" else runner))


def draw_curves_anywhere(runner, panels):
    return anywhere(lambda out: draw_curves(runner_in(out) if runner == "right" else runner, panels))


def draw_network_anywhere(runner, run):
    def draw(out):
        own = runner_in(out)
        return draw_network(own if runner == "right" else runner, own.best if run == "right" else run)

    return anywhere(draw)


NO_RUNNER = [None, 3, "runner", {}]
WORDS = {name: without(NO_TEXT, "") for name in ("title", "source", "reported", "expects")}

ROWS = [
    Row(
        "npnet.experiments.Options",
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
        "npnet.experiments.Result",
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
        "npnet.experiments.Experiment",
        make_experiment,
        lambda: described(
            setups=(),
            study=judge_setups,
            dataset=None,
            sizes=(),
            quick_sizes=(),
            details={},
            takes=None,
            keeps_all_weights=False,
            whole=True,
        ),
        {
            "name": [*NO_TEXT, "", "a\0b"],
            **WORDS,
            "setups": [None, 3, [Setup(**setup())], (3,), (Setup(**setup()), Setup(**setup()))],
            "study": CALLABLE,
            "dataset": without([3, "imagenet", ["mnist"], b"mnist", {}]),
            "sizes": [None, 3, [1], (0,), (1.5,), ("1",), (True,)],
            "quick_sizes": [None, 3, [1], (0,), (1.5,), ("1",), (True,)],
            "details": [*NO_MAPPING, {"a": 3}],
            "takes": [3, "quick", ("abc",), [3]],
            "keeps_all_weights": [*FLAG, None],
            "whole": [*FLAG, None],
        },
    ),
    Row(
        "npnet.experiments.Setup",
        make_setup,
        setup,
        {
            "data": CALLABLE,
            "input_shape": [*without(SIZE, SIZE[2]), None, 3, (0,), (-1,), [1.5], np.array([1])],
            "model": CALLABLE,
            "optimizer": SPEC,
            "epochs": POSITIVE,
            "batch_size": POSITIVE,
            "name": NO_TEXT,
            "loss": SPEC,
            "schedule": FUNCTION,
            "schedule_every": [None, "batch", 1, True, ["step"], b"step"],
            "patience": without(POSITIVE, None),
            "keep_best": [*FLAG, None],
            "fixed_batch_size": [*FLAG, None],
            "snapshot_epochs": FUNCTION,
            "threads": without(POSITIVE, None),
            "quick_epochs": POSITIVE,
            "quick_images": POSITIVE,
        },
    ),
    Row("npnet.experiments.judge_setups", judge_anywhere, lambda: {"runner": "right"}, {"runner": NO_RUNNER}),
    Row(
        "npnet.experiments.draw_curves",
        draw_curves_anywhere,
        lambda: {"runner": "right", "panels": {}},
        {"runner": NO_RUNNER, "panels": [None, 3, "text", [1], {"": 3}]},
    ),
    Row(
        "npnet.experiments.draw_network",
        draw_network_anywhere,
        lambda: {"runner": "right", "run": "right"},
        {"runner": NO_RUNNER, "run": [None, 3, "run", {}]},
    ),
    Row(
        "npnet.experiments.largest_difference",
        largest_difference,
        lambda: {"histories": [History(), History()]},
        {"histories": [None, 3, "ab", [1], History(), {}]},
    ),
    Row(
        "npnet.experiments.probabilities",
        probabilities,
        lambda: {"model": nn.ReLU(), "dataset": np.ones((2, 2))},
        {"model": [None, 3, "model", nn.ReLU], "dataset": [None, 3, "data", {}, np.array(1.0)]},
    ),
    Row(
        "npnet.experiments.traced",
        traced,
        lambda: {
            "setup": Setup(**setup()),
            "model": nn.Linear(1, 1, generator=np.random.default_rng(0), dtype=np.float64),
            "splits": points(None),
            "index": 3,
            "training": True,
            "reference": None,
        },
        {
            "setup": [None, 3, "setup", Setup],
            "model": [None, 3, "model", nn.ReLU],
            "splits": [None, 3, "data", {}],
            "index": [*COUNT, 4],
            "training": FLAG,
            "reference": FUNCTION,
        },
    ),
    Row("npnet._kept_run.KeptRun.open", open_kept, lambda: {"path": None}, {"path": PATH}),
    Row("npnet.recipes.get", recipes.get, lambda: {"name": "digits"}, {"name": without(NO_TEXT)}),
    Row(
        "npnet.experiments.Experiment.run",
        run_anywhere,
        lambda: {"options": Options(), "report": print},
        {"options": OPTIONS, "report": CALLABLE},
    ),
    Row(
        "npnet.experiments.Experiment.run, its folder",
        lambda out: run(Options(), out, print),
        lambda: {"out": FOLDER},
        {"out": NO_PATH},
    ),
    Row(
        "npnet.experiments.Experiment.only",
        only,
        lambda: {"networks": ["two points"]},
        {"networks": [[], ["no such"], [3], [None]]},
    ),
    Row(
        "npnet.experiments.Experiment.with_sizes",
        with_sizes,
        lambda: {"sizes": [12]},
        {"sizes": [[], [0], [-1], [1.5], ["12"], [None], [True]]},
    ),
    Row(
        "npnet.experiments.Setup.with_options",
        with_options,
        lambda: {"options": Options()},
        {"options": OPTIONS},
    ),
    Row("npnet.experiments.Setup.splits", splits, lambda: {"options": Options()}, {"options": OPTIONS}),
    Row("npnet.run.RunFolder", make_folder, lambda: {"recipe": "digits"}, {"recipe": FILE_NAME}),
    Row("npnet.run.RunFolder, out", folder_out, lambda: {"out": FOLDER}, {"out": NO_PATH}),
    Row("npnet.run.RunFolder.reopen", reopen, lambda: {"path": None}, {"path": PATH}),
    Row("npnet.run.newest_unfinished", newest, lambda: {"out": FOLDER}, {"out": NO_PATH}),
    Row("npnet.run.read_json", read_values, lambda: {"path": "a.json"}, {"path": NO_PATH}),
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
