import numpy as np
import pytest

from npnet import recipes
from npnet.data import ArrayDataset, Splits
from npnet.experiments import Options
from npnet.recipes.common.cifar import airplanes_and_birds, with_mirror_images

FIGURES = ["learning_curves", "confusion_matrix", "misclassified", "filters", "shifts"]


def run(folder, out, **options):
    return recipes.get("cifar2-conv").run(Options(quick=True, data=folder, **options), out, lambda line: None)


def test_a_quick_run_draws_everything_and_tells_the_classes(small_cifar, tmp_path):
    result = run(small_cifar("cifar10", 40), tmp_path / "runs")
    assert [path.stem for path in result.figures if path.stem != "turned_by_one_pixel"] == FIGURES
    assert result.values["accuracy"] > 0.9
    assert result.values["shifts"]["accuracy"][0] == result.values["accuracy"]
    assert (result.folder / "model.safetensors").exists()


def test_both_engines_end_with_one_look_at_shifts(small_cifar, tmp_path):
    pytest.importorskip("torch")
    result = run(small_cifar("cifar10", 10), tmp_path / "runs", engine="both", epochs=1)
    assert max(result.values["largest_loss_difference"].values()) < 1e-3
    assert [path.stem for path in result.figures].count("shifts") == 1


def test_the_training_part_alone_is_mirrored(small_cifar):
    options = Options(data=small_cifar("cifar10", 10))
    plain = airplanes_and_birds(options)
    splits = recipes.get("cifar2-conv").setups[1].data(options)
    np.testing.assert_array_equal(splits.train.x[::2], plain.train.x)
    np.testing.assert_array_equal(splits.train.x[1::2], plain.train.x[..., ::-1])
    np.testing.assert_array_equal(splits.train.y, np.repeat(plain.train.y, 2))
    for name in ("validation", "test"):
        np.testing.assert_array_equal(getattr(splits, name).x, getattr(plain, name).x)


def test_mirroring_keeps_dtype_and_what_is_known():
    part = ArrayDataset(np.zeros((2, 3, 4, 4), np.float32), np.array([0, 1]))
    splits = with_mirror_images(Splits(part, part, part, classes=("a", "b"), name="x"))
    assert splits.train.x.dtype == np.float32
    assert (splits.classes, splits.name, len(splits.train), len(splits.test)) == (("a", "b"), "x", 4, 2)


def test_most_parameters_are_not_in_the_convolutions():
    parameters = recipes.get("cifar2-conv").setups[1].model(np.random.default_rng(0)).parameters
    assert sum(array.size for array in parameters.values()) == 136_354
    assert sum(array.size for name, array in parameters.items() if name.startswith("conv")) == 5_088


def test_real_airplanes_and_birds(real_data, tmp_path):
    result = run(real_data, tmp_path)
    assert result.values["accuracy"] > 0.7
    assert 0 < result.values["shifts"]["changed"][1] < 0.1
