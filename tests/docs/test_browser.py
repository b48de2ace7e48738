"""Pages in a browser: every example and solution runs there, and all it needs is on one server."""

import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
sys.path.append(str(DOCS))

from site_extension import pages, runner  # noqa: E402 - after the search path

TABLE = "from npnet import nn\nprint(nn.Sequential(nn.ReLU(), nn.Flatten()).summary((2, 3)))"
RUN_CELL = "async i => { const cell = npnetPage.cells[i]; await cell.run(); return cell.output.innerText }"
RUN_EXERCISE = """async ([i, code]) => {
    const exercise = npnetPage.exercises[i];
    if (code) { exercise.edit(); exercise.field.value = exercise.solution; }
    await exercise.run();
    return exercise.output.innerText;
}"""


def kinds(path):
    parts = pages.read(path)
    cells = [part for part in parts if isinstance(part, pages.Cell) and not part.cpython]
    return cells, [part for part in parts if isinstance(part, pages.Exercise)]


PAGES = [path for path in sorted(DOCS.rglob("*.md")) if "_build" not in path.parts and any(kinds(path))]


def address(path):
    return path.relative_to(DOCS).with_suffix(".html").as_posix()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_example_and_solution(path, site, opened):
    page = opened(site + address(path))
    cells, exercises = kinds(path)
    assert page.evaluate("[npnetPage.cells.length, npnetPage.exercises.length]") == [
        len(cells),
        len(exercises),
    ]
    for i, cell in enumerate(cells):
        said = page.evaluate(RUN_CELL, i)
        failed = page.evaluate("i => npnetPage.cells[i].output.querySelector('.cell-error') !== null", i)
        assert failed == bool(cell.raises), f"{cell.code}\n{said}"
        assert cell.raises in said, f"{cell.code}\n{said}"
    for i, exercise in enumerate(exercises):
        assert page.evaluate(RUN_EXERCISE, [i, False]).startswith("Not yet: "), exercise.title
        assert page.evaluate(RUN_EXERCISE, [i, True]).startswith("Right."), exercise.title


@pytest.fixture(scope="session")
def small(pyodide, serve, small_site_with_python):
    return serve(small_site_with_python) + "index.html"


def test_an_endless_loop_is_stopped_and_the_page_goes_on(small, opened):
    page = opened(small)
    page.evaluate(RUN_CELL, 0)
    first = page.locator(".cell").first
    first.get_by_role("button", name="Edit").click()
    first.get_by_role("textbox").fill("while True:\n    pass")
    first.get_by_role("button", name="Run").click()
    page.get_by_text("Running …").wait_for()
    assert page.evaluate("1 + 1") == 2, "the page is responsive meanwhile"
    first.get_by_role("button", name="Stop").click()
    first.get_by_text("Stopped. The next run starts afresh.").wait_for()
    page.evaluate("npnetPage.exercises[0].run()")
    page.get_by_text("An example above was stopped before its end.").wait_for()
    first.get_by_role("button", name="Reset").click()
    assert "[0., 2.]" in page.evaluate(RUN_CELL, 0)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def f(:", "line 1: def f(:\nSyntaxError: invalid syntax"),
        ("[0] * 10**9", "MemoryError"),
        ("parts = []\nwhile True: parts.append(np.ones(10**7))", "MemoryError"),
        (
            "parts = []\nwhile True: parts.append(np.ones(10**4))",
            "Python's memory is full. The next run starts afresh.",
        ),
        ("def f(): f()\nf()", "RecursionError"),
        (
            "x = input('How many? ')",
            "line 1: x = input('How many? ')\nRuntimeError: nobody can type an answer here",
        ),
        ("raise SystemExit(1)", "SystemExit"),
        ("import torch", "ModuleNotFoundError: No module named 'torch'"),
    ],
    ids=[
        "syntax",
        "memory at once",
        "memory by and by",
        "memory to the last",
        "no end of calls",
        "a question",
        "exit",
        "no such package",
    ],
)
def test_a_mistake_is_one_message_and_the_next_run_works(code, said, small, opened):
    page = opened(small)
    page.evaluate(RUN_CELL, 0)
    page.evaluate("npnetPage.cells[0].edit()")
    page.locator("textarea").first.fill(code)
    assert said in page.evaluate(RUN_CELL, 0)
    page.evaluate("npnetPage.cells[0].reset()")
    assert "[0., 2.]" in page.evaluate(RUN_CELL, 0)


def test_a_table_is_printed_as_elsewhere(small, opened):
    page = opened(small)
    page.evaluate(RUN_CELL, 0)
    page.evaluate("npnetPage.cells[0].edit()")
    page.locator("textarea").first.fill(TABLE)
    assert page.evaluate(RUN_CELL, 0) == runner.run(TABLE, {})["text"]


EDITED = 'import numpy as np\nfrom npnet import functional as F\nx = np.array([3.0])\n"mine"'


def test_what_the_reader_wrote_is_there_again_until_reset(small, opened):
    page = opened(small)
    first, exercise = page.locator(".cell").first, page.locator(".exercise")
    first.get_by_role("button", name="Edit").click()
    assert not page.locator(".cell-note:visible").count(), "nothing was changed yet"
    first.get_by_role("textbox").fill(EDITED)
    exercise.get_by_role("button", name="Edit").click()
    exercise.get_by_role("textbox").press("Tab")
    page.reload()
    first.get_by_text("Your changes are kept in this browser.").wait_for()
    assert first.get_by_role("textbox").input_value() == EDITED
    assert exercise.get_by_role("textbox").input_value().startswith("    def gate")
    assert page.evaluate(RUN_CELL, 0) == "'mine'", "what is seen is what runs"
    first.get_by_role("button", name="Reset").click()
    assert page.evaluate("document.activeElement.textContent") == "Edit"
    page.reload()
    assert page.get_by_role("textbox", name="Code").count() == 1, "the exercise's alone"
    exercise.get_by_role("button", name="Reset").click()
    assert page.evaluate("localStorage.length") == 0


FORBID = "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no') } })"


@pytest.mark.parametrize(
    ("prepare", "note"),
    [
        (FORBID, "This browser does not keep your changes"),
        ("localStorage.setItem('npnet-edits:/index.html', '[3, null, {')", "Your changes are kept"),
    ],
    ids=["forbidden", "spoilt"],
)
def test_a_storage_that_does_not_serve_stops_nothing(prepare, note, small, opened):
    # The theme, which keeps whether it is light or dark, complains of its own accord.
    page = opened(small, quiet=False, prepare=lambda page: page.add_init_script(prepare))
    first = page.locator(".cell").first
    first.get_by_role("button", name="Edit").click()
    first.get_by_role("textbox").fill(EDITED)
    first.get_by_text(note).wait_for()
    assert page.evaluate(RUN_CELL, 0) == "'mine'"


def test_an_editor_opens_at_the_beginning_of_its_lines(small, opened):
    page = opened(small, width=360, height=740)
    page.locator(".cell").first.get_by_role("button", name="Edit").click()
    page.keyboard.type(f"# {'long ' * 40}\n")
    page.locator(".cell").first.get_by_role("button", name="Reset").click()
    page.evaluate("npnetPage.cells[0].code += '# ' + 'long '.repeat(40)")
    page.locator(".cell").first.get_by_role("button", name="Edit").click()
    field = page.get_by_role("textbox", name="Code")
    assert field.evaluate("field => [field.scrollLeft, field.selectionStart]") == [0, 0]


def shown(page):
    """Return the colour of the upper left corner of each picture that is to be seen: here of the paper."""
    return page.evaluate("""async () => {
        const seen = [...document.querySelectorAll(".cell-picture")].filter(one => one.offsetParent !== null);
        const corner = async image => {
            await image.decode();
            const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
            const pen = canvas.getContext("2d");
            pen.drawImage(image, 0, 0);
            return [...pen.getImageData(1, 1, 1, 1).data];
        };
        return Promise.all(seen.map(corner));
    }""")


@pytest.mark.parametrize(("scheme", "paper"), [("light", [255, 255, 255, 255]), ("dark", [0, 0, 0, 0])])
def test_a_figure_has_the_colours_of_the_page(scheme, paper, small, opened):
    page = opened(small, color_scheme=scheme)
    assert shown(page) == [paper], "as the site was built"
    page.evaluate(RUN_CELL, 0)
    said = page.evaluate(RUN_CELL, 2)
    assert "font" not in said, "matplotlib says nothing of its own"
    assert shown(page) == [paper], "as it was run here"


def test_digits_come_without_scikit_learn_which_comes_when_it_is_named(small, opened):
    page = opened(small)
    asked = []
    page.context.on("request", lambda request: asked.append(request.url))
    page.evaluate("npnetPage.cells[0].edit()")
    field = page.locator("textarea").first
    field.fill("import npnet\nimport numpy as np\nnpnet.data.digits(np.random.default_rng(0)).train.x.shape")
    assert "1, 8, 8)" in page.evaluate(RUN_CELL, 0)
    assert not [url for url in asked if "scikit_learn" in url]
    field.fill("from sklearn.datasets import load_iris\nload_iris().data.shape")
    assert page.evaluate(RUN_CELL, 0) == "(150, 4)"


def test_without_webassembly_one_message_says_so(small, opened):
    page = opened(small)
    page.evaluate("() => { delete globalThis.WebAssembly }")
    assert "no WebAssembly" in page.evaluate(RUN_CELL, 0)


def test_without_a_network_one_message_says_so(small, opened):
    page = opened(small, quiet=False)
    page.context.set_offline(True)
    said = page.evaluate(RUN_CELL, 0)
    assert said.startswith("Python could not be loaded")
    assert "Is there a network?" in said
    page.context.set_offline(False)
    assert "[0., 2.]" in page.evaluate(RUN_CELL, 0)


def test_the_keyboard_is_enough(small, opened):
    page = opened(small)
    first = page.locator(".cell").first
    first.get_by_role("button", name="Edit").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.tagName") == "TEXTAREA"
    page.keyboard.press("Control+A")
    page.keyboard.type("print(6 * 7)")
    page.keyboard.press("Control+Enter")
    first.get_by_text("42", exact=True).wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Run"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 360)])
def test_axe_finds_nothing_serious(scheme, width, small_site, serve, opened):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    page = opened(serve(small_site) + "index.html", color_scheme=scheme, width=width)
    found = axe.run(page).response["violations"]
    serious = [v for v in found if v["impact"] in ("serious", "critical")]
    assert serious == [], [(v["id"], [n["html"] for n in v["nodes"]][:3]) for v in serious]


@pytest.mark.parametrize("name", ["index.html", "reference/functional.html"])
def test_nothing_is_wider_than_a_telephone(name, small_site, serve, opened, too_wide):
    page = opened(serve(small_site) + name, width=360, height=740)
    assert too_wide(page) == []
