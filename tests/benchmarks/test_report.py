"""Tables and figures from results made up here: no timing, no PyTorch."""

import pytest

from benchmarks import figures, report
from benchmarks.results import Record, Results

ENVIRONMENT = {
    "processor": "Processor",
    "cores": 4,
    "threads": 2,
    "libraries": {"numpy": "2.0"},
    "blas": [{"internal_api": "openblas", "version": "0.3", "architecture": "Any"}],
    "python": "CPython 3.11",
    "when": "2030-01-01",
}


def results(suite, *records, notes=()):
    return Results(suite, ENVIRONMENT, {}, list(records), list(notes))


def step(ours, theirs, **more):
    about = {"work": "LeNet-5", "kind": "training step"}
    return Record(about, {"npnet": ours, "PyTorch": theirs, **more}, at_most=1.0)


def test_a_table_of_ratios():
    table = report.markdown(
        results("step", step([0.002] * 5, [0.004] * 5, **{"PyTorch channels-last": [0.005] * 5}))
    )
    assert "Processor, 4 cores, 2 threads each; numpy 2.0; BLAS openblas 0.3 (Any)" in table
    assert "| LeNet-5 | training step | 2 ± 0 ms | 4 ± 0 ms | 5 ± 0 ms | 0.50 | 0.50 – 0.50 | ≤ 1 |" in table


def test_a_ratio_that_is_too_noisy_is_not_printed():
    table = report.markdown(
        results("step", step([0.001, 0.002, 0.009, 0.02, 0.1], [0.1, 0.01, 0.004, 0.02, 0.001]))
    )
    assert "| too noisy |" in table


def test_peers_and_compilers_are_shown_but_do_not_count():
    table = report.markdown(results("step", step([0.002] * 5, [0.004] * 5, JAX=[0.001] * 5)))
    assert "| 1 ± 0 ms | 0.50 |" in table


def test_peers_have_a_table_of_their_own():
    about = {"work": "LeNet-5", "kind": "training step"}
    samples = {
        "npnet": [0.002] * 40,
        "PyTorch": [0.004] * 40,
        "JAX": [0.001] * 40,
        "autograd": [0.05] * 10,
    }
    found = results("step", Record(about, samples, at_most=1.0, peers_at_most={"autograd": 0.15}))
    for shown in (report.markdown(found), report.terminal(found).replace("   ", " | ")):
        assert "npnet ÷ peer" in shown
    lines = report.markdown(found).splitlines()
    assert "| LeNet-5 | training step | JAX | 2.00 | 2.00 – 2.00 |  |" in lines
    assert "| LeNet-5 | training step | autograd | 0.04 | 0.04 – 0.04 | ≤ 0.15 |" in lines


def test_without_peers_there_is_no_such_table():
    found = results("step", step([0.002] * 5, [0.004] * 5))
    assert "peer" not in report.markdown(found) + report.terminal(found)


def test_small_ratios_keep_their_digits():
    assert "| 0.0033 | 0.0033 – 0.0033 |" in report.markdown(results("step", step([0.001] * 5, [0.3] * 5)))


@pytest.mark.parametrize(
    ("unit", "value", "shown"),
    [("s", 2e-6, "2 ± 0 µs"), ("s", 0.02, "20 ± 0 ms"), ("s", 20.0, "20 ± 0 s"), ("byte", 2**21, "2 ± 0 MiB"),
     ("accuracy", 0.985, "98.5 ± 0 %")],
)  # fmt: skip
def test_units(unit, value, shown):
    assert shown in report.terminal(results("any", Record({"work": "w"}, {"npnet": [value] * 5}, unit=unit)))


def test_exponents_are_fitted():
    records = [
        Record(
            {"axis": "batch", "size": n, "work": "w"}, {"npnet": [n * 1e-3] * 5, "PyTorch": [n**2 * 1e-3] * 5}
        )
        for n in (1, 2, 4)
    ]
    assert "time ∝ (batch)^p with p = npnet 1.00, PyTorch 2.00" in report.terminal(
        results("scaling", *records)
    )


def test_notes_say_what_is_missing():
    assert report.terminal(results("accuracy", notes=["accuracy: not measured"])).endswith("not measured")


def test_the_figure_of_ratios_marks_jax_and_leaves_what_is_far_off_to_the_table():
    found = results("step", step([1.0] * 5, [2.0] * 5, JAX=[0.7] * 5, autograd=[90.0] * 5))
    (plot,) = figures._ratios(found).axes
    marked = {line.get_label(): list(line.get_xdata()) for line in plot.lines}
    assert marked["npnet ÷ JAX, training step"] == [pytest.approx(1 / 0.7)]
    assert not any("autograd" in label for label in marked)
    (plot,) = figures._ratios(results("step", step([1.0] * 5, [2.0] * 5))).axes
    assert not any(line.get_label().startswith("npnet ÷") for line in plot.lines)


def ceiling():
    """Return a step of 3 GFLOP and 0.1 GB where 100 GFLOP/s and 10 GB/s are the best: 30 ms at the least."""
    about = {"work": "w", "kind": "training step", "operations": 3_000_000_000, "bytes": 100_000_000}
    return results(
        "ceiling",
        Record({"ceiling": "products of float32 matrices"}, {"npnet": [9e10], "PyTorch": [1e11]}, "FLOP/s"),
        Record({"ceiling": "copies"}, {"npnet": [1e10], "PyTorch": [8e9]}, "B/s"),
        Record(about, {"npnet": [0.06] * 5, "PyTorch": [0.04] * 5}),
        Record(about | {"kind": "inference", "operations": 1}, {"npnet": [0.02] * 5, "PyTorch": [0.1] * 5}),
    )


def test_the_share_of_the_ceiling():
    """By the products where they take longest, else by what must be moved."""
    table = report.markdown(ceiling()).splitlines()
    assert "| products of float32 matrices | 90 GFLOP/s | 100 GFLOP/s |" in table
    assert "| copies | 10 GB/s | 8 GB/s |" in table
    assert "| w | training step | 50 % | 75 % |" in table
    assert "| w | inference | 50 % | 10 % |" in table
    plots = figures._shares(ceiling()).axes
    assert [plot.get_title() for plot in plots] == ["training step", "inference"]
    assert [list(line.get_xdata()) for line in plots[0].lines[:2]] == [[50], [75]]


def test_the_students_way_has_a_row_and_a_target_of_its_own():
    samples = {"npnet": [1.0] * 5, "PyTorch": [2.0] * 5, report.STUDENT: [4.0] * 5}
    found = results("accuracy", Record({"work": "w"}, samples, peers_at_most={report.STUDENT: 0.5}))
    lines = report.markdown(found).splitlines()
    assert "| w | 1 ± 0 s | 2 ± 0 s | 4 ± 0 s | 0.50 | 0.50 – 0.50 |  |" in lines
    assert f"| w | {report.STUDENT} | 0.25 | 0.25 – 0.25 | ≤ 0.5 |" in lines


NOISY = [0.001, 0.002, 0.009, 0.02, 0.1], [0.1, 0.01, 0.004, 0.02, 0.001]


def test_of_a_noisy_ratio_the_interval_alone_is_drawn():
    (plot,) = figures.figure_of(results("step", step([1.0] * 5, [2.0] * 5), step(*NOISY))).axes
    drawn = [bar for bar in plot.containers if bar.has_xerr and bar.get_label().startswith("_")]
    assert [bar.lines[0] is not None for bar in drawn] == [True, False]


def test_figures(tmp_path):
    noisy = step(*NOISY)
    inference = Record({"work": "MLP", "kind": "inference"}, {"npnet": [1.0] * 5, "PyTorch": [2.0] * 5})
    scaling = [
        Record({"axis": axis, "size": n, "work": "w, 1"}, {"npnet": [n * 1e-3] * 5})
        for n in (1, 2)
        for axis in ("batch", "threads")
    ]
    for found in (
        results("step", noisy, step([1.0] * 5, [2.0] * 5), inference),
        results("step", step([1.0] * 5, [2.0] * 5, JAX=[0.7] * 5, autograd=[90.0] * 5), inference),
        results("scaling", *scaling),
    ):
        path = figures.draw(found, tmp_path)
        assert path.read_bytes().startswith(b"\x89PNG")
    assert figures.draw(results("ops", step([1.0], [1.0])), tmp_path) is None
    assert figures.draw(results("step"), tmp_path) is None
