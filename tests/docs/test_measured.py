"""What pages say was measured is what stands in the results."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path += [str(ROOT / "docs"), str(ROOT)]

from site_extension import measured, notebooks, pages, runner  # noqa: E402 - after the search path

from benchmarks import gpu_report, results  # noqa: E402 - as above

PAGE = ROOT / "docs" / "course" / "14-cpu-to-gpu.md"
WORKS = {"2-10-10-2": "2-D network 2-10-10-2", "LeNet-5": "LeNet-5 1×28×28"}
WHERE = {"GPU": gpu_report.CUDA, "GPU, graph": gpu_report.GRAPHS}
KIND = "training step"
SMALL = {"works": WORKS["2-10-10-2"], "kind": KIND, "tables": "1 2"}
DIRECTIVE = f"```{{benchmark}} h100/gpu\n:figure: Times.\n:works: {WORKS['LeNet-5']}\n:tables: 2\n```"


@pytest.fixture(scope="module")
def gpu():
    return results.read(measured.path_of("h100/gpu"))


def test_the_times_that_the_course_fits_are_those_measured(gpu):
    names = {}
    cell = next(part for part in pages.read(PAGE) if "measured = {" in getattr(part, "code", ""))
    assert runner.run(cell.code, names)["error"] == ""
    curves = gpu_report.curves(gpu)
    assert len(names["measured"]) == 6
    for (network, where), times in names["measured"].items():
        of_work = curves[WORKS[network], KIND]
        found = gpu_report.best_of_cpu(of_work) if where == "CPU" else of_work[WHERE[where]]
        assert times == pytest.approx({n: 1e6 * found[n] for n in times}, rel=3e-3)


def test_the_numbers_in_the_words_of_the_course_are_those_measured(gpu):
    words, rates = PAGE.read_text(encoding="utf-8"), gpu_report.ceilings(gpu)
    rate, memory = (float(number) for number in re.findall(r"\{([\d.]+) \\cdot 10\^\{12\}\}", words)[:2])
    assert (rate, memory) == pytest.approx(
        (rates[gpu_report.FLOAT32] / 1e12, rates[gpu_report.COPY] / 1e12), rel=2e-3
    )
    assert "8 \\cdot 10^{-6}" in words
    assert rates[gpu_report.LAUNCH] == pytest.approx(8e-6, rel=0.05)
    [operations] = [
        record.about["operations"]
        for record in gpu.records
        if record.has(work=WORKS["2-10-10-2"], kind=KIND, batch=64)
    ]
    assert operations == 51_200
    large = gpu_report.curves(gpu)["four 3×3 convolutions 3×32×32", KIND]
    fastest = [
        min(times[n] / n for n in times) for times in (large[gpu_report.EAGER], large[gpu_report.CUDA])
    ]
    assert fastest[0] / fastest[1] == pytest.approx(40, rel=0.06)


def test_a_part_of_the_results_is_of_the_works_named():
    found = measured.selected("h100/gpu", SMALL)
    works = {(record.about.get("work"), record.about.get("kind")) for record in found.records}
    assert works == {(SMALL["works"], KIND), (None, None)}, "the ceilings stay"
    written = measured.written(found, SMALL)
    assert "| launch | 8.1 µs |" in written
    assert "| 2-D network 2-10-10-2 | training step | 3310 |" in written
    assert "samples/s" not in written, "the third table was not asked for"
    assert "samples/s" in measured.written(found, {})


def test_a_work_that_was_not_measured_is_named():
    with pytest.raises(ValueError, match="h100/gpu: no work LeNet-6 was measured"):
        measured.selected("h100/gpu", {"works": "LeNet-6"})


def test_a_notebook_has_what_was_measured_written_out():
    [cell] = notebooks.notebook([pages.Words(DIRECTIVE)])["cells"]
    assert cell["source"].startswith("![Times.](data:image/png;base64,")
    assert "| LeNet-5 1×28×28 | training step |" in cell["source"]
    assert "{benchmark}" not in cell["source"]
