"""How PyTorch is to compute, as ``npnet train`` offers it; and a GPU that is not there."""

import json
import warnings
from dataclasses import fields

import pytest

from npnet import engines
from npnet.cli import main
from npnet.errors import InputError

torch = pytest.importorskip("torch")

from ptref.device import check_device  # noqa: E402 - PyTorch may be absent
from ptref.execution import AMP, Execution  # noqa: E402 - as above
from ptref.options import OPTIONS  # noqa: E402 - as above
from ptref.train import main as of_processes  # noqa: E402 - as above

TRAIN = ["train", "digits", "--epochs", "1", "--quiet", "--engine", "torch", "--threads", "1"]
without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")


def settings_of(out, *more):
    assert main([*TRAIN, "--out", str(out), *more]) == 0
    return kept(out)


def kept(out):
    (folder,) = (out / "digits").iterdir()
    result = json.loads((folder / "result.json").read_text())
    return json.loads((folder / "settings.json").read_text()), result["loss"]


def test_every_choice_is_offered():
    assert [option.name for option in OPTIONS] == [field.name for field in fields(Execution)]
    assert OPTIONS[0].choices == AMP


@pytest.mark.usefixtures("blank_pictures")
def test_bf16_is_what_npnet_train_computes_with(tmp_path):
    plain, loss = settings_of(tmp_path / "plain")
    short, other = settings_of(tmp_path / "bf16", "--amp", "bf16", "--channels-last")
    assert "engine_options" not in plain
    assert short["engine_options"] == {"amp": "bf16", "channels_last": True}
    assert other != loss  # it was rounded
    assert other == pytest.approx(loss, rel=0.1)


@pytest.mark.usefixtures("blank_pictures")
def test_many_processes_take_the_options_of_one_and_write_them_down(tmp_path):
    assert of_processes([*TRAIN[1:], "--quick", "--channels-last", "--out", str(tmp_path)]) == 0
    settings, _ = kept(tmp_path)
    assert settings["engine_options"] == {"channels_last": True}


@without_gpu
@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--graphs"], "graphs must be replayed on CUDA, got device cpu; leave out --graphs"),
        (["--amp", "fp8"], "argument --amp: must be one of bf16, got 'fp8'"),
        (["--engine", "numpy", "--tf32"], "options: engine numpy has no option 'tf32'"),
        (["--resume", "--amp", "bf16"], "takes recipe and options from the run; leave out"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path, capsys, more, message):
    assert main([*TRAIN, "--out", str(tmp_path), *more]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not list(tmp_path.iterdir())


def test_an_option_of_another_kind_is_refused():
    settings = engines.EngineSettings("cpu", 1, {"graphs": "yes"})
    with pytest.raises(InputError, match="engine: graphs must be True or False"):
        engines.get("torch").check(settings)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (
            RuntimeError(
                "The NVIDIA driver on your system is too old (found version 11040). Please update your GPU "
                "driver by downloading and installing a new version"
            ),
            "finds no GPU it can use: the NVIDIA driver on your system is too old (found version 11040)",
        ),
        (RuntimeError("No CUDA GPUs are available"), "finds no GPU it can use: no CUDA GPUs are available"),
        (None, "finds no GPU it can use"),
    ],
)
def test_why_there_is_no_gpu_is_said_in_one_line(monkeypatch, capsys, tmp_path, error, why):
    def init():
        if error is not None:
            raise error

    def is_available():
        warnings.warn(f"CUDA initialization: {error}\nin lines", stacklevel=1)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", is_available)
    monkeypatch.setattr(torch.cuda, "init", init)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert main([*TRAIN, "--device", "cuda", "--out", str(tmp_path)]) == 2
    expected = f"npnet: device cuda: PyTorch {torch.__version__} {why}; use --device cpu"
    assert capsys.readouterr().err.splitlines() == [expected]
    assert of_processes([*TRAIN[1:], "--device", "cuda", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.splitlines() == [expected]
    assert main(["parity", "--op", "relu", "--device", "cuda"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f"device 'cuda' needs a GPU, but PyTorch {torch.__version__} {why}")


def test_pytorch_without_cuda_is_told_apart(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(InputError, match="is built without CUDA; use --device cpu"):
        check_device("cuda")
