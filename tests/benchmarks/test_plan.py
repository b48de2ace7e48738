"""What several workers are said to gain, beside sums done by hand, and beside what was measured."""

import importlib
from pathlib import Path

import pytest

from npnet.errors import InputError

torch = pytest.importorskip("torch")

main = importlib.import_module("benchmarks.__main__").main
plan_model = importlib.import_module("benchmarks.plan_model")
plan_report = importlib.import_module("benchmarks.plan_report")
report = importlib.import_module("benchmarks.report")
results = importlib.import_module("benchmarks.results")

Link, Step = plan_model.Link, plan_model.Step
MEASURED = Path(results.FOLDER) / "plan.json"
SECOND = Link("a MiB a second", 0.0, 2**20)  # two workers add up a MiB in a second


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_a_ring_passes_on_parts_until_all_have_the_sum(workers):
    """N − 1 times parts of the sum are passed on, and N − 1 times the sums."""
    steps = [0.25 + 12.0 / workers / 3.0 for _ in range(2) for _ in range(workers - 1)]
    assert Link("a link", 0.25, 3.0).ring(12.0, workers) == pytest.approx(sum(steps))


def test_buckets_travel_while_backward_goes_on():
    """9 MiB: the first one is full after 1 s of 9, and the 8 others when backward ends."""
    step = Step({1: 1.0}, 9 * 2**20)
    assert step.waiting(9.0, 1, 2, SECOND) == pytest.approx(8.0)
    assert step.waiting(0.0, 1, 2, SECOND) == pytest.approx(9.0)


def test_a_bucket_waits_for_the_one_before():
    """51 MiB in buckets of 1, 25 and 25: the last is full at 5.1 s and begins when the second has arrived."""
    step, link = Step({1: 1.0}, 51 * 2**20), Link("", 0.0, 2**20 * 10)
    assert step.waiting(5.1, 1, 2, link) == pytest.approx(2.6 + 2.5 + 2.5 - 5.1)


def test_outputs_go_first():
    step = Step({1: 1.0}, 2**20, outputs=2**20)
    assert step.waiting(10.0, 3, 2, SECOND) == pytest.approx(1.0)  # 3 s that backward hides, and the bucket
    assert step.waiting(2.0, 3, 2, SECOND) == pytest.approx(3.0 + 1.0 - 2.0)


def test_processes_on_the_same_cores_take_turns_and_hide_nothing():
    step = Step({2: 2.0, 4: 4.0, 12: 12.0}, 2**20)
    assert step.together(12, 3, SECOND, cores=2) == pytest.approx(1.5 * (4.0 + SECOND.ring(2**20, 3)))
    assert step.together(12, 3, SECOND) == pytest.approx(4.0 + SECOND.ring(2**20, 3))


def test_all_wait_for_the_slowest():
    spread = [1.0] * 90 + [2.0] * 10
    assert plan_model.slowest(spread, 1) == 1.0
    assert plan_model.slowest(spread, 6) == 1.0  # 0.9⁶ > ½: more often than not, none of six is late
    assert plan_model.slowest(spread, 8) == 2.0  # 0.9⁸ < ½


def test_it_pays_as_long_as_a_doubling_adds_half_of_what_it_costs():
    for seconds, expected in ((0.0, 64), (1.0, 4), (100.0, 1)):
        link = Link("", seconds, 1e12)
        step = Step({1: 1.0, 64: 64.0}, 4)
        assert plan_model.pays_up_to(step, 64, link) == expected


@pytest.mark.parametrize(
    "text", ["", "Ethernet", "=1,2", "a=1", "a=0,1", "a=-1,1", "a=nan,1", "a=1,inf", "a=1,2,3"]
)
def test_a_link_that_does_not_read_so_is_refused(text):
    with pytest.raises(InputError, match="--link: a link must read NAME=GBIT,MICROSECONDS"):
        plan_model.link_from(text)


def test_the_command_measures_two_processes_and_plans_for_a_given_link(tmp_path, capsys):
    assert main(["plan", "--quick", "--out", str(tmp_path), "--link", "string and tins=0.001,1000"]) == 0
    shown = capsys.readouterr().out
    assert "string and tins" in shown
    assert "InfiniBand" not in shown
    found = results.read(tmp_path / "plan.json")
    together = [record for record in found.records if record.has(way=plan_report.TOGETHER)]
    assert [record.about["processes"] for record in together] == [2]
    assert main(["plan", "--out", str(tmp_path), "--link", "string"]) == 2
    assert "got 'string'" in capsys.readouterr().err


def test_the_page_says_what_the_json_holds():
    found = results.read(MEASURED)
    page = (Path(results.FOLDER).parents[1] / "docs" / "cpu-against-gpu.md").read_text()
    for _, _, number, measured, expected, _, _, share in plan_report._check(found)[1]:
        row = f" | {share} | {measured} | {expected} |"
        assert (row in page) == (number == "2"), row
    card = "NVIDIA H100 80GB HBM3"
    pays = {
        (row[0].split(" 3×32")[0].split(" 1×28")[0], row[4]): row[-1]
        for row in plan_report._plans(found)[1]
        if row[1] == card
    }
    assert f"| 3072-512-2 | {pays['3072-512-2', 'Ethernet 10 Gbit/s']} GPU | " in page
    for work in ("LeNet-5", "four 3×3 convolutions"):
        numbers = [pays[work, link] for link in ("Ethernet 10 Gbit/s", "InfiniBand 400 Gbit/s", "NVLink")]
        assert f"| {work} | {' | '.join(numbers)} |" in page


def test_the_table_is_made_from_its_json_and_the_model_is_as_near_as_the_page_says():
    found = results.read(MEASURED)
    assert report.markdown(found) == MEASURED.with_suffix(".md").read_text()
    together = [record for record in found.records if record.has(way=plan_report.TOGETHER)]
    ratios = []
    for record in together:
        about = {name: record.about[name] for name in ("work", "batch", "processes")}
        ratios.append(plan_report.model(found, **about) / plan_report._median(record))
    assert len(ratios) == 8
    assert sum(abs(ratio - 1) <= 0.15 for ratio in ratios) == 7
    assert max(abs(ratio - 1) for ratio in ratios) < 0.17
