// @ts-check
"use strict";

/** Who takes an operation's output, and under which name. */
function consumerOf(operation) {
  for (const other of trace.operations)
    for (const [name, source] of Object.entries(other.sources))
      if (source === operation.name && `grad_${name}` in other.tensors)
        return { operation: other, name: `grad_${name}` };
  return null;
}

/** The element that another one is, where it was made. @param {Chosen} chosen @returns {Chosen} */
function originOf({ operation, name, index }) {
  const source = trace.operations.find((other) => other.name === operation.sources[name]);
  if (source) return sameElement(operation.tensors[name], index, source, "y");
  const consumer = name === "grad_y" ? consumerOf(operation) : null;
  if (consumer) return sameElement(operation.tensors[name], index, consumer.operation, consumer.name);
  if (operation.kind === "split" && /^grad_(body|shortcut)$/.test(name)) {
    const consumers = trace.operations.filter((other) =>
      Object.values(other.sources).includes(operation.name),
    );
    const branch = name.slice("grad_".length);
    const taker =
      consumers.find((other) => other.name.startsWith(operation.name.replace(/in$/, branch))) ||
      consumers.find((other) => other.kind === "add");
    const taken = taker && (taker.kind === "add" ? name : "grad_x");
    if (taker && taken in taker.tensors) return sameElement(operation.tensors[name], index, taker, taken);
  }
  return { operation, name, index };
}

/** The same element of the same array, as another operation knows it. */
function sameElement(tensor, index, operation, name) {
  const there = operation.tensors[name];
  if (there.shape.join() === tensor.shape.join()) return { operation, name, index };
  const flat = index.reduce((sum, i, axis) => sum * tensor.shape[axis] + i, 0);
  return { operation, name, index: [...indices(there.shape)][flat] };
}

/** @param {Chosen} chosen */
function choose(chosen) {
  if (state.chosen && !isSame(state.chosen, originOf(chosen))) state.trail.push(state.chosen);
  turnTo(chosen);
}

/** @param {Chosen} one @param {Chosen} other */
function isSame(one, other) {
  return (
    one.operation === other.operation && one.name === other.name && one.index.join() === other.index.join()
  );
}

/** Show an element and the step that made it. @param {Chosen} chosen */
function turnTo(chosen) {
  const origin = originOf(chosen);
  state.all = false;
  state.chosen = origin;
  byId("sum").scrollTop = 0;
  const { operation, name } = origin;
  const phase =
    name === "y"
      ? "forward"
      : name.startsWith("grad_")
        ? "backward"
        : /^(new|old)_/.test(name)
          ? "update"
          : "";
  const step = phase ? stepOf(phase, operation) : -1;
  if (step >= 0 && step !== state.at) {
    state.at = step;
    show();
  } else {
    light();
    for (const map of state.maps.values()) map.draw();
    showSum();
  }
  if (document.activeElement === document.body) byId("sum").focus({ preventScroll: true });
  if (matchMedia("(max-width: 64rem)").matches) byId("sum").scrollIntoView();
}

function showSum() {
  const panel = byId("sum");
  if (!state.chosen) {
    panel.replaceChildren(
      make("h2", {}, "The sum behind a number"),
      make(
        "p",
        {},
        "Click any cell, or choose one with the arrow keys and Enter, to read the sum that it is: each term, where it came from, and the total.",
      ),
    );
    return;
  }
  const { operation, name, index } = state.chosen;
  const tensor = operation.tensors[name];
  const single = tensor.data instanceof Float32Array;
  const value = element(tensor, index);
  const heading = make(
    "h2",
    {},
    make("span", { class: tone(name) }, label(name, index)),
    ` = ${exact(value, single)}`,
  );
  const said = make("p", { class: "place" }, `of `, make("b", {}, operation.name), ` ${operation.layer}`);
  const back = state.trail.length
    ? [make("button", { type: "button", id: "trail", click: () => turnTo(state.trail.pop()) }, "← back")]
    : [];
  const sum = sumOf(operation, name, index);
  panel.replaceChildren(
    ...back,
    heading,
    said,
    ...(sum ? writtenOut(sum, operation, single) : name.startsWith("new_") ? [] : unwritten(operation, name)),
    ...after(operation, name, index, single),
  );
}

/** What is said of an element that is no sum. */
function unwritten(operation, name) {
  const source = operation.sources[name];
  const said = operation.parameters.includes(name)
    ? "A parameter: it is learnt, and stands in these products as it is."
    : source === INPUT
      ? "A number of the input."
      : name === "grad_y"
        ? "The upstream gradient: the loss is what is minimised, and its slope in itself is 1."
        : name.startsWith("old_")
          ? "What the optimizer kept of the steps before."
          : source === undefined && operation.kind
          ? "Given: no gradient goes there."
          : "npnet knows no equation of this.";
  return [make("p", {}, said)];
}

/** A sum as a table of its terms. @param {Sum} sum */
function writtenOut(sum, operation, single) {
  const order = sum.values.map((_, place) => place);
  const many = order.length > FEW_TERMS && !state.all;
  if (many) order.sort((a, b) => Math.abs(sum.values[b]) - Math.abs(sum.values[a]));
  const listed = many ? order.slice(0, FEW_TERMS).filter((place) => sum.values[place] !== 0) : order;
  const largest = Math.max(...sum.values.map(Math.abs).filter(Number.isFinite), Number.MIN_VALUE);
  const rows = listed.map((place) => {
    const term = sum.terms[place];
    const value = sum.values[place];
    const written = make("td", { class: "term" });
    term.forEach((factor, i) => written.append(i ? " · " : "", factorOf(factor, operation)));
    written.append(make("span", { class: "product" }, term.map((factor) => short(factor.value)).join(" · ")));
    const bar = make("span", {
      class: value < 0 ? "bar negative" : "bar",
      style: `width: ${Math.round((60 * Math.abs(value)) / largest) || 0}px`,
    });
    return make("tr", {}, written, make("td", { class: "amount", "data-value": value }, bar, short(value)));
  });
  const parts = [];
  if (sum.note) parts.push(make("p", { class: "note" }, sum.note));
  if (!sum.values.length && !sum.missing) {
    const zero = make(
      "p",
      {},
      "It has no term, so the sum is ",
      make("span", { id: "total", "data-value": 0 }, "0"),
      ".",
    );
    return [
      ...parts,
      zero,
      make("p", { class: agrees(sum, 0, single) ? "agrees" : "failure" }, verdict(sum, 0, single)),
    ];
  }
  const rest = sum.values.length - listed.length;
  const last = [];
  if (rest) {
    const others = order.slice(listed.length).reduce((total, place) => total + sum.values[place], 0);
    last.push(
      make(
        "tr",
        {},
        make(
          "td",
          {},
          make(
            "button",
            {
              type: "button",
              click: () => {
                state.all = true;
                showSum();
              },
            },
            `${rest} ${others === 0 ? "terms of 0" : "smaller terms"}`,
          ),
        ),
        make("td", { class: "amount" }, short(others)),
      ),
    );
  }
  const absent = sum.missing ? sum.element - sum.total : 0;
  if (sum.missing)
    last.push(
      make(
        "tr",
        {},
        make("td", {}, `${sum.missing} terms that are not on this page, as large arrays are sampled`),
        make("td", { class: "amount" }, short(absent)),
      ),
    );
  last.push(
    make(
      "tr",
      { class: "total" },
      make(
        "th",
        { scope: "row" },
        `sum of ${sum.values.length + sum.missing} ${sum.values.length + sum.missing === 1 ? "term" : "terms"}`,
      ),
      make(
        "td",
        { class: "amount", id: "total", "data-value": sum.total + absent },
        exact(sum.total + absent, single),
      ),
    ),
  );
  parts.push(
    make(
      "div",
      { class: "scroll" },
      make(
        "table",
        { class: "terms" },
        make(
          "thead",
          {},
          make("tr", {}, ...["term", "value"].map((text) => make("th", { scope: "col" }, text))),
        ),
        make("tbody", {}, ...rows),
        make("tfoot", {}, ...last),
      ),
    ),
  );
  parts.push(
    make("p", { class: agrees(sum, absent, single) ? "agrees" : "failure" }, verdict(sum, absent, single)),
  );
  return parts;
}

/** Whether a sum is what the array holds, as far as rounding lets it. @param {Sum} sum */
function agrees(sum, absent, single, slack = 1e-4) {
  const total = sum.total + absent;
  if (Number.isFinite(sum.element)) {
    const size = sum.values.reduce((all, value) => all + Math.abs(value), 0);
    return Math.abs(total - sum.element) <= slack * size + 1e-12;
  }
  return Object.is(rounded(total, single), sum.element) || overflows(sum, single);
}

/** @param {number} value @param {boolean} single */
const rounded = (value, single) => (single ? Math.fround(value) : value);

/** Whether a term, or the sum, is larger than the array's numbers can be. @param {Sum} sum */
function overflows(sum, single) {
  return [...sum.values, sum.total].some((value) => !Number.isFinite(rounded(value, single)));
}

/** @param {Sum} sum */
function verdict(sum, absent, single, whose = "layer", slack = 1e-4) {
  const total = sum.total + absent;
  const held = exact(sum.element, single);
  if (!agrees(sum, absent, single, slack)) return `This is not what the ${whose} gave: its array holds ${held}.`;
  if (Object.is(rounded(total, single), sum.element) || total === sum.element)
    return `The array holds ${held}: the same.`;
  if (!Number.isFinite(sum.element))
    return `The array holds ${held}, as ${single ? "float32" : "float64"} goes no further.`;
  return `The array holds ${held}; the difference of ${short(total - sum.element, 1)} is rounding.`;
}

/** A factor, which leads to where it came from. @param {Factor} factor */
function factorOf(factor, operation) {
  const { tensor, index } = factor;
  if (!tensor || !index) return make("span", {}, factor.label);
  const from = cameFrom(operation, tensor);
  return make(
    "button",
    {
      type: "button",
      class: `factor ${tone(tensor)}`,
      title: from.trim() || false,
      click: () => choose({ operation, name: tensor, index }),
    },
    factor.label,
  );
}

/** Beside an element: the other engine's, and what became of a parameter. */
function after(operation, name, index, single) {
  const said = [];
  const other = operation.reference[name];
  if (other) {
    const [own, theirs] = [element(operation.tensors[name], index), element(other, index)];
    said.push(
      make(
        "p",
        { class: "reference" },
        `${trace.reference}: ${exact(theirs, single)}, difference ${short(own - theirs, 2)}.`,
      ),
    );
  }
  const parameter = operation.parameters.find((each) => namesOf(operation, each).includes(name));
  return parameter ? [...said, ...learning(operation, parameter, index)] : said;
}

/** Light up what the chosen element is made of. */
function light() {
  for (const map of state.maps.values()) [map.lit, map.chosen] = [new Set(), -1];
  const [, place] = trace.steps[state.at];
  if (!state.chosen || trace.operations[place] !== state.chosen.operation) return;
  const { operation, name, index } = state.chosen;
  const sum = sumOf(operation, name, index);
  const update = name.startsWith("new_") ? updateOf(operation, name.slice("new_".length), index).given : [];
  const made = sum ? [...sum.terms.flat(), ...sum.decisive] : update.map(({ tensor }) => ({ tensor, index }));
  for (const { tensor, index: where } of made) {
    const map = tensor && state.maps.get(tensor);
    if (map && where) map.lit.add(placeOf(map.tensor, where));
  }
  const own = state.maps.get(name);
  if (own) own.chosen = placeOf(own.tensor, index);
}
