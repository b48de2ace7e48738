import subprocess
import sys

import numpy as np
import pytest

from npnet.data import digits

pytest.importorskip("sklearn")


def test_the_parts_are_stratified_and_together_all_digits():
    splits = digits(np.random.default_rng(0), standardized=False)
    assert [len(part) for part in splits.parts().values()] == [1294, 144, 359]
    for part in splits.parts().values():
        assert part.x.shape[1:] == (1, 8, 8)
        assert (part.x.dtype, part.y.dtype) == (np.float32, np.int64)
        np.testing.assert_allclose(np.bincount(part.y) / len(part), 0.1, atol=0.015)
    from sklearn.datasets import load_digits

    published = load_digits()
    ours = np.concatenate([part.x.reshape(-1, 64) * 16 for part in splits.parts().values()])
    labels = np.concatenate([part.y for part in splits.parts().values()])
    ours, theirs = (
        np.column_stack([pixels, y]) for pixels, y in ((ours, labels), (published.data, published.target))
    )
    np.testing.assert_array_equal(ours[np.lexsort(ours.T)], theirs[np.lexsort(theirs.T)])


def test_they_are_standardised_by_the_training_part():
    splits = digits(np.random.default_rng(0))
    assert abs(splits.train.x.mean()) < 1e-5
    assert abs(splits.train.x.std() - 1) < 1e-5
    plain = digits(np.random.default_rng(0), standardized=False)
    np.testing.assert_allclose(splits.standardization.undo(splits.test.x), plain.test.x, atol=1e-6)


def test_the_generator_decides_what_is_held_out():
    first, again, other = (digits(np.random.default_rng(seed)).test.x for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_without_a_validation_part():
    splits = digits(np.random.default_rng(0), validation=None)
    assert splits.validation is None
    assert len(splits.train) == 1438


def test_scikit_learn_is_not_imported_for_them():
    code = """import sys, numpy, npnet; npnet.data.digits(numpy.random.default_rng(0))
assert "sklearn" not in sys.modules"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_the_file_scikit_learn_gives_the_same(monkeypatch):
    expected = digits(np.random.default_rng(0))
    asked = []
    monkeypatch.setattr(sys.modules[digits.__module__], "find_spec", asked.append)  # it finds nothing
    found = digits(np.random.default_rng(0))
    assert asked == ["sklearn"]
    np.testing.assert_array_equal(found.train.x, expected.train.x)
    np.testing.assert_array_equal(found.train.y, expected.train.y)
