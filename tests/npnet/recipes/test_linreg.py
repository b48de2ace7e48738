import numpy as np
import pytest

from npnet import recipes
from npnet.experiments import Options
from npnet.recipes.linreg import least_squares, noisy_points, one_line, written_gradients


def test_a_quick_run_finds_both_lines_and_gradients_agree(tmp_path):
    result = recipes.get("linreg").run(Options(quick=True), tmp_path, lambda line: None)
    lines = result.values["lines"]
    assert (lines["two points"]["a"], lines["two points"]["b"]) == pytest.approx((2, 1), abs=1e-5)
    assert lines["noisy points"]["distance"] < 1e-5
    assert lines["noisy points"]["distance"] != 0
    assert max(line["gradients_differ_by"] for line in lines.values()) < 1e-12
    assert {path.name for path in result.figures} == {"lines.png", "losses.png"}
    assert all(path.stat().st_size > 10_000 for path in result.figures)
    assert result.status == "finished"


def test_noisy_points_are_drawn_from_the_seed_and_not_on_a_line():
    one, other = (noisy_points(Options(seed=seed)).train for seed in (0, 1))
    assert not np.array_equal(one.y, other.y)
    slope, intercept = least_squares(one)
    assert (one.y - slope * one.x - intercept).std() == pytest.approx(0.5, rel=0.2)


@pytest.mark.parametrize("seed", range(3))
def test_written_gradients_are_those_of_autograd(seed):
    torch = pytest.importorskip("torch")
    part, model = noisy_points(Options(seed=seed)).train, one_line(np.random.default_rng(seed))
    a, b = (torch.tensor(float(p.item()), dtype=torch.float64, requires_grad=True)
            for p in model.parameters.values())  # fmt: skip
    ((a * torch.from_numpy(part.x) + b - torch.from_numpy(part.y)) ** 2).mean().backward()
    ours = written_gradients(a.item(), b.item(), part.x, part.y)
    assert ours == pytest.approx((a.grad.item(), b.grad.item()), rel=1e-12)


def test_a_run_cut_short_is_shown_as_far_as_it_went(tmp_path):
    result = recipes.get("linreg").run(Options(epochs=20), tmp_path, lambda line: None)
    assert result.values["lines"]["two points"]["distance"] > 1e-3
