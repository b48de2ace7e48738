"""The way from one's own data to an answer, as the README writes it: in at most 20 lines."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import npnet

pytest.importorskip("PIL")
MOST_LINES = 20
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(npnet.__file__).parents[1])}

MAKE_CSV = """
import csv
from sklearn.datasets import load_wine

wine = load_wine()
with open("wine.csv", "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow([*wine.feature_names, "grower"])
    for row, grower in zip(wine.data, wine.target):
        writer.writerow([*row, ["Ferrari", "Gaja", "Conterno"][grower]])
"""

CSV = """
import numpy as np
import npnet
from npnet import nn, optim, plot, saved

splits = npnet.data.csv("wine.csv", target="grower")
print(splits)

rng = np.random.default_rng(0)
model = nn.Sequential(
    nn.Linear(len(splits.features), 32, generator=rng),
    nn.ReLU(),
    nn.Linear(32, len(splits.classes), generator=rng),
)
optimizer = optim.Adam(model.parameters, lr=0.01)
history = npnet.fit(model, nn.CrossEntropyLoss(), optimizer, splits, epochs=30, batch_size=16, generator=rng)
plot.learning_curves(history).savefig("wine.png")

saved.save("wine.safetensors", model, splits)
wine = saved.load("wine.safetensors")
print(wine.predict("wine.csv")[:3], wine.predict_proba("wine.csv")[:3].round(3))
"""

MAKE_FOLDER = """
from pathlib import Path
from PIL import Image
from sklearn.datasets import load_digits

digits = load_digits()
for i, (pixels, digit) in enumerate(zip(digits.images, digits.target)):
    folder = Path("digits", str(digit))
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray((pixels * 255 / 16).astype("uint8")).save(folder / f"{i}.png")
"""

FOLDER = """
import numpy as np
import npnet
from npnet import nn, optim, plot, saved

splits = npnet.data.image_folder("digits", size=8, mode="L")
print(splits)

rng = np.random.default_rng(0)
model = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1, generator=rng), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(16 * 4 * 4, len(splits.classes), generator=rng),
)
optimizer = optim.Adam(model.parameters, lr=0.003)
history = npnet.fit(model, nn.CrossEntropyLoss(), optimizer, splits, epochs=15, batch_size=32, generator=rng)
plot.learning_curves(history).savefig("digits.png")

saved.save("digits.safetensors", model, splits)
digits = saved.load("digits.safetensors")
print(digits.predict(["digits/3/3.png", "digits/7/7.png"]), digits.predict(splits.test)[:5])
"""


def run(code, folder):
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import matplotlib; matplotlib.use('agg')\n{code}"],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def predict(*arguments, folder):
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "npnet", "predict", *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def lines(code):
    return [line for line in code.splitlines() if line.strip()]


def test_a_csv_becomes_a_predicting_model(tmp_path):
    assert len(lines(CSV)) <= MOST_LINES
    run(MAKE_CSV, tmp_path)
    printed = run(CSV, tmp_path)
    assert "178 rows, 13 columns, 13 features; target 'grower': 3 classes" in printed
    assert "['Ferrari' 'Ferrari' 'Ferrari']" in printed
    assert (tmp_path / "wine.png").stat().st_size > 1000
    ended = predict("wine.safetensors", "wine.csv", folder=tmp_path)
    assert ended.returncode == 0
    accuracy = float(ended.stdout.splitlines()[-1].split()[1])
    assert accuracy > 95


def test_a_folder_of_images_becomes_a_predicting_model(tmp_path):
    assert len(lines(FOLDER)) <= MOST_LINES
    run(MAKE_FOLDER, tmp_path)
    printed = run(FOLDER, tmp_path)
    assert "1797 images of 10 classes, 8×8, L" in printed
    assert "['3' '7']" in printed
    files = [str(path.relative_to(tmp_path)) for path in sorted((tmp_path / "digits").glob("*/1*.png"))]
    ended = predict("digits.safetensors", *files, folder=tmp_path)
    assert ended.returncode == 0
    answers = [line.split() for line in ended.stdout.splitlines()[2:]]
    right = np.mean([file.split("/")[1] == digit for file, digit, *_ in answers])
    assert len(answers) == len(files)
    assert right > 0.95
