"""The page in a browser: its numbers are the arrays', its sums come out, and everything can be reached."""

import numpy as np
import pytest

from tests.npnet.tracing.test_terms import SAMPLES, UNITS
from tests.npnet.tracing.traced_models import MODELS

EVERY_ARRAY = """() => trace.operations.map((operation) =>
  Object.fromEntries(Object.entries(operation.tensors).map(([name, tensor]) => [name, {
    shape: tensor.shape, values: [...tensor.data].map((value) => Number.isFinite(value) ? value : String(value))}])))"""
SUMS = """([place, name, indices]) => indices.map((index) => {
  const sum = sumOf(trace.operations[place], name, index);
  return {total: sum.total, element: sum.element, terms: sum.terms.length, missing: sum.missing, note: sum.note,
    size: sum.values.reduce((all, value) => all + Math.abs(value), 0),
    labels: sum.terms.map((term) => term.map((factor) => factor.label).join(" · "))};
})"""


def numbers(values):
    return np.array(
        [float(value.replace("Infinity", "inf")) if isinstance(value, str) else value for value in values]
    )


@pytest.mark.parametrize("name", MODELS)
def test_the_numbers_on_the_page_are_the_arrays(opened, traced, name):
    trace = traced(name)
    for operation, arrays in zip(trace, opened(trace).evaluate(EVERY_ARRAY), strict=True):
        assert arrays.keys() == operation.tensors.keys()
        for key, array in operation.tensors.items():
            assert tuple(arrays[key]["shape"]) == array.shape
            np.testing.assert_array_equal(numbers(arrays[key]["values"]), array.reshape(-1))


@pytest.mark.parametrize("name", MODELS)
def test_terms_on_the_page_add_up_and_are_those_of_python(opened, traced, name):
    trace, rng = traced(name), np.random.default_rng(3)
    page = opened(trace)
    for place, operation in enumerate(trace):
        for result in operation.equations:
            array = operation[result]
            chosen = rng.choice(array.size, min(SAMPLES, array.size), replace=False)
            indices = [list(map(int, np.unravel_index(k, array.shape))) if array.ndim else [] for k in chosen]
            for index, found in zip(indices, page.evaluate(SUMS, [place, result, indices]), strict=True):
                written = trace.sum(operation.name, result, tuple(index))
                bound = (
                    (found["terms"] + 24) * UNITS[array.dtype] * (found["size"] + 1e-6 * np.abs(array).max())
                )
                assert abs(found["total"] - float(array[tuple(index)])) <= bound, str(written)
                assert found["element"] == float(array[tuple(index)])
                assert found["note"] == written.note
                assert found["labels"] == [
                    " · ".join(factor.label for factor in term) for term in written.terms
                ]
                assert not found["missing"]


def test_stepping_goes_through_both_passes(opened, traced):
    trace = traced("mlp")
    page = opened(trace)
    seen = [page.inner_text("#what")]
    while page.is_enabled("#next"):
        page.click("#next")
        seen.append(page.inner_text("#what"))
    assert len(seen) == len(trace.steps)
    assert seen[0] == "Forward through 0 Linear(5, 6)"
    assert seen[len(trace)] == "Backward through loss CrossEntropyLoss()"
    assert seen[-1].startswith("The optimizer’s step of 6")
    page.click("#back")
    assert page.inner_text("#what") == seen[-2]
    page.click("#first")
    assert page.inner_text("#what") == seen[0]
    assert page.is_disabled("#back")


def test_it_plays_by_itself_to_the_end_and_stops(opened, traced):
    page = opened(traced("ties"))
    page.clock.install()
    page.click("#play")
    assert page.inner_text("#play") == "Pause"
    for _ in traced("ties").steps:
        page.clock.run_for(1300)
    assert page.is_disabled("#next")
    assert page.inner_text("#play") == "Play"


def click_cell(page, name, *index):
    """Click where the heat map of an array draws an element."""
    box = page.evaluate(
        """([name, index]) => { const map = state.maps.get(name);
        const [x, y] = map.corner(placeOf(map.tensor, index)); return {x: x + map.size / 2, y: y + map.size / 2}; }""",
        [name, index],
    )
    page.locator(f'figure[data-name="{name}"] canvas').click(position=box)


def test_a_click_on_an_output_shows_inputs_times_weights(opened, traced):
    trace = traced("mlp")
    page = opened(trace)
    click_cell(page, "y", 2, 3)
    assert page.inner_text("#sum h2").startswith("y[2,3] = ")
    terms = page.locator("#sum .term").all_inner_texts()
    assert terms == [*(f"x[2,{i}] · weight[3,{i}]" for i in range(5)), "bias[3]"]
    shown = [float(cell.get_attribute("data-value")) for cell in page.locator("#sum tbody .amount").all()]
    assert np.float32(sum(shown)) == pytest.approx(trace["0"]["y"][2, 3], rel=1e-6)
    assert "rounding" in page.inner_text("#sum .agrees") or "the same" in page.inner_text("#sum .agrees")


def test_a_click_on_a_gradient_shows_its_terms_and_leads_to_where_they_came_from(opened, traced):
    trace = traced("mlp")
    page = opened(trace)
    page.click('li[data-name="6"] button.backward')
    click_cell(page, "grad_weight", 1, 2)
    assert page.locator("#sum .term").all_inner_texts() == [f"grad_y[{n},1] · x[{n},2]" for n in range(4)]
    assert float(page.get_attribute("#total", "data-value")) == pytest.approx(
        float(trace["6"]["grad_weight"][1, 2])
    )
    page.locator("#sum .factor", has_text="grad_y[3,1]").click()
    assert page.inner_text("#what") == "Backward through loss CrossEntropyLoss()"
    assert page.inner_text("#sum h2").startswith("grad_x[3,1]")
    assert "p[3,1]" in page.inner_text("#sum .terms")
    page.click("#trail")
    assert page.inner_text("#what") == "Backward through 6 Linear(4, 3)"


def test_a_weight_shows_its_gradient_and_what_the_optimizer_made_of_it(opened, traced):
    trace = traced("mlp")
    page = opened(trace)
    page.click('li[data-name="0"] button.backward')
    click_cell(page, "grad_weight", 0, 0)
    page.locator(".learning .factor", has_text="new_weight[0,0]").click()
    assert page.inner_text("#what").startswith("The optimizer’s step of 0")
    assert page.locator("#sum .term").all_inner_texts() == ["weight[0,0]", "−lr · grad_weight[0,0]"]


def test_what_an_element_is_made_of_lights_up(opened, traced):
    page = opened(traced("images"))
    page.click('li[data-name="0"] button.forward')
    click_cell(page, "y", 0, 1, 4, 4)
    lit = page.evaluate(
        "() => [...state.maps.get('x').lit].map((place) => indexOf(state.maps.get('x').tensor, place))"
    )
    assert sorted(lit) == [[0, c, h, w] for c in range(2) for h in (3, 4, 5) for w in (3, 4, 5)]


def test_keyboard_alone_reaches_a_gradients_terms(opened, traced):
    page = opened(traced("mlp"))
    page.keyboard.press("End")
    assert page.is_disabled("#next")
    page.keyboard.press("Home")
    for _ in range(len(traced("mlp"))):
        page.keyboard.press("ArrowRight")
    assert page.inner_text("#what").startswith("Backward through loss")
    for _ in range(200):
        page.keyboard.press("Tab")
        if (
            page.evaluate(
                "() => document.activeElement.closest('figure')?.dataset.name === 'grad_x' && document.activeElement.tagName"
            )
            == "CANVAS"
        ):
            break
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#readout").startswith("grad_x[0,1] = ")
    page.keyboard.press("ArrowDown")
    assert page.inner_text("#readout").startswith("grad_x[1,1] = ")
    page.keyboard.press("Enter")
    assert page.inner_text("#sum h2").startswith("grad_x[1,1] = ")


def test_everything_that_can_be_focused_has_a_name(opened, traced):
    page = opened(traced("images"))
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('button, canvas, input, summary, [tabindex]')].filter((element) =>
        !(element.getAttribute('aria-label') || element.textContent.trim() || element.labels?.length)).map((e) => e.outerHTML)"""
    )
    assert nameless == []
    assert page.locator("h1").count() == 1


def test_numbers_can_be_read_as_a_table(opened, traced):
    page = opened(traced("mlp"))
    figure = page.locator('figure[data-name="weight"]')
    figure.locator("summary").click()
    cells = figure.locator("td").all_inner_texts()
    assert len(cells) == traced("mlp")["0"]["weight"].size
    figure.locator("td button").first.click()
    assert page.inner_text("#sum h2").startswith("weight[0,0]")
    page.click("#all summary")
    assert page.locator("#all tbody tr").count() == sum(len(operation.tensors) for operation in traced("mlp"))


@pytest.mark.parametrize("name", ["mlp", "residual", "images"])
def test_nothing_sticks_out_at_a_phones_width(opened, traced, name):
    page = opened(traced(name), width=360, height=740, has_touch=True)
    for _ in traced(name).steps:
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
        if page.is_enabled("#next"):
            page.click("#next")
    click_cell(page, page.locator("figure").last.get_attribute("data-name"), 0)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(opened, traced, scheme):
    page = opened(traced("mlp"), color_scheme=scheme)
    contrasts = page.evaluate(
        """() => { const light = (colour) => { const [r, g, b] = colour.match(/[0-9.]+/g).map(Number).map((v) => v / 255)
          .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
        const ground = light(getComputedStyle(document.body).backgroundColor);
        return ['body', '.from', '#where', 'figcaption small', 'figure.value b'].map((selector) => {
          const ink = light(getComputedStyle(document.querySelector(selector)).color);
          return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05); }); }"""
    )
    assert min(contrasts) >= 4.5
    ground = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) > 382) == (scheme == "light")
