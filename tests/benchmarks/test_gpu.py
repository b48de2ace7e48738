"""What is measured on a GPU, as far as a CPU goes, and what is made of its JSON."""

import importlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from npnet.errors import MissingError

torch = pytest.importorskip("torch")

main = importlib.import_module("benchmarks.__main__").main
gpu = importlib.import_module("benchmarks.gpu")
gpu_report = importlib.import_module("benchmarks.gpu_report")
report = importlib.import_module("benchmarks.report")
results = importlib.import_module("benchmarks.results")
suite = importlib.import_module("benchmarks.suite")
throughput = importlib.import_module("benchmarks.throughput")
time_to_accuracy = importlib.import_module("benchmarks.time_to_accuracy")

MEASURED = Path(results.FOLDER) / "h100"
without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")


@pytest.fixture
def no_time(monkeypatch):
    """Have everyone run once in a round: what is measured here means nothing."""
    monkeypatch.setattr(suite.Settings, "turn", 1e-6)
    monkeypatch.setattr(suite.Settings, "rounds", 2)


def run(tmp_path, *arguments):
    return main([*arguments, "--quick", "--threads", "1", "--out", str(tmp_path)])


# ---- measuring without a GPU ---------------------------------------------------------------------------


@without_gpu
@pytest.mark.usefixtures("no_time")
def test_without_a_gpu_it_is_said_and_the_cpu_is_measured(tmp_path, capsys):
    assert run(tmp_path, "gpu") == 0
    assert "finds none; measured on the CPU alone" in capsys.readouterr().out
    records = json.loads((tmp_path / "gpu.json").read_text())["records"]
    assert {record["about"]["batch"] for record in records} == {1, 4}
    for record in records:
        assert record["samples"].keys() == {"npnet", "PyTorch"}
    assert (tmp_path / "gpu.png").stat().st_size > 1000


@without_gpu
def test_throughput_without_a_gpu_is_no_mistake(tmp_path, capsys):
    assert run(tmp_path, "throughput") == 0
    assert "throughput: not measured" in capsys.readouterr().out


@pytest.mark.usefixtures("no_time")
def test_when_time_is_up_nothing_new_is_begun(tmp_path, capsys):
    assert run(tmp_path, "gpu", "--seconds", "1e-9") == 0
    assert "no time was left for batch 4 of 6 measurements" in capsys.readouterr().out
    assert not [
        record
        for record in json.loads((tmp_path / "gpu.json").read_text())["records"]
        if "work" in record["about"]
    ]


@without_gpu
@pytest.mark.usefixtures("no_time")
def test_a_suite_goes_on_where_it_stopped(tmp_path):
    assert run(tmp_path, "gpu", "--seconds", "1e-9") == 0
    assert run(tmp_path, "gpu", "--add") == 0
    whole = results.read(tmp_path / "gpu.json")
    assert len(whole.records) == 12
    assert not [note for note in whole.notes if results.NO_TIME in note]
    part = replace(whole, records=whole.records[:5])
    results.write(part, tmp_path)
    assert run(tmp_path, "gpu", "--add") == 0
    again = results.read(tmp_path / "gpu.json")
    assert again.records[:5] == part.records
    assert [record.about for record in again.records] == [record.about for record in whole.records]
    assert again.environment["when"] == whole.environment["when"]
    assert any("what was missing beside 5 records was added on 20" in note for note in again.notes)


@without_gpu
@pytest.mark.usefixtures("no_time")
def test_what_was_measured_is_saved_before_the_suite_ends(tmp_path, monkeypatch):
    assert run(tmp_path, "gpu", "--seconds", "1e-9") == 0
    measured = gpu._on_the_cpu

    def stopped_at_the_third(work, settings, quickest, kind, **others):
        if len(quickest) == 2:
            raise KeyboardInterrupt
        return measured(work, settings, quickest, kind, **others)

    monkeypatch.setattr(gpu, "_on_the_cpu", stopped_at_the_third)
    assert run(tmp_path, "gpu", "--add") == 130
    assert len(results.read(tmp_path / "gpu.json").records) == 2


def test_measurements_of_different_machines_are_not_mixed(tmp_path, capsys):
    (tmp_path / "gpu.json").write_bytes((MEASURED / "gpu.json").read_bytes())
    assert run(tmp_path, "gpu", "--add") == 2
    assert "--add: gpu must be measured with the same" in capsys.readouterr().err
    assert (tmp_path / "gpu.json").read_bytes() == (MEASURED / "gpu.json").read_bytes()


# ---- time to accuracy ----------------------------------------------------------------------------------

PLAINER = "without batch norm, peak 0.1"


def classes_told_by_a_bar(n, channels, side):
    from npnet.data import ArrayDataset, Splits

    rng = np.random.default_rng(0)
    y = rng.integers(10, size=n)
    x = rng.integers(60, size=(n, channels, side, side)) / np.float32(255)
    x[np.arange(n), 0, 2 * y, :] = 1  # a bar whose height tells the class
    return Splits(ArrayDataset(x, y), None, ArrayDataset(x, y))


@without_gpu
@pytest.mark.parametrize(
    ("name", "data"), [("mnist-fast", ("mnist", 1000, 1, 28)), ("cifar10-fast", ("cifar10", 1000, 3, 32))]
)
def test_both_engines_learn_the_same(tmp_path, monkeypatch, name, data):
    images = classes_told_by_a_bar(*data[1:])
    monkeypatch.setattr(f"benchmarks.{name.replace('-', '_')}.{data[0]}", lambda folder: images)
    assert run(tmp_path, name) == 0
    accuracies = {
        engine: values
        for record in results.read(tmp_path / f"{name}.json").records
        for engine, values in record.samples.items()
        if record.unit == "accuracy"
    }
    # After so few steps at a high learning rate, another processor's rounding moves some dozens of images.
    assert accuracies["npnet"] == pytest.approx(accuracies["PyTorch"], abs=0.15)
    assert min(accuracies["npnet"]) > 0.3


@without_gpu
@pytest.mark.parametrize("name", ["mnist-fast", "cifar10-fast"])
def test_where_data_is_missing_it_is_said(tmp_path, capsys, monkeypatch, name):
    def missing(folder):
        raise MissingError("no images here")

    data = name.removesuffix("-fast")
    monkeypatch.setattr(f"benchmarks.{name.replace('-', '_')}.{data}", missing)
    assert run(tmp_path, name) == 0
    assert f"{name}: not measured, no images here" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["mnist_fast", "cifar10_fast"])
def test_the_rates_rise_from_a_tenth_of_the_peak_and_fall_to_0(name):
    setup = importlib.import_module(f"benchmarks.{name}").SETUP
    peak, share = {"mnist_fast": (0.5, 0.4), "cifar10_fast": (0.3, 0.3)}[name]
    rates = time_to_accuracy.learning_rates(setup, 20 * setup.batch_size - 1)
    assert len(rates) == 20
    assert rates[0] == pytest.approx(peak / 10)
    assert rates.index(max(rates)) == 20 * share
    assert max(rates) == pytest.approx(peak)
    assert rates[-1] == pytest.approx(peak / (20 * (1 - share)))


def test_what_is_left_out_changes_nothing_else():
    fast = importlib.import_module("benchmarks.mnist_fast")
    rates = {
        name: time_to_accuracy.learning_rates(setup, 60_000) for name, (setup, _) in fast.CHOICES.items()
    }
    assert {name: len(each) for name, each in rates.items() if len(each) != 313} == {
        "batch 64, peak 0.3": 938,
        "batch 512, peak 0.8": 118,
        "two epochs": 626,
    }
    assert set(rates["learning rate 0.1 throughout"]) == {0.1}
    made = [setup.model(np.random.default_rng(3)) for setup in (fast.SETUP, fast.CHOICES[PLAINER][0])]
    whole, plainer = ([*each.children.values()] for each in made)
    assert [type(each).__name__ for each in whole if type(each).__name__.startswith("Batch")] == [
        "BatchNorm2d", "BatchNorm2d", "BatchNorm1d"
    ]  # fmt: skip
    assert len(plainer) == len(whole) - 3
    np.testing.assert_array_equal(plainer[-1].weight, whole[-1].weight)


def test_seeds_go_on_where_they_stopped(tmp_path):
    """Seeds 0 … 2 at first, and 3 … 5 then, as if there had been no end in between."""
    task = replace(importlib.import_module("benchmarks.mnist_fast").TASK, cpu_seeds=6)
    found = results.Results("mnist-fast", {}, {})
    learnt = []

    def learner():
        def learn(seed):
            learnt.append(seed)
            return 10.0 + seed, 0.99 + seed / 1000

        return learn

    def follow(clock):
        times = iter(clock)
        settings = suite.Settings(1, add_to=tmp_path)
        seen = time_to_accuracy._Seen(found, task, settings, deadline=1.0)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(time_to_accuracy.time, "monotonic", lambda: next(times))
            seen.follow("as it is", "npnet", learner, task.cpu_seeds)

    follow([0, 0, 0, 0, 2])
    assert learnt == [0, 1, 2]
    assert "npnet, as it is: no time was left after 3 of 6 seeds" in found.notes
    found = results.read(tmp_path / "mnist-fast.json")
    follow([0, 0, 0, 0])
    assert learnt == [0, 1, 2, 3, 4, 5]
    accuracies, seconds = found.records
    assert list(seconds.samples["npnet"]) == [10, 11, 12, 13, 14, 15]
    assert list(accuracies.samples["npnet"]) == [0.99 + seed / 1000 for seed in range(6)]
    (note,) = found.notes
    assert "mean 99.250 % of 6 seeds" in note
    follow([])  # nothing is left to learn with
    assert learnt == [0, 1, 2, 3, 4, 5]


# ---- figures of the method -----------------------------------------------------------------------------


def test_the_verdict_is_that_of_a_one_sided_test():
    above = time_to_accuracy.verdict([0.992, 0.991, 0.993], 0.99)
    assert above == "mean 99.200 % of 3 seeds; above 99 % with p = 0.037"
    assert time_to_accuracy.verdict([0.988, 0.989, 0.987], 0.99).endswith("p = 0.96")
    assert time_to_accuracy.verdict([0.5, 0.5], 0.99) == "mean 50.000 % of 2 seeds, all alike"


def test_the_fastest_way_is_profiled_once(monkeypatch):
    profiled = []
    monkeypatch.setattr(
        throughput, "training_of", lambda batch, way, epochs: profiled.append((batch, way.named()))
    )
    monkeypatch.setattr(throughput, "in_kernels", lambda training: [0.95])
    found = results.read(MEASURED / "throughput.json")
    throughput._profile_the_fastest(found)
    assert not profiled
    about = {"work": throughput.WORK, "batch": 16384, "way": "compiled, graphs, autotuned"}
    found.records.append(results.Record(about, {"PyTorch CUDA": [9e6]}, unit="images/s"))
    throughput._profile_the_fastest(found)
    assert profiled == [(16384, "compiled, graphs, autotuned")]
    (share,) = (record for record in found.records if record.unit == "share")
    assert share.samples == {"PyTorch CUDA": [0.95]}
    assert share.about["way"] == "compiled, graphs, autotuned"


def test_time_in_kernels_counts_what_overlaps_once():
    assert throughput.busy([(5, 10), (1, 3), (0, 2)]) == pytest.approx(0.8)
    assert throughput.busy([(0, 10), (2, 3)]) == 1


def test_the_least_work_of_a_linear_model():
    """784 → 10: nobody needs the gradient of the pixels, so backward is one product, of the weights."""
    work = gpu.WORKS[0]
    operations, size = work.least(training=False)
    assert operations == 2 * 784 * 10 * 64
    assert size == 4 * (64 * (784 + 10) + 7850)
    assert work.least(training=True)[0] == 2 * operations


def test_a_large_minibatch_repeats_what_was_drawn():
    x, labels = replace(gpu.WORKS[1], batch=3000).minibatch()
    assert x.shape == (3000, 2)
    np.testing.assert_array_equal(x[1024:2048], x[:1024])
    np.testing.assert_array_equal(labels[2048:], labels[: 3000 - 2048])


@pytest.mark.parametrize(
    ("cpu", "graphs", "expected"),
    [
        ({1: 1.0, 16: 16.0}, {1: 4.0, 16: 4.0}, "4"),
        ({1: 1.0, 16: 16.0}, {1: 0.5, 16: 0.5}, "always"),
        ({1: 1.0, 16: 2.0}, {1: 8.0, 16: 8.0}, "> 16"),
        ({1: 1.0, 16: 16.0, 256: 1.0, 4096: 100.0}, {1: 4.0, 16: 4.0, 256: 4.0, 4096: 4.0}, "590"),
        ({1: 1.0}, {}, ""),
    ],
)
def test_the_gpu_wins_from_the_last_crossing_on(cpu, graphs, expected):
    assert gpu_report.crossover(cpu, graphs) == expected


def test_the_floor_is_the_larger_of_products_and_bytes():
    rates = {gpu_report.FLOAT32: 1e12, gpu_report.COPY: 1e9}
    assert gpu_report.floor({"operations": 1e12, "bytes": 1e6}, rates) == 1
    assert gpu_report.floor({"operations": 1e6, "bytes": 2e9}, rates) == 2


# ---- what was measured ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gpu", "throughput", "mnist-fast"])
def test_tables_of_what_was_measured_are_made_from_its_json(name):
    found = results.read(MEASURED / f"{name}.json")
    text = report.markdown(found)
    assert text == (MEASURED / f"{name}.md").read_text()
    assert "NVIDIA H100" in text.splitlines()[0]
    assert "driver 580" in text.splitlines()[0]


def test_what_the_text_says_of_two_cores_is_in_the_json():
    found = results.read(Path(results.FOLDER) / "mnist-fast.json")
    assert report.markdown(found) == (Path(results.FOLDER) / "mnist-fast.md").read_text()
    accuracies, seconds = (
        {
            engine: values
            for record in found.records
            if record.has(what=what)
            for engine, values in record.samples.items()
        }
        for what in ("accuracy", "time")
    )
    page = (Path(results.FOLDER).parents[1] / "docs" / "cpu-against-gpu.md").read_text()
    for engine in ("npnet", "PyTorch"):
        number, middle = len(seconds[engine]), np.median(seconds[engine])
        assert (
            f"| {engine} on 2 cores | {number} | {middle:.1f} | {100 * np.mean(accuracies[engine]):.3f} % |"
            in page
        )
    assert len(seconds["npnet"]) == 30
    assert "p = 1.2e-05" in time_to_accuracy.verdict(list(accuracies["npnet"]), 0.99)
    assert f"{min(seconds['npnet']):.1f} to {max(seconds['npnet']):.1f} s" in page


def test_what_the_text_says_is_in_the_json():
    fast = results.read(MEASURED / "mnist-fast.json")
    by_what = {
        record.about["what"]: record.samples["PyTorch CUDA"]
        for record in fast.records
        if record.about["choice"] == "as it is" and "PyTorch CUDA" in record.samples
    }
    assert len(by_what["time"]) >= 30
    assert max(by_what["time"]) < 0.75
    assert "above 99 % with p = 4.5e-09" in time_to_accuracy.verdict(by_what["accuracy"], 0.99)
    rates = results.read(MEASURED / "throughput.json").records
    assert max(max(r.samples["PyTorch CUDA"]) for r in rates if r.unit == "images/s") > throughput.AIMED_AT
    (share,) = [r.samples["PyTorch CUDA"] for r in rates if r.unit == "share"]
    assert min(share) > 0.9
