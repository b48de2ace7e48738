"""What the page on CPU and GPU says stands in the JSON of the measurements."""

import importlib
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

gpu_report = importlib.import_module("benchmarks.gpu_report")
report = importlib.import_module("benchmarks.report")
results = importlib.import_module("benchmarks.results")
time_to_accuracy = importlib.import_module("benchmarks.time_to_accuracy")

MEASURED = Path(results.FOLDER) / "h100"
PAGE = (Path(results.FOLDER).parents[1] / "docs" / "cpu-against-gpu.md").read_text()
ROWS = {}
for line in PAGE.splitlines():
    if line.startswith("|"):
        first, *others = (cell.strip() for cell in line.strip("|").split("|"))
        ROWS.setdefault(first, others)  # a network has rows in several tables, of which the first one counts
EXPONENT = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def of_choice(suite, choice, engine="PyTorch CUDA"):
    """Return seconds and accuracies of all seeds."""
    found = {
        record.about["what"]: list(record.samples[engine])
        for record in results.read(MEASURED / f"{suite}.json").records
        if record.has(choice=choice) and engine in record.samples
    }
    return found["time"], found["accuracy"]


def as_written(text):
    """Return a number, and by how much it may be off for having been rounded."""
    number = text.replace("\N{NO-BREAK SPACE}", "").replace(" ", "").removesuffix("%")
    decimals = len(number.partition(".")[2])
    return float(number), 0.5001 * 10.0**-decimals


def is_written(text, value):
    number, off = as_written(text)
    return abs(number - value) <= off


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("2-D network 2-10-10-2", "2-D network 2-10-10-2"),
        ("logistic regression 784 → 10", "logistic regression 1×28×28"),
        ("LeNet-5, 1×28×28", "LeNet-5 1×28×28"),
        ("3072-512-2", "3072-512-2 3×32×32"),
        ("four 3×3 convolutions, 3×32×32", "four 3×3 convolutions 3×32×32"),
    ],
)
def test_from_which_minibatch_on_the_gpu_wins(name, title):
    of_work = gpu_report.curves(results.read(MEASURED / "gpu.json"))[title, "training step"]
    for written, engine in zip(ROWS[name], (gpu_report.CUDA, gpu_report.GRAPHS), strict=True):
        found = gpu_report.crossover(gpu_report.best_of_cpu(of_work), of_work[engine])
        assert written == found if found == "always" else is_written(written, float(found)), (name, engine)


@pytest.mark.parametrize(
    ("name", "choice", "engine"),
    [
        ("PyTorch on the H100, CUDA graphs", "as it is", "PyTorch CUDA"),
        ("PyTorch on the H100, without graphs", "without graphs", "PyTorch CUDA"),
        ("PyTorch on 16 cores", "as it is", "PyTorch"),
        ("npnet on 16 cores", "as it is", "npnet"),
    ],
)
def test_how_soon_mnist_is_learnt(name, choice, engine):
    seconds, accuracies = of_choice("mnist-fast", choice, engine)
    seeds, middle, mean, p = ROWS[name]
    assert int(seeds) == len(seconds) == len(accuracies)
    assert is_written(middle, np.median(seconds))
    assert is_written(mean, 100 * np.mean(accuracies))
    mantissa, power = re.fullmatch(r"([\d.]+) · 10(.*)", p).groups()
    found = time_to_accuracy.verdict(accuracies, 0.99).rpartition("p = ")[2]
    assert float(mantissa) * 10 ** float(power.translate(EXPONENT)) == pytest.approx(float(found), rel=0.15)


@pytest.mark.parametrize(
    ("name", "choice"),
    [
        ("as it is", "as it is"),
        ("without graphs", "without graphs"),
        ("without batch norm, learning rate up to 0.1", "without batch norm, peak 0.1"),
        ("learning rate 0.1 throughout", "learning rate 0.1 throughout"),
        ("without smoothed labels", "without smoothed labels"),
        ("without Nesterov's look ahead", "without Nesterov's look ahead"),
        ("minibatches of 64, learning rate up to 0.3", "batch 64, peak 0.3"),
        ("minibatches of 512, learning rate up to 0.8", "batch 512, peak 0.8"),
        ("two epochs", "two epochs"),
        ("bfloat16", "bf16"),
        ("TF32", "TF32"),
    ],
)
def test_what_each_choice_gains(name, choice):
    seconds, accuracies = of_choice("mnist-fast", choice)
    assert len(seconds) >= 30
    middle, mean = ROWS[name]
    assert is_written(middle, np.median(seconds))
    assert is_written(mean, 100 * np.mean(accuracies))


def test_how_soon_cifar10_is_learnt():
    written = re.search(r"it takes\s+(\S+) s \(median of 40 seeds\) to a mean test accuracy of (\S+ %)", PAGE)
    seconds, accuracies = of_choice("cifar10-fast", "as it is")
    assert len(seconds) == 40
    assert is_written(written[1], np.median(seconds))
    assert is_written(written[2], 100 * np.mean(accuracies))
    others = re.search(r"; (\S+) s without graphs, (\S+) s with\s+TF32 and (\S+) s with bfloat16 and", PAGE)
    choices = ("without graphs", "TF32", "bf16, channels-last")
    for text, choice in zip(others.groups(), choices, strict=True):
        seconds, found = of_choice("cifar10-fast", choice)
        assert is_written(text, np.median(seconds)), choice
        assert abs(np.mean(found) - np.mean(accuracies)) <= 0.0005


def test_its_table_is_made_from_its_json():
    found = results.read(MEASURED / "cifar10-fast.json")
    assert report.markdown(found) == (MEASURED / "cifar10-fast.md").read_text()


def test_rates_and_ceilings():
    gpu, throughput = (results.read(MEASURED / f"{name}.json") for name in ("gpu", "throughput"))
    rates = gpu_report.ceilings(gpu)
    for pattern, name, unit in (
        (r"a\s+\*launch\*, of (\S+) µs here", gpu_report.LAUNCH, 1e-6),
        (r"reaches this card at (\S+) GB/s", gpu_report.SEND, 1e9),
        (r"pinned memory at (\S+) GB/s", gpu_report.SEND_PINNED, 1e9),
        (r"Products run at (\S+) TFLOP/s in float32", gpu_report.FLOAT32, 1e12),
        (r"at (\S+) in TF32", gpu_report.TF32, 1e12),
        (r"in TF32 and at (\S+) in bfloat16", gpu_report.BF16_PRODUCT, 1e12),
    ):
        assert is_written(re.search(pattern, PAGE)[1], rates[name] / unit), name
    images = {
        (record.about["way"], record.about["batch"], record.unit): np.median(record.samples["PyTorch CUDA"])
        for record in throughput.records
    }
    best, plain = ("compiled, graphs, TF32, autotuned", 16384), ("plain", 16384)
    said = re.search(r"learns from (\S+) million images.* runs (\S+) % of the time", PAGE, re.DOTALL)
    assert is_written(said[1], images[*best, "images/s"] / 1e6)
    assert is_written(said[2], 100 * images[*best, "share"])
    said = re.search(r"it is (\S+) million, and (\S+) million with minibatches of 256", PAGE)
    assert is_written(said[1], images[*plain, "images/s"] / 1e6)
    assert is_written(said[2], images["plain", 256, "images/s"] / 1e6)
