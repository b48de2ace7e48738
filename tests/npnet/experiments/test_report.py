"""The report at the end of a run: what it says is what the run found, and a browser shows it from a file."""

import json
import re
from html import escape
from html.parser import HTMLParser

import numpy as np
import pytest

from npnet import metrics, recipes, saved
from npnet.cli import main
from npnet.errors import InputError
from npnet.experiments import Options, Runner, probabilities
from npnet.experiments._report import _charts, _images
from npnet.run import REPORT, RunFolder
from npnet.train import Epoch, History
from npnet.train.history import epochs_table

blank = pytest.mark.usefixtures("blank_figures")
SMALL = {"quick": True, "progress": False}


def reported(name, out, *, only=(), **options):
    """Run a recipe and return its folder, the text of its report and what was told."""
    recipe = recipes.get(name)
    recipe = recipe.only(*only) if only else recipe
    told = []
    result = recipe.run(Options(**{**SMALL, **options}), out, told.append)
    return result.folder, (result.folder / REPORT).read_text(encoding="utf-8"), told


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A short run of the digits that is diagnosed: its folder, and the text of its report."""
    folder, page, _ = reported("digits", tmp_path_factory.mktemp("digits"), diagnose=True)
    return folder, page


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """A run of a regression with two networks: its folder, and the text of its report."""
    chosen = ("two points", "noisy points")
    folder, page, _ = reported("linreg", tmp_path_factory.mktemp("lines"), only=chosen, epochs=50)
    return folder, page


def headings(page):
    """Return the headings of the parts, without those of the embedded trace."""
    return re.findall(r"<h3>(.*?)</h3>", re.sub(r"srcdoc='[^']*'", "", page))


# ---- what it says --------------------------------------------------------------------------------------


@blank
def test_the_command_names_the_file(tmp_path, capsys):
    assert main(["train", "linreg", "--only", "two points", "--epochs", "2", "--out", str(tmp_path)]) == 0
    (folder,) = (tmp_path / "linreg").iterdir()
    assert f"report: {folder / REPORT}" in capsys.readouterr().out.splitlines()[-4:]
    assert (folder / REPORT).exists()


def test_a_classifier_of_images_has_every_part(digits):
    assert headings(digits[1]) == [
        "Result", "Diagnosis", "Curves", "Confusion matrix", "Misclassified images",
        "Filters of the first layer", "Feature maps of one image", "Settings",
        "One training step, number by number", "Run", "Versions",
    ]  # fmt: skip


def test_a_regression_has_the_parts_it_can_have_for_each_network(lines):
    each = ["Curves", "Settings"]
    traced = "One training step, number by number"
    found = headings(lines[1])
    assert found == ["Result", "Tables", "Figures", *each, traced, *each, "Run", "Versions"]
    assert "<h2>Network: two points</h2>" in lines[1]
    assert 'href="#network-1"' in lines[1]


def test_it_stays_small(digits):
    assert len(digits[1].encode()) < 700_000  # five figures of the diagnosis included


def test_its_numbers_are_those_of_the_run(digits):
    folder, page = digits
    result = json.loads((folder / "result.json").read_text())
    settings = json.loads((folder / "settings.json").read_text())
    assert f'<p class="headline">{result["headline"]}</p>' in page
    assert f"{100 * result['accuracy']:.2f} %" in page
    assert f"<dd>{settings['optimizer']}</dd>" in page
    assert f"<dt>numpy</dt><dd>{np.__version__}</dd>" in page
    last = json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])
    assert f"epoch 2: training {_charts.shown(last['train_loss'])}</title>" in page


class Cells(HTMLParser):
    """The numbers in the cells of the confusion matrix."""

    def __init__(self):
        super().__init__()
        self.inside, self.counts = False, []

    def handle_starttag(self, tag, attributes):
        kinds = (dict(attributes).get("class") or "").split()
        self.inside = tag == "td" and bool({"right", "wrong"} & {*kinds})

    def handle_data(self, data):
        if self.inside:
            self.counts.append(0 if data == "·" else int(data))
        self.inside = False


def test_the_confusion_matrix_and_the_images_are_those_of_the_kept_weights(digits):
    folder, page = digits
    (setup,) = recipes.get("digits").setups
    test = setup.splits(Options(quick=True)).test
    p = probabilities(saved.load(folder / "model.safetensors").model, test)
    matrix = metrics.confusion_matrix(p.argmax(axis=1), test.y, 10)
    cells = Cells()
    cells.feed(page)
    np.testing.assert_array_equal(np.reshape(cells.counts, (10, 10)), matrix)
    wrong = np.flatnonzero(p.argmax(axis=1) != test.y)
    shown = {int(i) for i in re.findall(r"; sample (\d+)</small>", page)}
    assert shown == {*wrong[np.argsort(-p.max(axis=1)[wrong], kind="stable")][:24].tolist()}


@blank
def test_the_diagnosis_stands_in_words(tmp_path):
    folder, page, told = reported("digits", tmp_path, diagnose=True, lr=10.0)
    kept = json.loads((folder / "result.json").read_text())["networks"]["npnet"]["digits"]["warnings"]
    assert len(kept) >= 2
    for warning in kept:
        kind, _, sentence = warning.partition(": ")
        assert f"<b>{kind}</b>: {escape(sentence)}</p>" in page
    assert f"warning: npnet: {kept[0]}" in told


@blank
def test_both_engines_stand_side_by_side(tmp_path):
    pytest.importorskip("torch")
    _, page, _ = reported("linreg", tmp_path, only=("two points",), engine="both", epochs=5)
    assert "npnet, training" in page
    assert "PyTorch, training" in page
    assert 'class="training engine-1"' in page


def test_a_recipe_without_networks_has_a_report_too(tmp_path):
    _, page, _ = reported("kernels", tmp_path, quick=False)
    assert headings(page) == ["Tables", "Figures", "Run", "Versions"] or headings(page) == [
        "Figures", "Run", "Versions",
    ]  # fmt: skip


def test_names_are_text_not_html(tmp_path):
    told = []
    with RunFolder(tmp_path, "x") as folder:
        runner = Runner(recipes.get("linreg"), Options(), "numpy", folder, told.append)
        from npnet.experiments._report import Page

        page = Page([runner], {"odd <b>": "<script>"}, "finished", "a < b & c").encoded().decode()
    assert "a &lt; b &amp; c" in page
    assert "<script>" not in page


# ---- what fails costs no run ---------------------------------------------------------------------------


def fails(*_arguments, **_settings):
    raise ZeroDivisionError("no such luck")


@blank
def test_a_part_that_fails_is_left_out_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("npnet.experiments._report._network.signed", fails)
    folder, page, told = reported("digits", tmp_path, epochs=1)
    result = json.loads((folder / "result.json").read_text())
    assert result["status"] == "finished"
    parts = ["report.html: filters of the first layer", "report.html: feature maps of one image"]
    assert result["figures_left_out"] == dict.fromkeys(parts, "no such luck")
    assert [line for line in told if "left out" in line] == [
        f"{part} is left out: no such luck" for part in parts
    ]
    assert page.count('<p class="failure">Left out: no such luck</p>') == 2
    assert "Confusion matrix" in headings(page)


@blank
def test_a_report_that_cannot_be_written_costs_no_run(tmp_path, monkeypatch):
    write = RunFolder.write

    def is_full(self, name, *arguments):
        if name == REPORT:
            raise InputError("no space left")
        return write(self, name, *arguments)

    monkeypatch.setattr(RunFolder, "write", is_full)
    told = []
    recipe = recipes.get("linreg").only("two points")
    result = recipe.run(Options(epochs=2, progress=False), tmp_path, told.append)
    assert result.status == "finished"
    assert not (result.folder / REPORT).exists()
    assert result.values["figures_left_out"] == {REPORT: "no space left"}
    assert "report.html is left out: no space left" in told


# ---- in a browser --------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_it_opens_from_a_file_in_every_theme_and_width(opened_file, digits, lines, scheme, width):
    for folder, _ in (digits, lines):
        page = opened_file(folder / REPORT, width=width, color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("[...document.images].every((image) => image.naturalWidth > 0 && image.alt)")
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert paper == ("rgb(251, 250, 248)" if scheme == "light" else "rgb(21, 23, 26)")


def test_the_keyboard_opens_the_trace_of_a_sample(opened_file, digits):
    page = opened_file(digits[0] / REPORT)
    page.focus("details.trace > summary")
    page.keyboard.press("Enter")
    inner = page.frame_locator("details.trace iframe")
    inner.locator("html[data-ready]").wait_for()
    assert inner.locator("#what").inner_text().startswith("Forward through 0 Conv2d")
    inner.locator("#last").click()
    assert "optimizer" in inner.locator("#what").inner_text()


def test_it_can_be_walked_and_printed(opened_file, digits):
    page = opened_file(digits[0] / REPORT)
    assert page.locator("main > section > h2").all_inner_texts() == [
        "What came out",
        "The network",
        "How it was made",
    ]
    assert page.locator("[role=region][tabindex='0']").count() >= 2
    page.emulate_media(media="print")
    assert page.locator("details.trace").is_hidden()
    assert page.locator("table.confusion").is_visible()


# ---- curves and pictures -------------------------------------------------------------------------------


def test_a_curve_has_a_gap_where_there_is_no_number():
    drawn = _charts.chart("Loss", [_charts.Curve("training", [1.0, 0.5, np.nan, 0.25], "training")])
    (path,) = re.findall(r'<path class="training engine-0" d="(M[^"]*L[^"]*)"', drawn)
    assert path.count("M") == 2
    assert drawn.count("<circle") == 3
    assert "training: from 1 to 0.25." in drawn
    assert not _charts.chart("Loss", [_charts.Curve("training", [np.nan], "training")])


def test_many_epochs_are_thinned_and_keep_both_ends():
    curve = _charts.Curve("training", [1.0 / epoch for epoch in range(1, 5001)], "training")
    drawn = _charts.chart("Loss", [curve], log=True)
    assert len(drawn) < 9000
    assert "5000 epochs" in drawn
    assert ">0.001<" in drawn
    history = History([Epoch(n, 1.0 / n, None, None, None, 0.1, 1.0, 1.0) for n in range(1, 201)])
    _, rows = epochs_table(history, 60)
    assert [rows[0][0], rows[-1][0], len(rows)] == ["1", "200", 60]
    assert len(epochs_table(history)[1]) == 200


def test_a_picture_is_blue_above_zero_and_orange_below():
    sheet = decoded(_images.signed(np.array([[[2.0, -2.0, 0.0]]]), "three"))
    assert [tuple(pixel) for pixel in sheet[0]] == [
        (*_images.ABOVE, 255),
        (*_images.BELOW, 255),
        _images.NOTHING,
    ]


def test_an_image_goes_from_black_to_white():
    assert decoded(_images.picture(np.array([[[-1.0, 0.0, 1.0]]]), "grey")).tolist() == [[0, 128, 255]]
    assert decoded(_images.picture(np.zeros((3, 2, 2)), "colour")).shape == (2, 2, 3)


def decoded(img):
    """Return the pixels of an ``<img>``."""
    import base64
    import io

    from PIL import Image

    (data,) = re.findall(r"base64,([^\"]*)", img)
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    return np.asarray(image.convert("RGBA") if image.mode == "P" else image)


def test_a_figure_too_large_for_the_page_is_linked(tmp_path, monkeypatch):
    monkeypatch.setattr(_images, "MOST_BYTES", 3)
    film = tmp_path / "film.gif"
    film.write_bytes(b"GIF89a")
    assert '<a href="film.gif">' in _images.figure_file(film, "a film")
