import json
import os
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npnet import checkpoint, data, models, nn, optim
from npnet.errors import InputError, MissingError
from npnet.saved import KEY, SavedModel, load, save
from tests.examples.operations import LAYERS, make


class Swish(nn.Layer):
    def apply(self, x, *, training, generator):
        s = 1 / (1 + np.exp(-x))
        return x * s, lambda grad_y: grad_y * (s + x * s * (1 - s))


class PReLU(nn.Layer):
    parameter_names = ("weight",)
    setting_names = ("features",)

    def __init__(self, features):
        self.features = features
        self.weight = np.full(features, 0.25, np.float32)

    def apply(self, x, *, training, generator):
        slope = np.where(x > 0, 1, self.weight)

        def backward(grad_y, needs):
            return grad_y * slope, (grad_y * np.minimum(x, 0)).sum(axis=0)

        return slope * x, backward


class Unnamed(PReLU):
    setting_names = ()


class Holding(PReLU):
    def __init__(self, features):
        super().__init__(len(features))
        self.features = features


def rng(seed=0):
    return np.random.default_rng(seed)


def rows(n=30):
    """Return splits of a table of two columns and three classes, the third of which is far off."""
    table = {"size": rng().normal(50, 10, n), "colour": ["red", "blue", "red"] * (n // 3)}
    return data.arrays(table, ["cat", "dog", "owl"] * (n // 3), name="animals")


def classifier(splits, seed=0, outputs=3):
    return nn.Sequential(
        nn.Linear(splits.input_shape[0], 8, generator=rng(seed)),
        nn.ReLU(),
        nn.Linear(8, outputs, generator=rng(seed + 1)),
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def both_ways(path, model, x, layers=(), splits=None):
    save(path, model, splits)
    again = load(path, layers).model
    assert repr(again) == repr(model)
    np.testing.assert_array_equal(again(x), model(x), strict=True)
    assert list(again.parameters) == list(model.parameters)
    assert again.frozen_parameters == model.frozen_parameters
    return again


# ---- models --------------------------------------------------------------------------------------------

IMAGES = rng().normal(size=(2, 3, 8, 8)).astype(np.float32)
ROWS = rng().normal(size=(4, 6)).astype(np.float32)


def made_of_table():
    for case in LAYERS:
        layer, shape = make(case, rng(), np.float32)
        yield layer, rng().normal(size=shape).astype(np.float32)


ONE_OF_EACH = [
    *made_of_table(),
    (nn.AvgPool2d((2, 1), divisor_override=100_000), IMAGES),
    (nn.Dropout(0.3), ROWS),
    (nn.Sequential(nn.Flatten(), nn.Identity(), nn.Tanh()), IMAGES),
    (nn.Sequential(), ROWS),
    (nn.Residual(nn.Linear(6, 6, generator=rng())), ROWS),
    (
        nn.Residual(
            nn.Linear(6, 2, generator=rng()), nn.Sequential({"up": nn.Linear(6, 2, generator=rng())})
        ),
        ROWS,
    ),
    (models.lenet5(3, 32, 10, generator=rng()), np.ones((1, 3, 32, 32), np.float32)),
    (models.mlp([6, 5, 4, 3], "leaky_relu", batch_norm=True, generator=rng()), ROWS),
    (models.airplane_bird_conv(generator=rng()), np.ones((1, 3, 32, 32), np.float32)),
]


@pytest.mark.parametrize(("model", "x"), ONE_OF_EACH, ids=lambda value: type(value).__name__)
def test_a_model_of_any_layer_comes_back(path, model, x):
    both_ways(path, model, x)


def test_every_layer_of_nn_is_among_them():
    used = {type(layer) for model, _ in ONE_OF_EACH for _, layer in model.named_layers()}
    every = {getattr(nn, name) for name in nn.__all__}
    assert {cls for cls in every if isinstance(cls, type) and issubclass(cls, nn.Layer)} - used == {nn.Layer}


def test_frozen_layers_dtypes_and_statistics_come_back(path):
    model = nn.Sequential(
        nn.Linear(6, 3, generator=rng(), dtype=np.float64), nn.BatchNorm1d(3, dtype=np.float64)
    )
    model.freeze("0")
    model.forward(ROWS.astype(np.float64))
    again = both_ways(path, model, ROWS.astype(np.float64))
    assert again.buffers["1.num_batches_tracked"] == 1
    assert {array.dtype for array in again.parameters.values()} == {np.dtype(np.float64)}


def test_layers_of_ones_own_come_back_when_they_are_given(path):
    model = nn.Sequential(nn.Linear(6, 4, generator=rng()), Swish(), PReLU(4))
    model.parameters["2.weight"][...] = [1, 2, 3, 4]
    both_ways(path, model, ROWS, layers=[Swish, PReLU])
    with pytest.raises(
        InputError, match=r"layer '1' is of the class 'Swish', .* npnet.load\(path, layers=\[Swish\]\)"
    ):
        load(path)
    with pytest.raises(InputError, match="layer '2' is of the class 'PReLU'"):
        load(path, layers=[Swish])


def test_a_layer_that_cannot_be_made_again_is_refused_before_anything_is_written(path):
    with pytest.raises(InputError, match=r"layer '0' Unnamed takes features, which setting_names must name"):
        save(path, nn.Sequential(Unnamed(4)))
    with pytest.raises(InputError, match=r"layer '0' Holding: features must be a number, text or a tuple"):
        save(path, nn.Sequential(Holding({1, 2})))
    assert not path.exists()


def test_it_is_a_file_of_weights_as_well(path):
    splits = rows()
    model, other = classifier(splits), classifier(splits, seed=5)
    save(path, model, splits)
    checkpoint.load_weights(path, other)
    np.testing.assert_array_equal(other(splits.test.x), model(splits.test.x))
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    theirs = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    theirs.load_state_dict(load_file(path))
    np.testing.assert_allclose(
        theirs(torch.from_numpy(splits.test.x)).detach(), model(splits.test.x), atol=1e-5
    )


def test_a_file_that_cannot_be_written_leaves_the_old_one(path, monkeypatch):
    splits = rows()
    save(path, classifier(splits), splits)
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"cannot write .*: No space left on device"):
        save(path, classifier(splits, seed=9), splits)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


# ---- answers -------------------------------------------------------------------------------------------


def test_raw_rows_are_answered_by_name(path):
    splits = rows()
    model = classifier(splits)
    save(path, model, splits)
    saved = load(path)
    assert repr(saved) == "SavedModel(Sequential; rows of 2 columns to 3 classes: cat, dog, owl)"
    expected = np.array(splits.classes)[model(splits.test.x).argmax(axis=1)]
    assert saved.predict(splits.test).tolist() == expected.tolist()
    raw = splits.standardization.undo(splits.test.x.astype(np.float64))
    table = [{"size": row[0], "colour": "blue" if row[1] > 0.5 else "red"} for row in raw]
    assert saved.predict(table).tolist() == expected.tolist()
    probabilities = saved.predict_proba(table)
    assert probabilities.shape == (len(table), 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert np.array(splits.classes)[probabilities.argmax(axis=1)].tolist() == expected.tolist()


def test_raw_pictures_are_answered_by_name(path, tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    rng_ = rng()
    for first, name in enumerate(["dark", "light"]):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(10):
            pixels = rng_.integers(130 * first, 130 * first + 100, (6, 6), np.uint8)
            image_module.fromarray(pixels).save(tmp_path / "photos" / name / f"{i}.png")
    splits = data.image_folder(tmp_path / "photos", mode="L")
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 2, generator=rng()))
    model.parameters["1.weight"][...] = [[-1] * 36, [1] * 36]
    save(path, model, splits)
    saved = load(path)
    file = tmp_path / "photos" / "dark" / "3.png"
    image = image_module.open(file)
    pixels = np.asarray(image)
    colour = np.stack([pixels] * 3, axis=-1)
    for raw in (
        file,
        str(file),
        [file],
        image,
        pixels,
        colour,
        pixels / 255,
        colour.transpose(2, 0, 1),
        pixels[None],
    ):
        assert saved.predict(raw).tolist() == ["dark"]
    both = [file, tmp_path / "photos" / "light" / "3.png"]
    assert saved.predict(both).tolist() == ["dark", "light"]
    assert saved.predict(np.stack([pixels, pixels + np.uint8(130)])).tolist() == ["dark", "light"]
    assert saved.predict(np.kron(pixels, np.ones((4, 4), np.uint8))).tolist() == ["dark"]
    for raw, message in (
        (pixels.astype(np.int64), "must be of uint8"),
        (pixels / 10, "floating-point numbers 0…1, or bytes"),
        (splits.test.x[0, 0], "not standardised"),
        (np.full((6, 6), np.nan), "floating-point numbers 0…1"),
        ([], "at least one image"),
        (np.ones(5), "must have shape"),
        (tmp_path, "must be a file, got a folder"),
        ("nowhere.png", "there is no file"),
        (None, "must be a NumPy array, got None"),
    ):
        with pytest.raises(InputError, match=message):
            saved.predict(raw)


def test_numbers_are_learnt_as_numbers(path):
    x = rng().normal(size=(40, 1))
    splits = data.arrays(1000 + x, 3 * x[:, 0] + 1)
    model = nn.Linear(1, 1, generator=rng())
    model.weight[...], model.bias[...] = (
        3 * splits.standardization.deviation[0],
        3 * (splits.standardization.mean[0] - 1000) + 1,
    )
    save(path, model, splits)
    saved = load(path)
    learnt = (
        saved.predict(1000 + x) - splits.target_standardization.mean
    ) / splits.target_standardization.deviation
    np.testing.assert_allclose(learnt, 3 * x[:, 0] + 1, atol=1e-3)
    assert "to regression" in repr(saved)
    with pytest.raises(InputError, match="the task is regression, which has no probabilities"):
        saved.predict_proba(1000 + x)


@pytest.mark.parametrize("last", [nn.Softmax(1), nn.LogSoftmax(1), nn.Identity()])
def test_probabilities_whatever_the_last_layer_gives(path, last):
    splits = rows()
    plain = classifier(splits)
    save(path, nn.Sequential(plain, last), splits)
    logits = plain(splits.test.x)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(load(path).predict_proba(splits.test), expected, atol=1e-6)


@pytest.mark.parametrize("last", [nn.Sigmoid(), nn.Identity()])
def test_one_output_tells_two_classes_apart(path, last):
    splits = data.arrays(np.linspace(-1, 1, 20), ["no"] * 10 + ["yes"] * 10)
    linear = nn.Linear(1, 1, generator=rng())
    linear.weight[...], linear.bias[...] = 2, 0
    save(path, nn.Sequential(linear, last), splits)
    saved = load(path)
    assert saved.predict([[-0.9], [0.9]]).tolist() == ["no", "yes"]
    second = 1 / (1 + np.exp(-2 * splits.test.x[:, 0]))
    np.testing.assert_allclose(saved.predict_proba(splits.test), np.stack([1 - second, second], 1), atol=1e-6)


def test_outputs_without_a_class_go_by_their_number(path):
    splits = rows()
    model = classifier(splits, outputs=5)
    model.parameters["2.bias"][4] = 1000
    save(path, model, splits)
    assert set(load(path).predict(splits.test)) == {"4"}


def test_a_model_that_does_not_fit_the_data_is_refused(path, bare):
    splits = rows()
    with pytest.raises(InputError, match="model must be the one trained on data"):
        save(path, nn.Linear(7, 3, generator=rng()), splits)
    with pytest.raises(InputError, match="one output for each of data's 3 classes"):
        save(path, classifier(splits, outputs=2), splits)
    assert not path.exists()


def test_published_digits_are_answered_too(path):
    splits = data.digits(rng())
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10, generator=rng()))
    save(path, model, splits)
    saved = load(path)
    pixels = splits.standardization.undo(splits.test.x[:5])[:, 0].clip(0, 1)
    np.testing.assert_allclose(saved.prepare(pixels), splits.test.x[:5], atol=1e-5)


def test_samples_of_other_shapes_go_as_arrays(path):
    splits = data.arrays(rng().normal(size=(20, 2, 5, 5)).astype(np.float32), ["a", "b"] * 10)
    model = nn.Sequential(nn.Flatten(), nn.Linear(50, 2, generator=rng()))
    save(path, model, splits)
    saved = load(path)
    x = splits.standardization.undo(splits.test.x)
    assert saved.predict(x).tolist() == saved.predict(splits.test).tolist()
    assert len(saved.predict(x[0])) == 1
    with pytest.raises(InputError, match=r"raw must have shape \(n, 2, 5, 5\), got \(5, 5\)"):
        saved.predict(np.ones((5, 5)))


def test_without_data_there_are_no_answers(path):
    save(path, nn.Linear(2, 2, generator=rng()))
    saved = load(path)
    assert "saved without its data" in repr(saved)
    with pytest.raises(
        InputError, match=r"the model was saved without its data, npnet.save\(path, model, splits\)"
    ):
        saved.predict([[1, 2]])


def test_what_is_no_number_is_not_answered(path):
    splits = rows()
    model = classifier(splits)
    model.parameters["2.bias"][...] = np.nan
    save(path, model, splits)
    with pytest.raises(InputError, match="the model's output for sample 0 is no finite number"):
        load(path).predict(splits.test)


def test_many_samples_go_in_pieces(path):
    splits = rows(900)
    model = classifier(splits)
    save(path, model, splits)
    np.testing.assert_allclose(
        load(path).predict_proba(splits.train)[-1],
        load(path).predict_proba(splits.train.subset([len(splits.train) - 1]))[0],
        atol=1e-6,
    )


# ---- files of anybody ----------------------------------------------------------------------------------


def test_weights_alone_say_so(path):
    checkpoint.save_weights(path, nn.Linear(2, 2, generator=rng()))
    with pytest.raises(InputError, match="holds weights alone, not the model"):
        load(path)


def test_files_that_are_none(tmp_path, path):
    with pytest.raises(MissingError, match="there is no file"):
        load(path)
    os.mkfifo(path)
    with pytest.raises(InputError, match="must be a file, got a named pipe"):
        load(path)
    with pytest.raises(InputError, match="must be a file, got a folder"):
        load(tmp_path)
    with pytest.raises(InputError, match="must be a file, got a device"):
        load("/dev/zero")
    (tmp_path / "text").write_text("no model")
    with pytest.raises(InputError, match="damaged or not a safetensors file"):
        load(tmp_path / "text")


def whole():
    """Return the arrays and the description of a model of rows."""
    splits = rows()
    model = classifier(splits)
    arrays = model.state_dict()
    from npnet import saved as module

    description = {"npnet": "x", "version": 1, "model": module.describe(model), **module._about(splits)}
    return arrays, json.loads(json.dumps(description))


def described_by(path, arrays, description):
    text = description if isinstance(description, str) else json.dumps(description)
    checkpoint.save(path, arrays, {KEY: text})
    return path


HUGE = 10**12


def put(*keys_and_value):
    *keys, last, value = keys_and_value

    def change(description):
        inner = description
        for key in keys:
            inner = inner[key]
        inner[last] = value

    return change


def layer(**entry):
    return put("model", "children", "0", entry)


CHANGES = {
    "version": put("version", 2),
    "no model": put("model", None),
    "model of text": put("model", "Linear"),
    "unknown layer": layer(layer="os.system"),
    "hidden layer": layer(layer="Layer"),
    "function": layer(layer="pair"),
    "no settings": layer(layer="Linear"),
    "settings of text": layer(layer="Linear", settings="x"),
    "foreign setting": layer(layer="Linear", settings={"in_features": 3, "out_features": 8, "generator": 1}),
    "huge": layer(layer="Linear", settings={"in_features": HUGE, "out_features": HUGE}),
    "huge without arrays": put(
        "model",
        "children",
        "9",
        {
            "layer": "BatchNorm1d",
            "settings": {"num_features": HUGE, "affine": False, "track_running_stats": False},
        },
    ),
    "huge convolution": layer(
        layer="Conv2d", settings={"in_channels": 3, "out_channels": 8, "kernel_size": [HUGE, 1]}
    ),
    "huge padding": put(
        "model",
        "children",
        "9",
        {"layer": "MaxPool2d", "settings": {"kernel_size": 2 * HUGE, "padding": HUGE}},
    ),
    "huge pooling": put(
        "model", "children", "9", {"layer": "AdaptiveAvgPool2d", "settings": {"output_size": HUGE}}
    ),
    "negative": layer(layer="Linear", settings={"in_features": -3, "out_features": 8}),
    "setting of text": layer(layer="LeakyReLU", settings={"negative_slope": "0.1"}),
    "frozen of text": put("model", "children", "0", "frozen", "weight"),
    "frozen unknown": put("model", "children", "0", "frozen", ["bias", "no"]),
    "frozen of lists": put("model", "children", "0", "frozen", [["bias"]]),
    "children of text": put("model", "children", "x"),
    "dotted name": put("model", "children", "a.b", {"layer": "ReLU"}),
    "one more layer": put(
        "model", "children", "9", {"layer": "Linear", "settings": {"in_features": 3, "out_features": 8}}
    ),
    "residual": put("model", {"layer": "Residual", "children": {"soul": {"layer": "ReLU"}}}),
    "task": put("task", "magic"),
    "task of a list": put("task", ["classification"]),
    "classes of text": put("classes", "abc"),
    "classes of numbers": put("classes", [1, 2, 3]),
    "classes twice": put("classes", ["a", "a", "b"]),
    "no shape": put("input_shape", None),
    "shape of text": put("input_shape", ["3"]),
    "huge shape": put("input_shape", [HUGE]),
    "long shape": put("input_shape", [1] * 1000),
    "name": put("name", 3),
    "standardization of text": put("standardization", "x"),
    "mean missing": put("standardization", {"deviation": [1, 1, 1]}),
    "mean of text": put("standardization", "mean", ["0"] * 3),
    "mean of two": put("standardization", "mean", [0, 0]),
    "mean infinite": put("standardization", "mean", [1e999, 0, 0]),
    "deviation zero": put("standardization", "deviation", [0, 1, 1]),
    "target of text": put("target_standardization", "x"),
    "target's mean missing": put("target_standardization", {"deviation": [1]}),
    "target's mean infinite": put("target_standardization", {"deviation": [1], "mean": [1e999]}),
    "target's deviation zero": put("target_standardization", {"deviation": [0], "mean": [0]}),
    "target of classes": put("target_standardization", {"deviation": [1], "mean": [0]}),
    "format of text": put("format", "rows"),
    "format of what": put("format", "kind", "sound"),
    "format of images": put("format", {"kind": "images", "height": 3, "width": 1, "mode": "L"}),
    "huge images": put("format", {"kind": "images", "height": HUGE, "width": 1, "mode": "L"}),
    "no columns": put("format", "columns", []),
    "columns of text": put("format", "columns", "ab"),
    "one column": put("format", "columns", [{"name": "size"}]),
    "twice a column": put("format", "columns", [{"name": "a"}] * 3),
    "fill of text": put("format", "columns", 0, "fill", "0"),
    "categories of text": put("format", "columns", 1, "categories", "ab"),
    "categories of numbers": put("format", "columns", 1, "categories", [1, 2]),
    "decimal": put("format", "decimal", "x"),
    "target": put("format", "target", None),
}


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("name", CHANGES)
def test_a_damaged_description_is_refused_in_words(path, name):
    arrays, description = whole()
    load(described_by(path, arrays, description))
    CHANGES[name](description)
    with pytest.raises(InputError) as caught:
        load(described_by(path, arrays, description))
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 700


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        "null",
        '{"version": NaN}',
        "[" * 100_000,
        '{"version":1,"model":' + '{"layer":"Sequential","children":{"0":' * 200 + "{}" + "}}" * 200 + "}",
    ],
    ids=range(8),
)
def test_what_is_no_description_is_refused(path, text):
    with pytest.raises(InputError):
        load(described_by(path, whole()[0], text))


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    "change", [{"2.bias": None}, {"3.bias": np.ones(2)}, {"2.bias": np.ones(4, np.float32)}], ids=str
)
def test_arrays_that_do_not_fit_are_refused(path, change):
    arrays, description = whole()
    arrays = {name: array for name, array in (arrays | change).items() if array is not None}
    with pytest.raises(InputError, match=r"2\.bias|3\.bias"):
        load(described_by(path, arrays, description))


@pytest.mark.usefixtures("bare")
@given(st.data())
def test_no_damage_ends_in_anything_but_words(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damage") / "model.safetensors"
    described_by(path, *whole())
    content = bytearray(path.read_bytes())
    (header,) = struct.unpack("<Q", content[:8])
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        for _ in range(data.draw(st.integers(1, 5))):
            content[data.draw(st.integers(0, min(len(content), 8 + header) - 1))] ^= 1 << data.draw(
                st.integers(0, 7)
            )
    path.write_bytes(content)
    try:
        load(path).predict(np.array([[50, "red"]], object))
    except InputError:
        return


def test_values_that_are_no_saved_model(bare):
    with pytest.raises(InputError, match="standardization must have as many channels"):
        SavedModel(nn.ReLU(), "regression", (), (3,), data.Standardization(np.zeros(2), np.ones(2)))
    with pytest.raises(InputError, match=r"format must give samples of input_shape, \(3,\), got \(1,\)"):
        SavedModel(nn.ReLU(), "regression", (), (3,), None, data.RowFormat((data.Column("a"),)))


def test_training_goes_on_from_a_loaded_model(path):
    import npnet

    splits = rows(60)
    model = classifier(splits)
    save(path, model, splits)
    again = load(path).model
    sgd = optim.SGD(again.parameters, lr=0.1)
    npnet.fit(
        again, nn.CrossEntropyLoss(), sgd, splits, epochs=1, batch_size=8, generator=rng(), progress=False
    )
    assert (again(splits.test.x) != model(splits.test.x)).any()
