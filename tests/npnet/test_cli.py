import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from npnet import models, nn, parallel, recipes, saved
from npnet.checkpoint import load, load_weights
from npnet.cli import main
from npnet.cli._signals import ends_like_ctrl_c
from npnet.data import ArrayDataset, Splits
from npnet.errors import InputError
from npnet.experiments import Experiment, Options, Setup, Spec
from npnet.recipes._listing import Listing
from npnet.recipes._past_runs import best_run, last_runs
from npnet.recipes.digits import network

# The command line in a process that hears SIGINT even where the tests run in the background.
HEARING = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from npnet.cli import main
sys.exit(main())
"""
# And without the figures and the report that it would draw in the end.
WITHOUT_PICTURES = """
from npnet.experiments import Runner, conduct
Runner.figure_of_all = lambda *_, **__: None
conduct.Page.encoded = lambda self: b""
"""
blank = pytest.mark.usefixtures("blank_pictures")
NPNET = [sys.executable, "-W", "error", "-m", "npnet"]


def npnet(*arguments, **settings):
    return subprocess.run(
        [*NPNET, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120, **settings
    )


def only_folder(out):
    (folder,) = (out / "digits").iterdir()
    return folder


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A short run in a process of its own: what it printed, and its folder."""
    out = tmp_path_factory.mktemp("quick")
    ended = npnet("train", "--quick", "--seed", 0, "--out", out)
    assert ended.returncode == 0, ended.stderr
    return ended, only_folder(out)


# ---- a run -------------------------------------------------------------------------------------------


def test_the_last_line_is_the_test_accuracy(quick):
    ended, folder = quick
    *lines, last = ended.stdout.splitlines()
    result = json.loads((folder / "result.json").read_text())
    assert last == f"test accuracy: {100 * result['accuracy']:.2f} %"
    assert result["accuracy"] > 0.8
    assert result["status"] == "finished"
    assert sum(line.startswith("epoch ") for line in lines) == 2
    assert ended.stderr == ""


def test_a_run_leaves_its_folder_whole(quick):
    ended, folder = quick
    figures = {"confusion_matrix.png", "filters.png", "learning_curves.png", "misclassified.png"}
    texts = {"metrics.jsonl", "model.safetensors", "options.json", "result.json", "settings.json"}
    assert {path.name for path in folder.iterdir()} == figures | texts | {"report.html"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ", folder.name)
    for figure in figures:
        assert (folder / figure).read_bytes().startswith(b"\x89PNG")
        assert f"figure: {folder / figure}" in ended.stdout


def test_the_last_lines_say_where_things_are(quick, capsys):
    ended, folder = quick
    everything, report, weights, use, _ = ended.stdout.splitlines()[-5:]
    assert everything == f"everything is in {folder}"
    assert report == f"report: {folder / 'report.html'}"
    assert weights == f"weights: {folder / 'model.safetensors'}"
    assert use == f"try it: npnet predict {folder} PICTURE…"
    assert main(["predict", str(folder), str(folder / "filters.png")]) == 0
    assert "probability" in capsys.readouterr().out


def test_the_settings_and_metrics_say_what_was_done(quick):
    _, folder = quick
    settings = json.loads((folder / "settings.json").read_text())
    assert settings["recipe"] == "digits"
    assert settings["seed"] == 0
    assert settings["epochs"] == 2
    assert settings["optimizer"].startswith("AdamW(lr=0.005, betas=(0.9, 0.999)")
    assert settings["data"] == {"name": "digits", "train": 1000, "validation": 144, "test": 359}
    epochs = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [epoch["epoch"] for epoch in epochs] == [1, 2]
    assert epochs[1]["train_loss"] < epochs[0]["train_loss"]


def test_the_weights_open_in_a_new_model(quick):
    _, folder = quick
    model = network(np.random.default_rng(9))
    load_weights(folder / "model.safetensors", model)
    assert isinstance(model[0], nn.Conv2d)


@blank
def test_the_same_seed_gives_the_same_bits_and_another_does_not(quick, tmp_path, capsys):
    """The other run was one of another process."""
    _, folder = quick
    weights, _ = load(folder / "model.safetensors")
    for seed, equal in ((0, True), (1, False)):
        out = tmp_path / str(seed)
        assert main(["train", "--quick", "--quiet", "--seed", str(seed), "--out", str(out)]) == 0
        assert len(capsys.readouterr().out.splitlines()) == 1  # the result alone
        again, _ = load(only_folder(out) / "model.safetensors")
        assert all(np.array_equal(weights[name], again[name]) for name in weights) is equal


@blank
def test_the_number_of_threads_changes_no_bit(tmp_path):
    """LeNet-5's minibatch of 128 is cut into shards."""
    weights = []
    for threads in (1, 3):
        options = Options(threads=threads, progress=False)
        result = lenet_on_noise().run(options, tmp_path / str(threads), lambda line: None)
        weights.append(load(result.folder / "model.safetensors")[0])
    assert all(np.array_equal(weights[0][name], weights[1][name]) for name in weights[0])


def lenet_on_noise():
    rng = np.random.default_rng(0)
    images = ArrayDataset(rng.standard_normal((256, 1, 28, 28), dtype=np.float32), rng.integers(10, size=256))
    assert len(parallel.shards(models.lenet5(generator=rng), images.x[:128])) > 1
    recipe = recipes.get("digits")
    setup = replace(
        recipe.setups[0],
        data=lambda _: Splits(images, None, images, name="noise"),
        model=lambda generator: models.lenet5(generator=generator),
        epochs=1,
        batch_size=128,
    )
    return replace(recipe, setups=(setup,))


@blank
def test_options_take_the_place_of_the_recipe_s_settings(tmp_path):
    arguments = ["train", "digits", "--epochs", "1", "--batch-size", "200", "--lr", "0.001", "--threads", "1"]
    assert main([*arguments, "--quick", "--out", str(tmp_path)]) == 0
    settings = json.loads((only_folder(tmp_path) / "settings.json").read_text())
    assert (settings["epochs"], settings["batch_size"], settings["threads"]) == (1, 200, 1)
    assert "lr=0.001" in settings["optimizer"]
    assert settings["schedule"] == "CosineAnnealingLR(T_max=1)"


# ---- being interrupted -------------------------------------------------------------------------------


def in_its_third_epoch(tmp_path, first=""):
    process = subprocess.Popen(
        [sys.executable, "-c", first + HEARING, "train", "--epochs", "100", "--out", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if line.startswith("epoch   2/100"):
            break
    time.sleep(0.02)  # into the next epoch
    return process


@pytest.mark.skipif(os.name != "posix", reason="these signals are those of POSIX systems")
@pytest.mark.parametrize(
    ("request_to_end", "status", "first"),
    [
        ("SIGINT", 130, ""),
        ("SIGTERM", 143, WITHOUT_PICTURES),
        ("SIGHUP", 129, WITHOUT_PICTURES),
        # In the background of a script Ctrl-C is ignored.
        ("SIGTERM", 143, f"import signal; signal.default_int_handler = signal.SIG_IGN\n{WITHOUT_PICTURES}"),
    ],
)
def test_a_request_to_end_saves_what_was_learnt(request_to_end, status, first, tmp_path):
    process = in_its_third_epoch(tmp_path, first)
    process.send_signal(getattr(signal, request_to_end))
    rest, complaint = process.communicate(timeout=60)

    folder = only_folder(tmp_path)
    assert process.returncode == status
    assert rest.splitlines()[-1].startswith("test accuracy: ")
    assert complaint == (
        f"npnet: interrupted; what was learnt until then is in {folder}, and npnet train --resume goes on "
        "with it\n"
    )
    assert json.loads((folder / "result.json").read_text())["status"] == "interrupted"
    load_weights(folder / "model.safetensors", network(np.random.default_rng(9)))


def test_ctrl_c_before_anything_is_learnt_leaves_nothing(tmp_path, monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("npnet.recipes.digits.data.digits", interrupted)
    assert main(["train", "--out", str(tmp_path / "runs")]) == 130
    assert capsys.readouterr().err == "npnet: interrupted\n"
    assert not list(tmp_path.iterdir())


def test_a_second_request_does_not_wait(tmp_path):
    process = in_its_third_epoch(tmp_path)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)  # figures are being drawn
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143
    folder = only_folder(tmp_path)
    assert json.loads((folder / "result.json").read_text())["status"] == "interrupted"
    assert (folder / "model.safetensors").exists()


def test_requests_to_end_are_left_as_they_were():
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with ends_like_ctrl_c() as received:
            os.kill(os.getpid(), signal.SIGTERM)  # nohup does this with SIGHUP
        assert received == []
    finally:
        signal.signal(signal.SIGTERM, before)
    with ends_like_ctrl_c():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_reader_of_a_run_that_goes_away_interrupts_it(tmp_path):
    process = in_its_third_epoch(tmp_path, WITHOUT_PICTURES)
    process.stdout.close()
    complaint = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 141
    assert complaint == ""
    folder = only_folder(tmp_path)
    assert json.loads((folder / "result.json").read_text())["status"] == "interrupted"
    load_weights(folder / "model.safetensors", network(np.random.default_rng(9)))


def test_a_reader_that_goes_away_meets_no_traceback():
    process = subprocess.Popen([*NPNET, "recipes"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    complaint = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 141
    assert complaint == b""


# ---- mistakes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "npnet: there is no command 'trian'; did you mean train? See npnet --help"),
        (["x-y-z"], "npnet: there is no command 'x-y-z'; commands are train, "),
        (["help", "trian"], "npnet: there is no command 'trian'; did you mean train? See npnet --help"),
        (["train", "digit"], "npnet: there is no recipe 'digit'; did you mean digits? All are listed by"),
        (["train", "mnist-lent"], "npnet: there is no recipe 'mnist-lent'; did you mean mnist-lenet? All"),
        (["recipes", "mnist-lent"], "npnet: there is no recipe 'mnist-lent'; did you mean mnist-lenet? All"),
        (
            ["train", "--epoch", "3"],
            "npnet train: there is no option --epoch; did you mean --epochs? See npnet",
        ),
        (["train", "--lern=3"], "npnet train: there is no option --lern; did you mean --lr? See"),
        (["train", "digits", "kernels"], "npnet train: there is one argument too many: 'kernels'"),
        (["parity", "--ops", "relu"], "npnet parity: there is no option --ops; did you mean --op?"),
        (["train", "--epochs", "1" * 5000], "argument --epochs: must be at most 1000000000000, got '1111"),
        (["train", "--epochs", "10000000000000"], "argument --epochs: must be at most 1000000000000, got"),
        (["train", "--seed", str(2**200)], "argument --seed: must be at most 18446744073709551615, got"),
        (["train", "--threads", "1000000"], "argument --threads: must be at most 1024, got '1000000'"),
        (["train", "--lr", "1e400"], "argument --lr: must be a positive number, got '1e400'"),
        (["train", "kernels", "--epochs", "3"], "kernels: --epochs does not apply to this recipe; it has no"),
        (["train", "kernels", "--batch-size", "3"], "kernels: --batch-size does not apply to this recipe"),
        (["train", "kernels", "--lr", "3"], "kernels: --lr does not apply to this recipe"),
        (["train", "kernels", "--seed", "0"], "kernels: --seed does not apply to this recipe"),
        (["train", "kernels", "--quick"], "kernels: --quick does not apply to this recipe"),
        (["train", "kernels", "--threads", "1"], "kernels: --threads does not apply to this recipe"),
        (["train", "kernels", "--data", "."], "kernels: --data does not apply to this recipe"),
        (["train", "linreg", "--data", "."], "linreg: --data does not apply to this recipe; of the options"),
        (["summary", "x-y-z"], "npnet: there is no recipe 'x-y-z'; recipes are: "),
        (["train", "--epochs", "0"], "argument --epochs: must be a positive integer, got '0'"),
        (["train", "--epochs", "²"], "argument --epochs: must be a positive integer, got '²'"),
        (["train", "--batch-size", "many"], "argument --batch-size: must be a positive integer, got 'many'"),
        (["train", "--lr", "nan"], "argument --lr: must be a positive number, got 'nan'"),
        (["train", "--lr", "-1"], "argument --lr: must be a positive number, got '-1'"),
        (["train", "--seed", "-1"], "argument --seed: must be an integer of at least 0, got '-1'"),
        (["train", "--threads", "0"], "argument --threads: must be an integer from 1 to 1024, got '0'"),
        (["train", "--engine", "numpy,"], "argument --engine: must be one name, or names with one comma"),
        (
            ["train", "--resume", "no/such"],
            "--resume: RUN must be the folder of an unfinished run, but no/such is",
        ),
        (
            ["train", "--resume", "."],
            "--resume: RUN must be the folder of an unfinished run, but . is no folder of",
        ),
        (["train", "--resume", "--engine", "torch"], "from the run; leave out --engine"),
        (["train", "linreg", "--resume"], "from the run; leave out the recipe"),
        (["train", "linreg", "--only", "two", "points"], """did you mean "two points", with the quotes?"""),
        (
            ["predict", "no/such", "a.csv"],
            "predict: RUN must be the folder of a run or a file written by npnet.save",
        ),
        (["predict", "digits", "a.png"], "but there is no digits; `npnet train digits` makes one"),
        (["train", "--engine", "jax"], "argument --engine: must be one of numpy, torch, "),
        (["train", "--device", "tpu"], "argument --device: must be one of cpu, cuda, got 'tpu'"),
        (
            ["train", "--device", "cuda"],
            "cpu with engine numpy, got cuda; engine torch has it",
        ),
        (["train", "--out", ""], "argument --out: must name a folder, got ''"),
        (["recipes", "--out", ""], "argument --out: must be a folder that is there, got ''"),
        (["recipes", "--out", "no/such"], "argument --out: must be a folder that is there, got 'no/such'"),
        (["train", "--data", "no/such"], "argument --data: must be a folder that is there, got 'no/such'"),
        (["recipes", "--data", "no/such"], "argument --data: must be a folder that is there, got 'no/such'"),
        (["train", "--data", ""], "argument --data: must be a folder that is there, got ''"),
        (
            ["train", "--only", "a"],
            "digits: --only chooses among the networks of a recipe that has several; this one has one",
        ),
        (["train", "kernels", "--sizes", "9"], "kernels: --sizes must go with a recipe that compares sizes"),
        (["train", "mnist-deep", "--sizes", "9"], "mnist-deep: --sizes must go with a recipe that compares"),
        (["train", "mnist-svm", "--sizes", "0"], "argument --sizes: must be a positive integer, got '0'"),
        (
            ["train", "mnist-svm", "--only", "x"],
            "mnist-svm: --only chooses among the networks of a recipe that has several; this one needs all",
        ),
        (
            ["train", "linreg", "--only", "no such"],
            (
                'linreg: networks must be among "two points, as in the source", "two points", '
                "\"noisy points\", got 'no such'"
            ),
        ),
        (["train", "--unheard-of"], "npnet train: there is no option --unheard-of; see"),
    ],
)
def test_a_mistake_meets_one_line_and_status_2(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""
    assert not list(tmp_path.iterdir())


def test_an_output_folder_that_cannot_be_written_is_found_before_training(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("npnet.recipes.digits.data.digits", lambda _: pytest.fail("the data was loaded"))
    (tmp_path / "file").write_text("in the way")
    assert main(["train", "--out", str(tmp_path / "file" / "runs")]) == 2
    complaint = capsys.readouterr().err
    assert complaint == (
        f"npnet: the output folder {tmp_path / 'file' / 'runs' / 'digits'} cannot be written "
        "(Not a directory); name another with --out\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_found_too(tmp_path, capsys):
    tmp_path.chmod(0o500)
    assert main(["train", "--out", str(tmp_path / "runs")]) == 2
    assert "cannot be written (Permission denied)" in capsys.readouterr().err


def diverging(epochs=5):
    """A recipe whose learning rate doubles the error at every step, until it is too large for a float."""
    x = np.ones((4, 1))
    setup = Setup(
        data=lambda _: Splits(ArrayDataset(x, 0 * x), ArrayDataset(x, 0 * x), name="one point"),
        input_shape=(1,),
        model=lambda generator: nn.Linear(1, 1, bias=False, generator=generator, dtype=np.float64),
        loss=Spec("MSELoss"),
        optimizer=Spec("SGD", lr=1e90),
        epochs=epochs,
        batch_size=4,
    )
    return Experiment(
        name="diverging", title="a line that runs away", source="none", reported="nothing",
        expects="nothing", setups=(setup,),
    )  # fmt: skip


@blank
@pytest.mark.parametrize("engine", ["numpy", "torch", "both"])
def test_a_run_that_diverges_leaves_the_best_weights(engine, tmp_path, monkeypatch, capsys):
    if engine != "numpy":
        pytest.importorskip("torch")
    monkeypatch.setattr(recipes, "get", lambda name: diverging())
    assert main(["train", "diverging", "--engine", engine, "--out", str(tmp_path)]) == 2
    (folder,) = (tmp_path / "diverging").iterdir()
    complaint = capsys.readouterr().err
    assert re.search(r"loss became (inf|nan) in epoch \d", complaint)
    assert complaint.endswith(f"; what was learnt until then is in {folder}\n")
    result = json.loads((folder / "result.json").read_text())
    assert result["status"] == "failed"
    assert "try a smaller learning rate" in result["error"]
    epochs = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert 1 <= len(epochs) < 5
    model = diverging().setups[0].model(np.random.default_rng(0))
    load_weights(folder / "model.safetensors", model)
    assert float(model.weight[0, 0]) ** 2 == pytest.approx(min(each["validation_loss"] for each in epochs))


def test_a_learning_rate_far_too_large_ends_with_one_line_and_no_folder(tmp_path):
    ended = npnet("train", "--lr", "1e30", "--out", tmp_path / "runs")
    assert ended.returncode == 2
    assert re.fullmatch(r"npnet: fit: the loss became .* try a smaller learning rate .*\n", ended.stderr)
    assert str(tmp_path) not in ended.stderr  # nothing is left there that could be named
    assert not list(tmp_path.iterdir())


# ---- the other commands ------------------------------------------------------------------------------


def cells(printed, recipe):
    """Return the row of a recipe in a table of Markdown."""
    (line,) = [line for line in printed.splitlines() if line.startswith(f"| `{recipe}` |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_recipes_are_listed_with_their_source(capsys, tmp_path):
    assert main(["recipes", "--long", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    for text in ("digits", "Alpaydin", "present", "npnet: not measured", "PyTorch: –"):
        assert text in printed
    assert main(["recipes", "linreg", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("linreg  a line through (1, 3)")


@pytest.fixture
def runs(tmp_path):
    """Return a folder of one run that has much to say."""
    (tmp_path / "digits" / "2026-01-01T00-00-00Z").mkdir(parents=True)
    headline = "test accuracy with 12 000 digits: " + ", ".join(f"network {i} 97.1 ± 0.2 %" for i in range(9))
    reached = {"npnet": {"headline": headline, "seconds": 61.25}}
    result = {"status": "finished", "as_written": True, "reached": reached}
    (tmp_path / "digits" / "2026-01-01T00-00-00Z" / "result.json").write_text(json.dumps(result))
    return tmp_path


def row(printed, recipe):
    """Return what the list says of a recipe behind its title."""
    (line,) = [line for line in printed.splitlines() if line.startswith(f"{recipe} ")]
    return re.split(" {2,}", line)[2:]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_the_list_has_a_line_for_each_recipe_that_fits(runs, width):
    lines = Listing(runs).text(width).splitlines()
    assert width - 12 < max(map(len, lines)) <= width
    assert lines[0].startswith("recipe ")
    assert [line.split()[0] for line in lines[1 : lines.index("")]] == recipes.names()


def test_the_list_says_where_data_is_what_is_expected_and_the_best(runs, monkeypatch):
    monkeypatch.setenv("NPNET_DATA", str(runs))
    for width, mnist, signs in ((80, "11 MB", "place it"), (110, "downloads 11 MB", "place it yourself")):
        printed = Listing(runs).text(width)
        assert row(printed, "digits") == ["here", "98.5 %", "97.1 %"]
        assert row(printed, "mnist-lenet") == [mnist, "99 %", "–"]
        assert row(printed, "signs-logreg") == [signs, "54 %", "–"]
        assert row(printed, "linreg") == ["here", "–", "–"]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_long_list_fits_into_the_width(runs, width):
    lines = Listing(runs).long(width).splitlines()
    assert width - 12 < max(map(len, lines)) <= width
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == recipes.names()
    flat = " ".join(line.strip() for line in lines)
    assert "network 8 97.1 ± 0.2 %; 61.2 s" in flat  # all of it is there
    assert not [line for line in lines if re.match(r" *(%|±|s(\s|$)|000)", line)]


def test_the_list_is_as_wide_as_the_terminal(runs, monkeypatch, capsys):
    widths = {}
    for columns in ("60", "100", ""):
        monkeypatch.setenv("COLUMNS", columns)
        assert main(["recipes", "--out", str(runs)]) == 0
        widths[columns] = max(map(len, capsys.readouterr().out.splitlines()))
    assert widths["60"] <= 60 < widths["100"] <= 100 < widths[""] <= 110


def test_the_list_says_whether_the_data_is_there(capsys, tmp_path):
    arguments = ["recipes", "--markdown", "--out", str(tmp_path), "--data", str(tmp_path)]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert [cells(printed, name)[5] for name in ("digits", "linreg")] == ["present", "makes its own"]
    for name in recipes.names():
        if recipes.get(name).dataset not in {None, "digits"}:
            assert cells(printed, name)[5] == "missing"


def test_the_list_shows_what_the_last_whole_runs_reached(capsys, tmp_path):
    def wrote(time, engine, headline, **others):
        folder = tmp_path / "digits" / time
        folder.mkdir(parents=True)
        reached = {engine: {"headline": headline, "seconds": 61.25}}
        result = {"status": "finished", "as_written": True, "reached": reached, **others}
        (folder / "result.json").write_text(json.dumps(result))

    wrote("2026-01-02T00-00-00Z", "npnet", "98 %")
    wrote("2026-01-01T00-00-00Z", "npnet", "older")
    wrote("2026-01-03T00-00-00Z", "npnet", "cut short", as_written=False)
    wrote("2026-01-04T00-00-00Z", "npnet", "interrupted", status="interrupted")
    wrote("2026-01-01T00-00-01Z", "PyTorch", "97 %")
    (tmp_path / "digits" / "2026-01-05T00-00-00Z").mkdir()
    (tmp_path / "digits" / "2026-01-05T00-00-00Z" / "result.json").write_text("{")
    assert main(["recipes", "--markdown", "--out", str(tmp_path)]) == 0
    assert cells(capsys.readouterr().out, "digits")[6:] == ["98 %; 61.2 s", "97 %; 61.2 s"]


def test_the_best_run_is_the_one_of_the_highest_share(tmp_path):
    for day, (engine, headline) in enumerate(
        [("npnet", "accuracy: 97 %"), ("PyTorch", "accuracy: 98.20 %"), ("npnet", "accuracy: 96.9 ± 99.9 %")]
    ):
        folder = tmp_path / f"2026-01-0{day + 1}T00-00-00Z"
        folder.mkdir()
        reached = {engine: {"headline": headline, "seconds": 1}}
        result = {"status": "finished", "as_written": True, "reached": reached}
        (folder / "result.json").write_text(json.dumps(result))
    assert best_run(tmp_path).headline == "accuracy: 98.20 %"


SAYING = Experiment(
    name="saying", title="", source="", reported="", expects="", takes=("quick", "batch_size"),
    study=lambda runner: ("it is so", {}),
)  # fmt: skip


def test_a_whole_run_is_listed_and_a_short_one_is_not(tmp_path):
    for options, reached in ((Options(quick=True), []), (Options(batch_size=9), []), (Options(), ["npnet"])):
        SAYING.run(options, tmp_path)
        assert list(last_runs(tmp_path / "saying")) == reached
    assert last_runs(tmp_path / "saying")["npnet"].headline == "it is so"


@blank
def test_a_network_named_by_the_summary_is_run_alone_and_not_listed(tmp_path, capsys):
    assert main(["summary", "linreg"]) == 0
    names = re.findall('"(.*?)"', capsys.readouterr().out)
    for more, listed in ((["--only", names[-1]], []), (["--only", *names], ["npnet"])):
        assert main(["train", "linreg", *more, "--quiet", "--out", str(tmp_path)]) == 0
        assert list(last_runs(tmp_path / "linreg")) == listed
        newest = max((tmp_path / "linreg").iterdir(), key=lambda path: path.stat().st_mtime_ns)
        settings = json.loads((newest / "settings.json").read_text())
        assert len(settings["networks"]) == len(more) - 1


@blank
def test_the_sizes_asked_for_are_measured(tmp_path, monkeypatch, capsys):
    images = ArrayDataset(np.zeros((40, 1, 28, 28), np.float32), np.arange(40) % 10)
    splits = Splits(images, images, images, classes=tuple("0123456789"), name="blank")
    monkeypatch.setattr("npnet.data.mnist", lambda folder, **settings: splits)
    arguments = ["train", "mnist-svm", "--sizes", "12", "20", "--epochs", "1", "--quiet"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("test accuracy with 20 digits: linear SVM ")


def test_without_a_command_there_is_help(capsys):
    assert main([]) == main(["help"]) == main(["--help"]) == 0
    once = capsys.readouterr().out
    assert once[: len(once) // 3] * 3 == once
    assert "usage: npnet" in once
    assert "npnet train mnist-lenet " in once


@pytest.mark.parametrize("command", ["train", "recipes", "summary", "parity"])
@pytest.mark.parametrize("columns", [60, 80, 120])
def test_help_fits_and_says_what_each_option_does(command, columns, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["help", command]) == main([command, "--help"]) == 0
    printed = capsys.readouterr().out
    body, _, examples = printed.partition("examples:")
    assert all(len(line) <= columns for line in body.splitlines() if not line.startswith("usage"))
    if command == "parity":
        return
    assert f"  npnet {command} " in examples
    described = re.sub(r"\s+", " ", body)
    for option in ("RECIPE", "--out DIR", "--data DIR"):
        if option in body:
            assert re.search(rf"{option}( \| RUN)? [A-Z][^.]+\.", described)


@blank
def test_a_run_is_summed_up_too(tmp_path, capsys):
    assert main(["train", "digits", "--quick", "--quiet", "--out", str(tmp_path)]) == 0
    reached = capsys.readouterr().out.strip()
    (folder,) = tmp_path.glob("*/*")
    assert main(["summary", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert f"  headline:       {reached}" in printed
    assert "Linear(512, 10)" in printed
    saved.save(tmp_path / "bare.safetensors", nn.ReLU())
    assert main(["summary", str(tmp_path / "bare.safetensors")]) == 0
    assert capsys.readouterr().out.endswith("saved without its data\n\nReLU()\n")
    assert main(["summary", str(tmp_path)]) == 2
    assert f"summary: {tmp_path} has no model.safetensors" in capsys.readouterr().err


@blank
def test_of_several_networks_it_is_told_which_one_was_kept_and_whose_lr_was_changed(
    tmp_path, capsys, monkeypatch
):
    line = diverging(epochs=2)
    setups = tuple(replace(line.setups[0], name=name, epochs=n) for name, n in (("short", 1), ("long", 2)))
    monkeypatch.setattr(recipes, "get", lambda _: replace(line, setups=setups))
    assert main(["train", "diverging", "--lr", "0.05", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    (folder,) = tmp_path.glob("*/*")
    assert f"weights: {folder / 'model.safetensors'}, of the network 'long'\n" in printed
    assert "learning rate: 0.05 for each of 2 networks\n" in printed


def test_the_summary_names_the_options_that_a_recipe_uses(capsys):
    for name in recipes.names():
        recipe = recipes.get(name)
        printed = recipe.summary()
        (line,) = re.findall("^  options: +(.*)$", printed, re.MULTILINE)
        assert ("--data" in line) is (recipe.dataset not in {None, "digits"})
        assert ("--engine" in line) is bool(recipe.setups)
        assert ("--sizes" in line) is (name == "mnist-svm")
    assert recipes.get("kernels").options == ()
    mnist = recipes.get("mnist-deep")
    assert {"only", "batch_size", "lr"} <= {*mnist.options}
    full_batch = mnist.only("784-100-10, all digits at every step")
    with pytest.raises(InputError, match="mnist-deep: --batch-size does not apply to this recipe; of the"):
        full_batch.run(Options(batch_size=3))


def test_the_summary_shows_the_layers(capsys):
    assert main(["summary", "digits"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"Conv2d\(1, 16, 3, padding=1\) +\(16, 8, 8\) +160 +9 216", printed)
    assert re.search(r"total +9 930 ", printed)


def test_the_version_is_the_package_s(capsys):
    assert main(["--version"]) == 0
    assert re.fullmatch(r"npnet \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_parity_without_torch_says_how_to_install_it(capsys, monkeypatch):
    monkeypatch.setattr("ptref.cli.util.find_spec", lambda name: None)
    assert main(["parity", "--op", "linear"]) == 2
    assert "pip install torch torchvision" in capsys.readouterr().err


def test_training_with_pytorch_without_it_says_how_to_install_it(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("ptref.backend.util.find_spec", lambda name: None)
    for engine in ("torch", "both"):
        assert main(["train", "--engine", engine, "--out", str(tmp_path / "runs")]) == 2
        complaint = capsys.readouterr().err
        assert "not installed: pip install torch torchvision" in complaint
        assert complaint.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_recipe_of_numpy_alone_refuses_pytorch_in_one_line(tmp_path):
    message = "^saying: --engine must be numpy for this recipe, got torch$"
    with pytest.raises(InputError, match=message):
        SAYING.run(Options(engine="torch"), tmp_path)
    assert not list(tmp_path.iterdir())


def test_no_command_loads_torch_or_what_it_does_not_need():
    code = "import sys; from npnet.cli import main; main(['recipes']); print(sorted(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for module in ("'torch'", "'matplotlib'", "'sklearn'"):
        assert module not in ended.stdout
