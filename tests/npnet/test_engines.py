"""Engines by name: npnet's own, PyTorch's, and one that a package unknown to npnet announces."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import npnet
from npnet import engines, recipes
from npnet.checkpoint import load
from npnet.cli import main
from npnet.engines import Backend, EngineOption, EngineSettings
from npnet.errors import InputError, MissingError
from npnet.experiments import Options

# A whole engine: npnet's, with steps of half the length. With its entry point it is all a package needs.
STUB = """
from contextlib import contextmanager

from npnet.engines import Backend, EngineOption, NumPyBackend


class HalfBackend(NumPyBackend):
    title = "Half"
    devices = ("abacus",)
    options = (EngineOption("beads", "Count with wooden or glass beads.", ("wood", "glass")),
               EngineOption("by_night", "Count in the dark."))

    def engine(self, model, loss, optimizer, schedule, settings):
        assert settings.device == "abacus"
        return super().engine(model, loss, optimizer.but(lr=optimizer.settings["lr"] / 2), schedule, settings)

    def versions(self):
        return {"half": "0.5"}


backend = HalfBackend()
command_called = []


def add_parser(commands):
    parser = commands.add_parser("halve", help="halve something")
    parser.set_defaults(command=lambda chosen: command_called.append(chosen) or 0)
"""


@pytest.fixture
def stub(tmp_path, monkeypatch):
    """Install a package that announces an engine and a command, as a package manager would."""
    place = tmp_path / "site"
    info = place / "half_engine-1.0.dist-info"
    info.mkdir(parents=True)
    (place / "half_engine.py").write_text(STUB)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: half-engine\nVersion: 1.0\n")
    points = "[npnet.engines]\nhalf = half_engine:backend\n[npnet.commands]\nhalve = half_engine\n"
    (info / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(place)
    yield place
    sys.modules.pop("half_engine", None)


def run(engine, out, **options):
    settings = Options(epochs=5, engine=engine, progress=False, **options)
    return recipes.get("linreg").only("noisy points").run(settings, out, lambda line: None)


@pytest.mark.usefixtures("blank_pictures")
def test_an_announced_engine_trains_a_recipe(stub, tmp_path):
    assert "half" in engines.names()
    half = run("half", tmp_path, device="abacus", engine_options={"beads": "glass"})
    settings = json.loads((half.folder / "settings.json").read_text())
    assert (settings["engine"], settings["device"]) == ("half", "abacus")
    assert settings["versions"]["half"] == "0.5"
    assert run("numpy", tmp_path, lr=0.05).headline == half.headline != run("numpy", tmp_path).headline


def test_what_is_installed_meanwhile_is_found_and_what_is_removed_is_not(stub):
    """What was found is kept until something comes or goes where packages are looked for."""
    (info,) = stub.glob("*.dist-info")
    for moment, (name, there) in enumerate((("away", False), ("half_engine-1.0.dist-info", True))):
        info = info.rename(stub / name)
        os.utime(stub, (0, moment))  # whatever the grain of the file system's clock
        assert ("half" in engines.names()) is there


@pytest.mark.usefixtures("blank_pictures")
def test_an_announced_engine_runs_beside_npnet(stub, tmp_path):
    result = run("numpy,half", tmp_path)
    assert set(result.values["reached"]) == {"npnet", "Half"}
    assert result.values["largest_loss_difference"]["noisy points"] > 0


@pytest.mark.usefixtures("blank_pictures")
def test_the_command_line_offers_what_is_announced(stub, tmp_path, capsys):
    assert main(["train", "--help"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    for text in ("half (Half)", "abacus", "--beads {wood,glass} Count with", "--by-night Count in the dark"):
        assert text in printed
    arguments = ["train", "linreg", "--epochs", "1", "--engine", "half", "--device", "abacus", "--by-night"]
    assert main([*arguments, "--quiet", "--out", str(tmp_path / "runs")]) == 0
    assert main(["train", "linreg", "--beads", "wood", "--out", str(tmp_path / "none")]) == 2
    assert "engine numpy has no option 'beads'" in capsys.readouterr().err
    assert main(["halve"]) == 0
    assert len(sys.modules["half_engine"].command_called) == 1


@pytest.mark.usefixtures("blank_pictures")
def test_an_engine_whose_package_is_broken_stops_no_other(stub, tmp_path, capsys):
    (stub / "half_engine.py").write_text("import no_such_library")
    with pytest.raises(MissingError, match="half, announced as half_engine:backend in the group"):
        engines.get("half")
    run("numpy", tmp_path)
    assert main(["train", "linreg", "--epochs", "1", "--quiet", "--out", str(tmp_path)]) == 0
    assert main(["train", "linreg", "--engine", "half", "--out", str(tmp_path)]) == 2
    assert "cannot be loaded (No module named 'no_such_library')" in capsys.readouterr().err


def test_what_is_announced_must_be_an_engine(stub):
    (stub / "half_engine.py").write_text("backend = 3")
    with pytest.raises(InputError, match="must be a Backend of"):
        engines.get("half")


def test_both_means_the_reference_where_there_are_several_others(stub):
    assert len(engines.names()) > 2
    assert engines.chosen("both") == ("numpy", "torch")
    assert engines.chosen("half,numpy") == ("half", "numpy")


@pytest.mark.parametrize(
    ("others", "told"),
    [([], "another is known once the package"), (["a", "b"], "name those that are meant, such as numpy,a")],
)
def test_both_needs_to_be_clear(others, told, monkeypatch):
    monkeypatch.setattr(engines, "names", lambda: ["numpy", *others])
    monkeypatch.setattr(engines, "get", lambda _: engines.NumPyBackend())
    with pytest.raises(InputError, match=f"engine both needs two engines to be there, .*; {told}"):
        engines.chosen("both")


@pytest.mark.parametrize("engine", ["numpy,", ",numpy", "", "numpy,,numpy"])
def test_engines_have_one_comma_between_two_names(engine):
    with pytest.raises(InputError, match=f"with one comma between two, got '{engine}'"):
        engines.chosen(engine)


def test_a_device_goes_to_the_engines_that_have_it(stub):
    assert engines.plan("numpy,half", "abacus", 2) == {
        "numpy": EngineSettings("cpu", 2),
        "half": EngineSettings("abacus", 2),
    }
    with pytest.raises(InputError, match="cpu with engine numpy, got abacus; engine half has it"):
        engines.plan("numpy", "abacus")


def test_a_backend_checks_what_is_asked_of_it():
    numpy = engines.get("numpy")
    numpy.check(EngineSettings())
    with pytest.raises(InputError, match="npnet: device must be"):
        numpy.check(EngineSettings("abacus"))
    with pytest.raises(InputError, match="npnet: option must be"):
        numpy.check(EngineSettings(options={"beads": "glass"}))


def test_an_option_takes_its_choices_alone():
    beads = EngineOption("beads", "Count with beads.", ("wood", "glass"))
    assert beads.checked("wood") == "wood"
    with pytest.raises(InputError, match="beads must be"):
        beads.checked("iron")
    with pytest.raises(InputError, match="dark must be"):
        EngineOption("dark", "Count in the dark.").checked("yes")


def test_a_backend_that_adds_nothing_to_a_recipe_says_so():
    assert engines.get("numpy").extension("finetune") is None
    assert isinstance(engines.get("numpy"), Backend)


def test_npnet_knows_no_other_engine_by_name():
    """Its code names neither ptref nor torch nor a device of theirs. Words for people may, and what turns
    objects of PyTorch into arrays or into hints must."""
    of_foreign_objects = {"_from_pytorch.py", "convert.py"}
    for file in Path(npnet.__file__).parent.rglob("*.py"):
        nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
        imported = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
        imported += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
        assert {name.partition(".")[0] for name in imported}.isdisjoint({"ptref", "torch"}), file
        texts = {node.value for node in nodes if isinstance(node, ast.Constant)}
        assert file.name in of_foreign_objects or texts.isdisjoint({"torch", "cuda", "ptref"}), file


def test_importing_npnet_looks_for_no_engine():
    code = "import sys, npnet; print('npnet.engines' in sys.modules, 'importlib.metadata' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "False"


def test_weights_are_drawn_before_an_engine_is_asked_for(stub, tmp_path):
    """Both start from equal weights: what the engine is does not bear on what is drawn."""
    still = [run(name, tmp_path, lr=1e-300) for name in ("numpy", "half")]
    one, other = (load(result.folder / "weights.safetensors")[0] for result in still)
    assert all(np.array_equal(one[name], other[name]) for name in one)
