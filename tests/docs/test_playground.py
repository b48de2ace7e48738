"""The playground in a browser: it trains, stops, explains, is shared, and says what is wrong."""

import re
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
sys.path.append(str(DOCS / "_static"))

import playground  # noqa: E402 - after the search path

LOADED = "npnetPlayground.state.opening !== null"
STEPS = "npnetPlayground.state.frame.step"
LOSS = "npnetPlayground.state.frame.loss"
PAUSED = "document.getElementById('play').textContent === 'Play'"
DIGITS = "#data=digits&width1=64&width2=0"
NO_NUMBER = "#data=digits&activation=none&optimizer=sgd&lr=10"
ALL_OTHERS = (
    (
        "#data=digits&seed=3&width1=16&width2=8&width3=4&activation=tanh&convolution=yes"
        "&optimizer=momentum&lr=0.1&batch=8&decay=0.1"
    ),
    {
        "data": "digits",
        "seed": 3,
        "hidden": (16, 8, 4),
        "activation": "tanh",
        "convolution": True,
        "optimizer": "momentum",
        "lr": 0.1,
        "batch": 8,
        "decay": 0.1,
    },
)
FILL_MEMORY_AT_THE_NEXT_STEP = """() => npnetPlayground.python.ask({kind: "run", code: `
import playground
kept = []
def step():
    for size in (10**8, 10**6, 10**4):
        try:
            while True: kept.append(bytearray(size))
        except MemoryError:
            pass
    kept.append(bytearray(10**4))
playground.page.training.step = step
`})"""


@pytest.fixture(scope="session")
def address(playground_site, serve):
    return serve(playground_site) + "playground/index.html"


@pytest.fixture
def start(address, opened):
    """Open the playground, and wait for its first picture."""

    def start_page(settings="", **options):
        page = opened(address + settings, **options)
        page.wait_for_function(LOADED)
        return page

    return start_page


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def go_to(page, hash_of_address):
    """Follow a link to other settings, and wait for their first picture."""
    page.evaluate("npnetPlayground.state.opening = null")
    page.evaluate("hash => { location.hash = hash }", hash_of_address)
    page.wait_for_function(LOADED)


def steps_taken(page, steps):
    page.wait_for_function(f"{STEPS} >= {steps}")


def test_it_trains_pauses_steps_and_begins_anew(start):
    page = start()
    first = page.evaluate(LOSS)
    press(page, "Play")
    steps_taken(page, 30)
    assert page.evaluate("1 + 1") == 2, "the page is responsive meanwhile"
    press(page, "Pause")
    page.wait_for_function("npnetPlayground.python.waiting.size === 0")
    taken = page.evaluate(STEPS)
    assert f"step {taken}" in page.locator("#counts").inner_text()
    press(page, "Step")
    steps_taken(page, taken + 1)
    assert page.evaluate(STEPS) == taken + 1
    press(page, "Reset")
    page.wait_for_function(f"{STEPS} === 0")
    assert page.evaluate(LOSS) == first


def test_the_digits_are_learnt_as_in_cpython(start):
    page = start(DIGITS)
    page.get_by_label("Speed").select_option("10 steps a picture")
    press(page, "Play")
    steps_taken(page, 10)
    press(page, "Pause")
    page.wait_for_function(f"npnetPlayground.python.waiting.size === 0 && {STEPS} % 10 === 0")
    training = playground.Training(playground.Settings(data="digits", hidden=(64,)))
    expected = training.advance(1e9, page.evaluate(STEPS))["loss"]
    assert page.evaluate(LOSS) == pytest.approx(expected, rel=1e-3)
    page.get_by_label("Speed").select_option("full")
    press(page, "Play")
    page.wait_for_function("npnetPlayground.state.frame.accuracy[1] >= 0.97")
    assert page.locator("#samples .right").count() >= playground.SAMPLES - 4, "most of the digits shown"
    assert page.locator("#weights canvas").count() == 64, "one picture of weights for each unit"


def test_a_sample_is_traced_and_the_python_copied(start):
    page = start("#data=gaussians&width2=0")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    press(page, "Step")
    steps_taken(page, 1)
    page.locator("#surface").click(position={"x": 60, "y": 60})
    sample = page.evaluate("npnetPlayground.state.sample")
    assert page.get_by_label("Sample").input_value() == str(sample)
    label = page.evaluate("i => npnetPlayground.state.opening.labels[i]", sample)
    press(page, "Open its trace")
    trace = page.frame_locator("#trace-page")
    trace.get_by_text(f"The target is {label}.").wait_for()
    trace.get_by_role("button", name="Last step").click()
    page.get_by_role("heading", name=f"Sample {sample} after step 1").wait_for()
    page.get_by_role("button", name="Close").click()
    press(page, "Copy the Python")
    page.get_by_text("The Python is copied.").wait_for()
    settings = playground.Settings(data="gaussians", hidden=(32,))
    assert page.evaluate("navigator.clipboard.readText()") == playground.script(settings, 1)


def test_what_is_chosen_is_in_the_address_and_what_is_wrong_there_is_said_once(start):
    page = start()
    page.get_by_label("Data").select_option("Mixture of Gaussians")
    page.get_by_label("Learning rate").select_option("0.3")
    page.get_by_label("Seed").fill("7")
    page.get_by_label("Seed").blur()
    address = page.url[page.url.index("#") :]
    assert "data=mixture" in address
    page.wait_for_function(f"{STEPS} === 0")

    go_to(page, "#data=moons&batch=8&colour=red&seed=-1")
    said = page.locator("#said.failed")
    said.wait_for()
    assert said.inner_text() == (
        "Of the settings in the address, data cannot be “moons”, and there is no setting “colour”, "
        "and seed cannot be “-1”. The default is used."
    )
    chosen = [
        page.get_by_label(name).input_value() for name in ("Data", "Batch size", "Seed", "Learning rate")
    ]
    assert chosen == ["spirals", "8", "0", "0.01"]

    for hash_of_address, settings in ((address, {"data": "mixture", "lr": 0.3, "seed": 7}), ALL_OTHERS):
        go_to(page, hash_of_address)
        for step in (1, 2):
            press(page, "Step")
            steps_taken(page, step)
        training = playground.Training(playground.Settings(**settings))
        assert page.evaluate(LOSS) == pytest.approx(training.advance(1e9, 2)["loss"], rel=1e-3)


def test_after_a_loss_that_is_no_number_another_rate_goes_on(start):
    page = start(NO_NUMBER)
    press(page, "Play")
    page.get_by_text("The loss is no finite number after step").wait_for()
    page.wait_for_function(PAUSED)
    page.get_by_label("Learning rate").select_option("0.01")
    page.wait_for_function(f"{STEPS} === 0")
    press(page, "Play")
    steps_taken(page, 5)
    assert page.locator("#said").inner_text() == ""


def test_without_memory_one_message_says_so_and_reset_begins_anew(start):
    page = start()
    page.evaluate(FILL_MEMORY_AT_THE_NEXT_STEP)
    press(page, "Step")
    page.get_by_text("Reset begins anew.").wait_for()
    assert "MemoryError" in page.locator("#said.failed").inner_text()
    press(page, "Reset")
    page.wait_for_function(LOADED)
    press(page, "Step")
    steps_taken(page, 1)
    assert page.locator("#said").inner_text() == ""


def test_without_webassembly_one_message_says_so(address, opened):
    page = opened(address, prepare=lambda page: page.add_init_script("delete globalThis.WebAssembly"))
    page.get_by_text("no WebAssembly").wait_for()
    assert page.get_by_role("heading", name="What to try").is_visible(), "the rest of the page is there"


def test_without_a_network_one_message_says_so(address, opened):
    unreachable = "**/pyodide/**"
    page = opened(
        address, quiet=False, prepare=lambda page: page.route(unreachable, lambda route: route.abort())
    )
    page.get_by_text("Is there a network?").wait_for()
    page.unroute(unreachable)
    press(page, "Reset")
    page.wait_for_function(LOADED)


def test_the_keyboard_is_enough(start):
    page = start()
    page.get_by_label("Data").focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_function("npnetPlayground.state.opening.classes === 3")
    page.get_by_role("button", name="Play", exact=True).focus()
    page.keyboard.press("Enter")
    steps_taken(page, 2)
    assert page.evaluate("document.activeElement.id") == "play"
    page.keyboard.press("Space")
    page.wait_for_function(PAUSED)
    page.get_by_label("Sample").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=re.compile("Sample 1 after step")).wait_for()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "trace"


@pytest.mark.parametrize(("settings", "scheme", "width"), [("", "light", 1280), (DIGITS, "dark", 360)])
def test_axe_finds_nothing_serious_and_nothing_is_too_wide(settings, scheme, width, start, too_wide):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    page = start(settings, color_scheme=scheme, width=width)
    press(page, "Copy the Python")  # which shows it
    press(page, "Step")
    steps_taken(page, 1)
    found = axe.run(page).response["violations"]
    serious = [v for v in found if v["impact"] in ("serious", "critical")]
    assert serious == [], [(v["id"], [n["html"] for n in v["nodes"]][:3]) for v in serious]
    assert too_wide(page) == []
