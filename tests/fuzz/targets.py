"""What is fuzzed: a function of bytes for each reader, and valid files to begin with.

A target may do what it is for, or raise InputError. Anything else is a finding.
"""

import atexit
import contextlib
import copy
import gzip
import io
import json
import shutil
import tempfile
from functools import cache, partial
from pathlib import Path

import numpy as np

from npnet import InputError, checkpoint, cli, data, load, nn, optim, recipes, save
from npnet._kept_run import KeptRun
from npnet.data.idx import read_idx
from npnet.data.signs import read_signs
from npnet.experiments import Options
from npnet.run import RunFolder
from npnet.train import fit, plain_step, read_checkpoint
from npnet.train.checkpoint import read, write

X, Y = np.arange(24, dtype=np.float32).reshape(12, 2), np.arange(12) % 3
COMMANDS = ["train", "predict", "recipes", "summary", "digits", "mnist-lenet", "no-such"]
OPTIONS = ["--help", "--version", "--epochs", "--lr", "--seed", "--quick", "--out", "--engine", "--data",
           "--batch-size", "--threads", "--device", "--resume", "--only", "-h", "--", "-", "--epochs=0",
           "--lr=-1"]  # fmt: skip
VALUES = ["-1", "0", "1e99", "nan", "inf", "abc", "∞", "", "=1", "/dev/null", "/no/such", "model.safetensors"]
WORDS = COMMANDS + OPTIONS + VALUES


@cache
def folder():
    """Return a folder for the files that targets read; in memory, where there is such a place."""
    memory = Path("/dev/shm")
    made = tempfile.mkdtemp(dir=memory if memory.is_dir() else None)
    atexit.register(shutil.rmtree, made)
    return Path(made)


def file_of(content, name):
    path = folder() / name
    path.write_bytes(content)
    return path


def model():
    return nn.Sequential(nn.Linear(2, 4, generator=np.random.default_rng(0)), nn.ReLU(), nn.Dropout(0.1))


def train(path, **settings):
    """Train a little, with checkpoints."""
    network = nn.Sequential(*model(), nn.Linear(4, 3, generator=np.random.default_rng(1)))
    adam = optim.Adam(network.parameters)
    schedule = optim.StepLR(adam, 1)
    settings = {"schedule": schedule, "step": plain_step, "progress": False, "epochs": 1} | settings
    return fit(network, nn.CrossEntropyLoss(), adam, ((X, Y), (X, Y)), checkpoint=path, **settings)


@cache
def trained():
    """Return the contents of a checkpoint."""
    with tempfile.TemporaryDirectory() as made:
        train(made)
        return read_checkpoint(made).path.read_bytes()


# ---- readers of bytes ------------------------------------------------------------------------------------


def arrays(content):
    checkpoint.load(file_of(content, "arrays.safetensors"))


def saved_model(content):
    loaded = load(file_of(content, "model.safetensors"))
    loaded.predict(X[:2])


def training_checkpoint(content):
    read_checkpoint(file_of(content, "step-000000001.safetensors"))


def idx(content):
    read_idx(file_of(content, "file.idx"))


def idx_gz(content):
    read_idx(file_of(content, "file.idx.gz"))


def table(content):
    data.csv(file_of(content, "table.csv"), target=-1)


def signs(content):
    read_signs(file_of(content, "signs.csv"))


def picture(content):
    loaded = data.ImageFormat(4, 4)
    loaded(file_of(content, "picture.png"))


def kept_run(content):
    """Open the folder of a run whose options and result the bytes are, and look for its networks."""
    path = folder() / "kept"
    path.mkdir(exist_ok=True)
    for name, text in zip(("options.json", "result.json"), content.split(b"\0", 1), strict=False):
        (path / name).write_bytes(text)
    run = KeptRun.open(path)
    with contextlib.suppress(InputError):
        RunFolder.reopen(path)
    if run.networks():
        run.network()


def command_line(content):
    """Run the command line with words that the bytes choose, but for what would take long.

    `npnet parity` is not among the words, and nothing is trained, as no epoch is asked for.
    """
    words = [WORDS[byte % len(WORDS)] for byte in content[:8]]
    if "train" in words:
        words += ["--epochs", "0"]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        status = cli.main(words)
    assert status in range(256), (words, status)


# ---- a checkpoint whose hash is right --------------------------------------------------------------------

ODD = [
    None,
    True,
    -1,
    0,
    2**70,
    1.5,
    float("nan"),
    "",
    "x" * 50,
    [],
    {},
    [[]],
    {"$array": "no"},
    {"$texts": 3},
]


def resumed(content):
    """Put odd values into the state of a checkpoint, with its right hash, and go on from it."""
    tree = read(file_of(trained(), "step-000000012.safetensors"))
    for place, odd in zip(content[::2], content[1::2], strict=False):
        spoil(tree, place, odd)
    run = folder() / "run"
    run.mkdir(exist_ok=True)
    for old in run.glob("step-*"):
        old.unlink()
    with contextlib.suppress(TypeError):  # what cannot be written
        write(run / "step-000000012.safetensors", tree)
        train(run, resume=True, epochs=2)


def spoil(tree, place, odd):
    """Replace one value of a nested state, which two bytes choose."""
    while isinstance(tree, dict | list) and tree:
        keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
        key = keys[place % len(keys)]
        place //= len(keys)
        child = tree[key]
        if not isinstance(child, dict | list) or not child or odd % 7 == 0:
            if isinstance(child, np.ndarray) and odd % 2:
                tree[key] = child.reshape(-1)[: odd % 5].astype([np.float64, np.int8, np.float32][odd % 3])
            else:
                tree[key] = copy.deepcopy(ODD[odd % len(ODD)])
            return
        tree = child


# ---- valid input -----------------------------------------------------------------------------------------


def asked(recipe):
    """Return what a run of a recipe leaves about itself."""
    asked = recipe._asked(Options(quick=True, seed=3))
    return json.dumps(asked, default=str).encode() + b'\0{"status": "failed", "best": ""}'


def written(write_it, name):
    path = folder() / name
    write_it(path)
    return path.read_bytes()


@cache
def seeds():
    """Return valid inputs of each target."""
    idx_file = b"\0\0\x08\x02\0\0\0\x02\0\0\0\x03abcdef"
    header = ",".join(["label", *(f"pixel{i}" for i in range(1, 785))])
    csv_file = b"a,b,kind\n1,2.5,x\n3,,y\n-1e3,7,x\n4,5,y\n" + b"1,1,x\n2,2,y\n" * 8
    splits = data.arrays(X, Y.tolist())
    return {
        arrays: [written(lambda p: checkpoint.save(p, {"x": X, "y": Y}, {"note": "é"}), "seed.safetensors")],
        saved_model: [
            written(partial(save_model, splits), "model.safetensors"),
            written(lambda p: save(p, model()), "bare.safetensors"),
        ],
        training_checkpoint: [trained()],
        idx: [idx_file, b"\0\0\x0d\x01\0\0\0\x01\x3f\x80\0\0"],
        idx_gz: [gzip.compress(idx_file, mtime=0)],
        table: [csv_file, 'ä;b;c\r\n1,5;"x;y";2\r\n2,5;z;3\r\n'.encode("latin1") * 6],
        signs: [header.encode() + b"\n" + b"3," * 784 + b"0\n"],
        picture: [written(draw, "seed.png"), written(partial(draw, kind="JPEG"), "seed.jpg")],
        kept_run: [asked(recipes.get("digits")), asked(recipes.get("gmm-deep").only("2-2 on (4, 2, 40)"))],
        command_line: [bytes([2]), bytes([0, 6, 10]), bytes([1, 36, 37])],
        resumed: [b"", bytes(range(0, 250, 9)), b"\x05\x07"],
    }  # fmt: skip


def save_model(splits, path):
    save(path, nn.Sequential(nn.Linear(2, 3, generator=np.random.default_rng(0))), splits)


def draw(path, kind="PNG"):
    from PIL import Image

    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3)).save(path, kind)


def call(target, content):
    """Run a target; InputError is the one error it may raise."""
    with contextlib.suppress(InputError):
        target(content)
