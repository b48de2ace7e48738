"""The page in a browser: its numbers are the arrays', its sums come out, and everything can be reached."""

import re

import numpy as np
import pytest

import npnet
from npnet import nn
from tests.npnet.tracing.test_terms import SAMPLES, UNITS
from tests.npnet.tracing.traced_models import MODELS

EVERY_ARRAY = """() => trace.operations.map((operation) =>
  Object.fromEntries(Object.entries(operation.tensors).map(([name, tensor]) => [name, {shape: tensor.shape,
    values: [...tensor.data].map((value) => Number.isFinite(value) ? value : String(value))}])))"""
SUMS = """([place, name, indices]) => indices.map((index) => {
  const sum = sumOf(trace.operations[place], name, index);
  return {total: sum.total, element: sum.element, terms: sum.terms.length, missing: sum.missing,
    note: sum.note, size: sum.values.reduce((all, value) => all + Math.abs(value), 0),
    labels: sum.terms.map((term) => term.map((factor) => factor.label).join(" · "))};
})"""


def numbers(values):
    return np.array([float(value) for value in values])  # of text too, "NaN" and "-Infinity"


@pytest.mark.parametrize("name", MODELS)
def test_the_pages_numbers_are_the_arrays_and_its_terms_add_up_to_them(opened, traced, name):
    trace, rng = traced(name), np.random.default_rng(3)
    page = opened(trace)
    for place, (operation, arrays) in enumerate(zip(trace, page.evaluate(EVERY_ARRAY), strict=True)):
        assert arrays.keys() == operation.tensors.keys()
        for key, array in operation.tensors.items():
            assert tuple(arrays[key]["shape"]) == array.shape
            np.testing.assert_array_equal(numbers(arrays[key]["values"]), array.reshape(-1))
        for result in operation.equations:
            array = operation[result]
            chosen = rng.choice(array.size, min(SAMPLES, array.size), replace=False)
            indices = [list(map(int, np.unravel_index(k, array.shape))) if array.ndim else [] for k in chosen]
            if result.startswith("new_"):
                check_updates(page, trace, place, result.removeprefix("new_"), indices)
                continue
            for index, found in zip(indices, page.evaluate(SUMS, [place, result, indices]), strict=True):
                check_sum(found, array[tuple(index)], trace.sum(operation.name, result, tuple(index)), array)


UPDATES = """([place, parameter, indices]) => indices.map((index) => {
  const { given, lines } = updateOf(trace.operations[place], parameter, index);
  const start = ({symbol, tensor}) => `${symbol} = ${label(tensor, index)}`;
  return {given: given.map((line) => [line.says, start(line), "", line.value]),
    lines: lines.map((line) => [line.says, line.text, substituted(line), line.value])};
})"""


def check_updates(page, trace, place, parameter, indices):
    """Require that the optimizer's step on the page is, line by line, the one that Python writes out."""
    for index, found in zip(indices, page.evaluate(UPDATES, [place, parameter, indices]), strict=True):
        written = trace.update(f"{trace.operations[place].name}.{parameter}", tuple(index))
        for rows, lines in ((found["given"], written.given), (found["lines"], written.lines)):
            for (*words, value), line in zip(rows, lines, strict=True):
                assert float(value) == float(line.value), str(written)
                assert plain_numbers(words) == plain_numbers([line.says, line.equation, line.numbers])


def plain_numbers(words):
    """Return words with their numbers in one notation, as Python and JavaScript differ in exponents."""
    return [
        re.sub(r"\d[\d.]*(e[+−]?\d+)?", lambda found: str(float(found[0].replace("−", "-"))), text)
        for text in words
    ]


def check_sum(found, element, written, array):
    """Require that a sum on the page comes to the array's element and is the one that Python writes out."""
    bound = (found["terms"] + 24) * UNITS[array.dtype] * (found["size"] + 1e-6 * np.abs(array).max())
    if np.isnan(element):
        assert np.isnan([found["total"], found["element"]]).all(), str(written)
    else:
        assert abs(found["total"] - float(element)) <= bound, str(written)
        assert found["element"] == float(element)
    assert found["note"] == written.note
    assert found["labels"] == [" · ".join(factor.label for factor in term) for term in written.terms]
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
        const [x, y] = map.corner(placeOf(map.tensor, index));
        return {x: x + map.size / 2, y: y + map.size / 2}; }""",
        [name, index],
    )
    page.locator(f'figure[data-name="{name}"] canvas').click(position=box)


def terms_shown(page):
    """Return the terms of the sum as they are written, without the numbers below them."""
    return [
        text.splitlines()[0] for text in page.locator("#sum .terms:not(.learning) .term").all_inner_texts()
    ]


def test_a_click_on_an_output_shows_inputs_times_weights(opened, traced):
    trace = traced("mlp")
    page = opened(trace)
    click_cell(page, "y", 2, 3)
    assert page.inner_text("#sum h2").startswith("y[2,3] = ")
    terms = terms_shown(page)
    assert terms == [*(f"x[2,{i}] · weight[3,{i}]" for i in range(5)), "bias[3]"]
    shown = [float(cell.get_attribute("data-value")) for cell in page.locator("#sum tbody .amount").all()]
    assert np.float32(sum(shown)) == pytest.approx(trace["0"]["y"][2, 3], rel=1e-6)
    assert "rounding" in page.inner_text("#sum .agrees") or "the same" in page.inner_text("#sum .agrees")


def test_a_click_on_a_gradient_shows_its_terms_and_leads_to_where_they_came_from(opened, traced):
    trace = traced("mlp")
    page = opened(trace)
    page.click('li[data-name="6"] button.backward')
    click_cell(page, "grad_weight", 1, 2)
    assert terms_shown(page) == [f"grad_y[{n},1] · x[{n},2]" for n in range(4)]
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
    assert learning_shown(page) == [
        "old value p = weight[0,0]", "gradient g = grad_weight[0,0]",
        "step d = lr · g", "new value p ← p − d", "the array holds new_weight[0,0]",
    ]  # fmt: skip
    step = float(trace["0"]["new_weight"][0, 0]) - float(trace["0"]["weight"][0, 0])
    said = page.inner_text("#sum .learning + .reference").replace("−", "-")
    assert said == f"The step is {step:.4g}, that of SGD(lr=0.1)."
    assert page.inner_text("#sum .agrees").endswith(": the same.")


def learning_shown(page):
    """Return the lines of the optimizer's step, without the numbers below them."""
    rows = page.locator("#sum .learning .term").all_inner_texts()
    return [" ".join(text.splitlines()[:2]) for text in rows]


@pytest.mark.parametrize(
    ("name", "operation", "parameter", "said"),
    [
        ("images", "0", "weight", ["first moment m ← m + (1 − β₁) · (g − m)", "step d = lr / c₁ · m / s"]),
        ("residual", "0", "bias", ["momentum b ← momentum · b + (1 − dampening) · g", "step d = lr · b"]),
    ],
)
def test_a_click_on_a_weight_shows_the_optimizers_step(opened, traced, name, operation, parameter, said):
    trace = traced(name)
    page = opened(trace)
    page.click(f'li[data-name="{operation}"] button.forward')
    last = [size - 1 for size in trace[operation][parameter].shape]
    click_cell(page, parameter, *last)
    written = trace.update(f"{operation}.{parameter}", tuple(last))
    rows = learning_shown(page)
    assert rows[0].startswith("old value p = ")
    assert set(said) < set(rows)
    shown = [float(cell.get_attribute("data-value")) for cell in page.locator(".learning .amount").all()]
    assert shown == [float(each.value) for each in (*written.given, *written.lines)] + [float(written.new)]
    assert page.inner_text("#sum .agrees").endswith(": the same.")
    page.locator(".learning .factor", has_text="old_").first.click()
    assert page.inner_text("#what").startswith("The optimizer’s step of")
    assert "kept of the steps before" in page.inner_text("#sum")
    assert learning_shown(page) == rows


def test_a_rule_of_ones_own_shows_old_and_new_value_and_wrong_equations_are_told(opened):
    class Own(npnet.optim.Optimizer):
        def update(self, parameter, grad, state, step, scratch):
            parameter -= self.lr * grad

        def equations(self, step):
            return lines

    model = linear(3, 2)
    optimizer = Own(model.parameters, lr=0.5)
    for lines, rows in (({}, 3), ({"new value": "p ← p − lr · g · g"}, 4)):
        trace = npnet.trace(model, nn.MSELoss(), floats(2, 3), floats(2, 2), optimizer=optimizer)
        page = opened(trace)
        page.click("#last")
        assert ("has no equations" in page.inner_text("#equations")) == (not lines)
        click_cell(page, "new_weight", 1, 2)
        assert len(learning_shown(page)) == rows
        assert page.locator("#sum .failure").count() == len(lines)
    assert page.inner_text("#sum .failure").startswith("This is not what the rule gave")


def test_what_an_element_is_made_of_lights_up(opened, traced):
    page = opened(traced("images"))
    page.click('li[data-name="0"] button.forward')
    click_cell(page, "y", 0, 1, 4, 4)
    lit = page.evaluate(
        """() => { const { lit, tensor } = state.maps.get('x');
        return [...lit].map((place) => indexOf(tensor, place)); }"""
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
    on_grad_x = "() => document.activeElement.matches('[data-name=grad_x] canvas')"
    tabs = 0
    while not page.evaluate(on_grad_x):
        page.keyboard.press("Tab")
        tabs += 1
        assert tabs < 100
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#readout").startswith("grad_x[0,1] = ")
    page.keyboard.press("ArrowDown")
    assert page.inner_text("#readout").startswith("grad_x[1,1] = ")
    page.keyboard.press("Enter")
    assert page.inner_text("#sum h2").startswith("grad_x[1,1] = ")
    page.keyboard.press("Escape")
    assert page.evaluate(on_grad_x)
    page.keyboard.press("Enter")
    for _ in range(2):
        page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.textContent") == "p[1,1]"
    page.keyboard.press("Enter")
    assert page.inner_text("#what") == "Forward through 6 Linear(4, 3)"
    assert page.inner_text("#sum h2").startswith("y[1,1] = ")
    assert page.evaluate("() => document.activeElement.id") == "sum"


def test_everything_that_can_be_focused_has_a_name(opened, traced):
    page = opened(traced("images"))
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('button, canvas, input, summary, [tabindex]')]
        .filter((e) => !e.getAttribute('aria-label') && !e.textContent.trim() && !e.labels?.length)
        .map((each) => each.outerHTML)"""
    )
    assert nameless == []
    assert page.locator("h1").count() == 1


def test_numbers_can_be_read_as_a_table(opened, traced):
    page = opened(traced("mlp"))
    figure = page.locator('figure[data-name="weight"]')
    figure.locator("summary").click()
    figure.locator("td").first.wait_for()
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
    assert not page.inner_text("#readout")
    click_cell(page, page.locator("figure").last.get_attribute("data-name"), 0)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    heading, player = (page.locator(each).bounding_box() for each in ("#sum h2", "#player"))
    assert player["y"] + player["height"] <= heading["y"] < 740


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(opened, traced, scheme):
    page = opened(traced("mlp"), color_scheme=scheme)
    contrasts = page.evaluate(
        """() => {
          const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
          const light = (colour) => {
            const [r, g, b] = colour.match(/[0-9.]+/g).map((text) => linear(Number(text) / 255));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const ground = light(getComputedStyle(document.body).backgroundColor);
          return ['body', '.from', '#where', 'figure.value b', '.key .backward'].map((selector) => {
            const ink = light(getComputedStyle(document.querySelector(selector)).color);
            return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
          });
        }"""
    )
    assert min(contrasts) >= 4.5
    ground = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) > 382) == (scheme == "light")


# ---- what is not as usual ------------------------------------------------------------------------------


def test_a_step_that_failed_says_so_at_its_place(opened, bare):
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(3, 4, generator=rng), nn.Linear(5, 2, generator=rng), nn.ReLU())
    x = rng.normal(size=(2, 3)).astype(np.float32)
    page = opened(npnet.trace(model, nn.CrossEntropyLoss(), x, np.array([0, 1])))
    assert "The step failed: layer '1' Linear(5, 2)" in page.inner_text("header")
    page.click("#last")
    assert page.inner_text("#equations .failure").startswith("Failed: linear: x must have 5 features")
    assert (
        page.locator("figure").count() == 3
    )  # what goes in, weight and bias: nothing stands for what was not run
    for name in ("2", "loss"):
        assert "not run" in page.inner_text(f'li[data-name="{name}"]')
        assert page.is_disabled(f'li[data-name="{name}"] .backward')
    assert page.get_attribute('li[data-name="0"] .backward', "aria-label") == "0: backward was not run"
    assert page.locator("path.backward.unrun").count() == 4


def test_an_unknown_layer_is_shown_without_equation(opened):
    class Doubled(nn.Layer):
        """Twice x."""

        def apply(self, x, *, training, generator):
            return 2 * x, lambda grad_y: 2 * grad_y

    x = np.ones((1, 2), np.float32)
    page = opened(npnet.trace(nn.Sequential(Doubled()), nn.MSELoss(), x, x))
    assert page.inner_text("#equations .remark") == "Twice x."
    assert page.locator("figure").count() == 2
    click_cell(page, "y", 0, 1)
    assert page.inner_text("#sum h2") == "y[0,1] = 2"
    assert "knows no equation" in page.inner_text("#sum")


def test_a_frozen_parameter_is_said_to_be_frozen(opened):
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(3, 2, generator=rng))
    model.freeze("0.weight")
    page = opened(npnet.trace(model, nn.CrossEntropyLoss(), rng.random((1, 3), np.float32), np.array([1])))
    page.click('li[data-name="0"] .backward')
    assert page.inner_text("#equations .remark") == "weight: frozen, so no gradient is computed."
    assert page.locator('figure[data-name="grad_bias"]').count() == 1


def test_nan_and_infinities_are_drawn_and_said(opened):
    x = np.array([[np.nan, np.inf, -np.inf, 1]], np.float32)
    page = opened(npnet.trace(nn.Sequential(nn.ReLU()), nn.MSELoss(), x, np.zeros_like(x)))
    assert "1 NaN, 2 ∞" in page.inner_text('figure[data-name="x"] small')
    for column, shown in enumerate(("NaN", "∞", "0", "1")):
        click_cell(page, "y", 0, column)
        assert page.inner_text("#sum h2") == f"y[0,{column}] = {shown}"
        assert page.locator("#sum .failure").count() == 0


def test_a_sum_that_a_wrong_backward_does_not_give_is_told(opened):
    class Wrong(nn.Tanh):
        def apply(self, x, *, training, generator):
            y, _ = super().apply(x, training=training, generator=generator)
            return y, lambda grad_y: -grad_y * (1 - y**2)

    x = np.full((1, 2), 0.5, np.float32)
    page = opened(npnet.trace(nn.Sequential(Wrong()), nn.MSELoss(), x, np.zeros_like(x)))
    page.click('li[data-name="0"] .backward')
    click_cell(page, "grad_x", 0, 0)
    assert page.inner_text("#sum .failure").startswith("This is not what the layer gave")


def floats(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def linear(*sizes):
    return nn.Linear(*sizes, generator=np.random.default_rng(0))


ODD = {
    "an empty minibatch": (linear(3, 2), nn.CrossEntropyLoss(), floats(0, 3), np.zeros(0, np.int64)),
    "one sample without a batch": (linear(3, 2), nn.CrossEntropyLoss(), floats(3), np.array(1)),
    "a number": (nn.Tanh(), nn.MSELoss(), np.float32(0.5) * np.ones((), np.float32), floats()),
    "three axes": (linear(3, 2), nn.MSELoss(), floats(2, 4, 3), floats(2, 4, 2)),
    "five axes": (nn.ReLU(), nn.MSELoss(), floats(2, 1, 2, 2, 3), floats(2, 1, 2, 2, 3)),
    "a model without layers": (nn.Sequential(), nn.MSELoss(), floats(2, 2), floats(2, 2)),
    "many samples of many features": (linear(700, 3), nn.MSELoss(), floats(40, 700), floats(40, 3)),
    "numbers that overflow": (linear(3, 2), nn.MSELoss(), 1e38 * floats(2, 3), floats(2, 2)),
    "a label of no class": (linear(3, 2), nn.CrossEntropyLoss(), floats(2, 3), np.array([0, 7])),
}
CLICK_ENDS = """() => trace.steps.flatMap((_, step) => {
  goTo(step);
  const operation = trace.operations[trace.steps[step][1]];
  return [...state.maps].flatMap(([name, map]) => [0, map.data.length - 1].flatMap((place) => {
    if (place < 0 || place >= map.data.length) return [];
    choose({ operation, name, index: indexOf(map.tensor, place) });
    const failures = [...document.querySelectorAll('#sum .failure')];
    return failures.map((said) => `${operation.name} ${name}: ${said.innerText}`);
  }));
})"""


@pytest.mark.parametrize("case", ODD)
def test_odd_steps_are_shown_and_their_sums_agree(opened, bare, case):
    model, loss, x, target = ODD[case]
    trace = npnet.trace(model, loss, np.asarray(x, np.float32), target)
    assert str(trace)
    assert opened(trace).evaluate(CLICK_ENDS) == []


def test_a_large_model_is_sampled_and_says_so(opened):
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(3072, 512, generator=rng), nn.ReLU(), nn.Linear(512, 10, generator=rng))
    x = rng.normal(size=(1, 3072)).astype(np.float32)
    trace = npnet.trace(model, nn.CrossEntropyLoss(), x, np.array([3]))
    assert len(trace.html()) < 2_000_000
    page = opened(trace)
    assert "are sampled" in page.inner_text("header")
    assert "Sampled: 256 × 192 of them are here" in page.inner_text('figure[data-name="weight"] small')
    page.evaluate("() => choose({operation: trace.operations[0], name: 'y', index: [0, 4]})")
    assert "terms that are not on this page" in page.inner_text("#sum tfoot")
    assert float(page.get_attribute("#total", "data-value")) == pytest.approx(
        float(trace["0"]["y"][0, 4]), rel=1e-6
    )


def test_pages_are_small_enough(traced):
    from npnet.recipes.digits import network

    rng = np.random.default_rng(0)
    for model, shape, most in (
        (network(rng), (1, 1, 8, 8), 300_000),
        (npnet.models.lenet5(1, 28, 10, generator=rng), (1, 1, 28, 28), 1_000_000),
    ):
        optimizer = npnet.optim.AdamW(model.parameters)
        x = rng.random(shape, np.float32)
        trace = npnet.trace(
            model, nn.CrossEntropyLoss(), x, np.array([3]), optimizer=optimizer, generator=rng
        )
        noise = {key: array * np.float32(1 + 2e-7) for key, array in _all_gradients(trace).items()}
        trace = npnet.trace(
            model,
            nn.CrossEntropyLoss(),
            x,
            np.array([3]),
            optimizer=optimizer,
            generator=rng,
            reference=lambda *_, noise=noise: ("Other", noise),
        )
        assert len(trace.html().encode()) <= most


def _all_gradients(trace):
    return {(operation.name, key): array for operation in trace for key, array in operation.gradients.items()}


def test_the_other_engines_gradients_and_the_difference_can_be_shown(opened, traced):
    rng = np.random.default_rng(5)
    model, loss, x, target = MODELS["mlp"](np.random.default_rng(0))
    own = _all_gradients(traced("mlp"))
    others = {
        key: (array * (1 + 1e-6 * rng.normal(size=array.shape))).astype(np.float32)
        for key, array in own.items()
    }
    others["6", "grad_bias"] = -own["6", "grad_bias"]
    page = opened(npnet.trace(model, loss, x, target, reference=lambda *_: ("Other 1.0", others)))
    page.click('li[data-name="6"] .backward')
    find = "name => [...state.maps.get(name).data]"
    page.check("input[value=other]")
    for name in ("grad_x", "grad_weight", "grad_bias"):
        np.testing.assert_array_equal(page.evaluate(find, name), others["6", name].reshape(-1))
    page.check("input[value=difference]")
    for name in ("grad_x", "grad_weight", "grad_bias"):
        difference = own["6", name] - others["6", name]
        np.testing.assert_array_equal(np.float32(page.evaluate(find, name)), difference.reshape(-1))
    assert "difference, at most" in page.inner_text('figure[data-name="grad_bias"] small')
    click_cell(page, "grad_bias", 1)
    assert "Other 1.0: " in page.inner_text("#sum .reference")


def test_without_another_engine_the_page_says_so(opened, traced):
    assert "PyTorch’s were not recorded" in opened(traced("mlp")).inner_text("#engines")


def test_it_works_within_a_notebook(browser, traced, tmp_path):
    notebook = tmp_path / "notebook.html"
    notebook.write_text(f"<!doctype html><meta charset=utf-8>{traced('mlp')._repr_html_()}", encoding="utf-8")
    page = browser.new_page()
    page.goto(notebook.as_uri())
    frame = page.frame_locator("iframe")
    frame.locator("html[data-ready]").wait_for()
    frame.locator("#next").click()
    assert frame.locator("#what").inner_text() == "Forward through 1 ReLU()"
    page.close()


def test_it_prints_in_light_colours(opened, traced):
    page = opened(traced("mlp"), color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("() => themeNow()") == "light"


RINGS = "(name) => [...state.maps.get(name).tied].sort((a, b) => a - b)"


def test_ties_and_kinks_have_rings_and_are_read_out(opened, traced):
    trace = traced("ties")
    page = opened(trace)
    x = trace["0"]["x"]
    assert page.evaluate(RINGS, "x") == np.flatnonzero(x == 0).tolist()
    assert f"○ {(x == 0).sum()} at the kink" in page.inner_text('figure[data-name="x"] small')
    page.click("#next")
    after = trace["1"]["x"]
    tied = np.zeros(after.shape, bool)
    for i, j in np.ndindex(4, 4):
        window = after[0, 0, i : i + 3, j : j + 3]
        if (largest := window == window.max()).sum() > 1:
            tied[0, 0, i : i + 3, j : j + 3] |= largest
    assert 0 < tied.sum() < tied.size
    assert page.evaluate(RINGS, "x") == np.flatnonzero(tied).tolist()
    assert page.evaluate(RINGS, "y") == []
    first = int(np.flatnonzero(tied)[0])
    page.focus('figure[data-name="x"] canvas')
    page.keyboard.press("Home")
    for _ in range(first):
        page.keyboard.press("ArrowRight")
    assert page.inner_text("#readout").endswith("; in a tie")


def test_a_ring_is_drawn(opened, traced):
    """The same cell with its ring and without."""
    page = opened(traced("ties"))
    looks = page.evaluate(
        """() => [0, 1].map((without) => {
          const map = state.maps.get("x");
          if (without) map.tied = new Set();
          map.draw();
          return map.canvas.toDataURL();
        })"""
    )
    assert looks[0] != looks[1]
