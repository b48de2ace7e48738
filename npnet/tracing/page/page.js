// @ts-check
"use strict";

/**
 * The page of one training step. `trace` is what npnet recorded; `state` is what is looked at; `show` draws it.
 *
 * @typedef {{operation: any, name: string, index: number[]}} Chosen  one element of an operation's array
 */

const trace = JSON.parse(byId("content").textContent || "");
const state = {
  at: 0, // which step
  engine: "own", // whose gradients: "own", "other" or "difference"
  /** @type {Chosen | null} */
  chosen: null,
  /** @type {Chosen[]} */
  trail: [], // what was chosen before
  all: false, // whether all terms of a long sum are listed
  /** @type {Map<string, HeatMap>} */
  maps: new Map(),
  timer: 0,
};
const FEW_TERMS = 24;
const GRADIENTS = { own: "npnet", other: trace.reference || "PyTorch", difference: "difference" };

/** @param {string} id @returns {any} */
function byId(id) {
  return document.getElementById(id);
}

/**
 * Make an element with its attributes and what is in it.
 * @param {string} tag
 * @param {Record<string, any>} attributes
 * @param {...(Node | string)} content
 */
function make(tag, attributes = {}, ...content) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== false) made.setAttribute(name, value === true ? "" : value);
  made.append(...content);
  return made;
}

// ---- the network ---------------------------------------------------------------------------------------

const INPUT = "input";

/** The row and column of each operation: below all that it takes, beside what is in its row already. */
function placesOf(operations) {
  const rows = new Map([[INPUT, 1]]);
  const columns = new Map([[INPUT, 1]]);
  const taken = new Set(["1,1"]);
  let before = INPUT;
  for (const operation of operations) {
    const from = Object.values(operation.sources).map((source) => source || before);
    if (!from.length) from.push(before);
    const row = 1 + Math.max(...from.map((source) => rows.get(source) || 1));
    let column = Math.min(...from.map((source) => columns.get(source) || 1));
    while (taken.has(`${row},${column}`)) column++;
    taken.add(`${row},${column}`);
    rows.set(operation.name, row);
    columns.set(operation.name, column);
    before = operation.name;
  }
  return { rows, columns };
}

function buildNetwork() {
  const { rows, columns } = placesOf(trace.operations);
  const list = byId("network").querySelector("ol");
  const place = (name) => `grid-row: ${rows.get(name)}; grid-column: ${columns.get(name)}`;
  list.append(make("li", { style: place(INPUT), "data-name": INPUT }, make("div", { class: "node" }, make("b", {}, "x"), " input")));
  for (const operation of trace.operations) {
    const y = operation.tensors.y;
    const node = make(
      "div",
      { class: "node" },
      make("b", {}, operation.name),
      ` ${operation.layer}`,
      make("small", {}, operation.failed ? `failed ${operation.failed}` : y ? shapeText(y.shape) : "not run"),
    );
    const passes = make("div", { class: "passes" });
    for (const [phase, sign] of [["forward", "↓"], ["backward", "↑"]]) {
      const step = stepOf(phase, operation);
      passes.append(
        make(
          "button",
          {
            type: "button",
            class: phase,
            disabled: step < 0,
            "data-step": step,
            "aria-label": `${operation.name}: ${phase}${step < 0 ? " was not run" : ""}`,
            title: step < 0 ? `${phase} was not run` : phase,
            click: () => goTo(step),
          },
          sign,
        ),
      );
    }
    node.append(passes);
    list.append(make("li", { style: place(operation.name), "data-name": operation.name }, node));
  }
}

/** Which step runs an operation in a pass; −1 if none does. */
function stepOf(phase, operation) {
  return trace.steps.findIndex(([other, place]) => other === phase && trace.operations[place] === operation);
}

/** Draw an arrow down and an arrow up for each input of each operation. */
function drawArrows() {
  const graph = byId("network").querySelector(".graph");
  const svg = graph.querySelector("svg");
  svg.setAttribute("width", graph.scrollWidth);
  svg.setAttribute("height", graph.scrollHeight);
  const items = new Map([...graph.querySelectorAll("li")].map((item) => [item.dataset.name, item]));
  const heads = ["forward", "backward"].map(
    (phase) =>
      `<marker id="${phase}-head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">` +
      `<path class="${phase}" d="M0 0 8 4 0 8z"/></marker>`,
  );
  const paths = [];
  let before = INPUT;
  for (const operation of trace.operations) {
    const given = Object.values(operation.sources);
    for (const source of given.length ? given : [before]) {
      const [from, to] = [items.get(source || before), items.get(operation.name)];
      for (const phase of ["forward", "backward"]) {
        const step = stepOf(phase, operation);
        const kind = step < 0 ? "unrun" : step < state.at ? "done" : step === state.at ? "now" : "later";
        paths.push(`<path class="${phase} ${kind}" marker-end="url(#${phase}-head)" d="${curve(from, to, phase === "backward")}"/>`);
      }
    }
    before = operation.name;
  }
  svg.innerHTML = `<defs>${heads.join("")}</defs>${paths.join("")}`;
}

/** The path of an arrow between two nodes; it swings out where it goes past others. */
function curve(from, to, up) {
  const shift = up ? 9 : -9;
  const start = [from.offsetLeft + from.offsetWidth / 2 + shift, from.offsetTop + from.offsetHeight];
  const end = [to.offsetLeft + to.offsetWidth / 2 + shift, to.offsetTop];
  const [[x1, y1], [x2, y2]] = up ? [end, start] : [start, end];
  const far = Math.abs(end[1] - start[1]) > 60 && from.offsetLeft === to.offsetLeft;
  const out = far ? from.offsetWidth / 2 + 8 : 0;
  const bend = (y2 - y1) / 2;
  return `M${x1} ${y1}C${x1 + out} ${y1 + bend} ${x2 + out} ${y2 - bend} ${x2} ${y2}`;
}

// ---- one step ------------------------------------------------------------------------------------------

/** The arrays a step has to do with, in groups. @returns {[string, string[]][]} */
function groupsOf(phase, operation) {
  const names = Object.keys(operation.tensors);
  const gradients = names.filter((name) => name.startsWith("grad_") && name !== "grad_y");
  const changed = names.filter((name) => name.startsWith("new_"));
  const inputs = names.filter((name) => name in operation.sources);
  const { parameters } = operation;
  const constants = names.filter(
    (name) => !inputs.includes(name) && !parameters.includes(name) && !/^(y$|grad_|new_)/.test(name),
  );
  if (phase === "forward")
    return [["goes in", inputs], ["is learnt", parameters], ["is given", constants], ["comes out", names.filter((name) => name === "y")]];
  if (phase === "update") {
    const moved = changed.map((name) => name.slice("new_".length));
    return [["before", moved], ["gradient", moved.map((name) => `grad_${name}`)], ["after", changed]];
  }
  const text = gradients.map((name) => operation.equations[name] || "").join(" ");
  const used = [...inputs, ...parameters, ...constants, "y"].filter((name) => symbolsIn(text).includes(name) && name in operation.tensors);
  const upstream = operation.kind === "split" ? gradients.filter((name) => name !== "grad_x") : names.filter((name) => name === "grad_y");
  return [["comes in", upstream], ["is kept from forward", used], ["comes out", gradients.filter((name) => !upstream.includes(name))]];
}

const SYMBOL = /[a-z]+(?:_[a-z]+)*(?!\()(?![a-z_(])/g;

/** @param {string} equation @returns {string[]} */
const symbolsIn = (equation) => equation.match(SYMBOL) || [];

/** An equation, its symbols linked to the arrays they stand for. @param {string} text */
function equationOf(text, operation) {
  const line = make("p", { class: "equation" });
  let from = 0;
  for (const found of text.matchAll(SYMBOL)) {
    const name = found[0];
    if (!(name in operation.tensors)) continue;
    const symbol = make("button", { type: "button", class: `symbol ${tone(name)}`, click: () => byId("tensors").querySelector(`[data-name="${name}"] canvas`)?.focus() }, name);
    for (const [event, on] of [["pointerenter", true], ["pointerleave", false], ["focus", true], ["blur", false]])
      symbol.addEventListener(event, () => byId("tensors").querySelector(`[data-name="${name}"]`)?.classList.toggle("pointed", on));
    line.append(text.slice(from, found.index), symbol);
    from = found.index + name.length;
  }
  line.append(text.slice(from));
  return line;
}

/** @param {string} name */
const tone = (name) => (name.startsWith("grad_") ? "gradient" : "value");

/** @param {string} phase */
const through = { forward: "Forward through", backward: "Backward through", update: "The optimizer’s step of" };

function showStep() {
  const [phase, place] = trace.steps[state.at];
  const operation = trace.operations[place];
  byId("what").replaceChildren(`${through[phase]} `, make("b", {}, operation.name), ` ${operation.layer}`);
  byId("step").className = phase;
  const shown = Object.entries(operation.equations).filter(([name]) =>
    phase === "forward" ? name === "y" : phase === "update" ? name.startsWith("new_") : name.startsWith("grad_"),
  );
  const equations = shown.filter(([name]) => name in operation.tensors).map(([, text]) => equationOf(text, operation));
  byId("equations").replaceChildren(...equations, ...remarks(phase, operation));
  state.maps.clear();
  const groups = groupsOf(phase, operation).filter(([, names]) => names.length);
  byId("tensors").replaceChildren(
    ...groups.map(([title, names]) => make("section", { class: "group" }, make("h3", {}, title), ...names.map((name) => figureOf(name, operation)))),
  );
  fitMaps();
}

/** What is to be said of an operation beside its equations. */
function remarks(phase, operation) {
  const said = [];
  if (operation.failed === phase) said.push(make("p", { class: "failure", role: "alert" }, `Failed: ${operation.error}`));
  if (!operation.kind && !operation.error)
    said.push(make("p", { class: "remark" }, operation.says || "npnet knows no equation of this; its arrays are shown."));
  const inside = Object.entries(operation.sources).filter(([, source]) => !source).map(([name]) => name);
  if (inside.length) said.push(make("p", { class: "remark" }, `${inside.join(", ")}: made between the layers, by a container’s own code.`));
  if (phase !== "update" && operation.kept.length) {
    const size = operation.kept.reduce((sum, [, , , bytes, same]) => sum + (same ? 0 : bytes), 0);
    const rows = operation.kept.map(([name, shape, dtype, bytes, same]) =>
      make("li", {}, make("code", {}, name), ` ${shapeText(shape)} ${dtype}, ${bytesText(bytes)}${same ? `, which is ${same}` : ""}`),
    );
    said.push(make("details", {}, make("summary", {}, `Kept for backward: ${operation.kept.length} arrays, ${bytesText(size)} of their own`), make("ul", {}, ...rows)));
  }
  return said;
}

/** @param {number} bytes */
const bytesText = (bytes) => (bytes < 1000 ? `${bytes} bytes` : bytes < 1e6 ? `${short(bytes / 1000, 3)} kB` : `${short(bytes / 1e6, 3)} MB`);

/** One array with its heat map. */
function figureOf(name, operation) {
  const tensor = operation.tensors[name];
  const map = new HeatMap(name, tensor, {
    point: (index) => showReadout(operation, name, index),
    choose: (index) => choose({ operation, name, index }),
  });
  state.maps.set(name, map);
  const other = operation.reference[name];
  if (other && state.engine === "other") map.data = other.data;
  if (other && state.engine === "difference") map.data = tensor.data.map((value, place) => value - other.data[place]);
  const table = make("details", { class: "numbers" }, make("summary", {}, "as numbers"));
  table.addEventListener("toggle", () => table.children.length < 2 && table.append(numbersOf(map, operation, name)), { once: true });
  const sampled = tensor.whole ? "" : ` Sampled: ${shapeText(tensor.here)} of them are here.`;
  const whose = !other || state.engine === "own" ? tensor.described : `${GRADIENTS[state.engine]}, at most ${short(largestOf(map.data))} in size`;
  return make(
    "figure",
    { "data-name": name, class: tone(name) },
    make("figcaption", {}, make("b", {}, name), ` ${shapeText(tensor.shape)}`, make("span", { class: "from" }, cameFrom(operation, name)), make("small", {}, `${whose}.${sampled}`)),
    make("div", { class: "scroll" }, map.canvas),
    table,
  );
}

/** Where an array came from, in words. */
function cameFrom(operation, name) {
  const source = operation.sources[name];
  if (source === INPUT) return " the input";
  if (source) return ` from ${source}`;
  if (name === "grad_y") {
    const consumer = consumerOf(operation);
    return consumer ? ` from ${consumer.operation.name}` : "";
  }
  return "";
}

/** The first numbers of an array as a table, which a screen reader can walk through. */
function numbersOf(map, operation, name) {
  const { columns } = map.tiling;
  const most = Math.min(map.data.length, 600);
  const body = make("tbody");
  for (let place = 0; place < most; place += columns) {
    const row = make("tr", {}, make("th", { scope: "row" }, label("", indexOf(map.tensor, place))));
    for (let i = place; i < Math.min(place + columns, most); i++) {
      const index = indexOf(map.tensor, i);
      row.append(make("td", {}, make("button", { type: "button", "aria-label": `${label(name, index)} = ${short(map.data[i])}`, click: () => choose({ operation, name, index }) }, short(map.data[i]))));
    }
    body.append(row);
  }
  const caption = most < map.data.length ? `${name}: the first ${most} of ${map.data.length} numbers` : name;
  return make("div", { class: "scroll" }, make("table", {}, make("caption", {}, caption), body));
}

/** Give every heat map the room there is. */
function fitMaps() {
  const width = byId("tensors").clientWidth - 18;
  for (const map of state.maps.values()) {
    map.fit(width, 380);
    map.lit = new Set();
    map.chosen = -1;
  }
  light();
}

function showReadout(operation, name, index) {
  if (!index) return;
  const tensor = operation.tensors[name];
  const single = tensor.data instanceof Float32Array;
  const value = element(tensor, index);
  const other = operation.reference[name] && element(operation.reference[name], index);
  const beside = other === undefined ? "" : `; ${trace.reference}: ${exact(other, single)}, difference ${short(value - other, 2)}`;
  byId("readout").textContent = `${label(name, index)} = ${exact(value, single)}${beside}`;
}

// ---- one element ---------------------------------------------------------------------------------------

/** Who takes an operation's output, and under which name. */
function consumerOf(operation) {
  for (const other of trace.operations)
    for (const [name, source] of Object.entries(other.sources))
      if (source === operation.name && `grad_${name}` in other.tensors) return { operation: other, name: `grad_${name}` };
  return null;
}

/** The element that another one is, where it was made. @param {Chosen} chosen @returns {Chosen} */
function originOf({ operation, name, index }) {
  const source = trace.operations.find((other) => other.name === operation.sources[name]);
  if (source) return sameElement(operation.tensors[name], index, source, "y");
  const consumer = name === "grad_y" ? consumerOf(operation) : null;
  if (consumer) return sameElement(operation.tensors[name], index, consumer.operation, consumer.name);
  if (operation.kind === "split" && /^grad_(body|shortcut)$/.test(name)) {
    const consumers = trace.operations.filter((other) => Object.values(other.sources).includes(operation.name));
    const branch = name.slice("grad_".length);
    const taker = consumers.find((other) => other.name.startsWith(operation.name.replace(/in$/, branch))) || consumers.find((other) => other.kind === "add");
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
  if (state.chosen) state.trail.push(state.chosen);
  turnTo(chosen);
}

/** Show an element and the step that made it. @param {Chosen} chosen */
function turnTo(chosen) {
  const origin = originOf(chosen);
  state.all = false;
  state.chosen = origin;
  const { operation, name } = origin;
  const phase = name === "y" ? "forward" : name.startsWith("grad_") ? "backward" : name.startsWith("new_") ? "update" : "";
  const step = phase ? stepOf(phase, operation) : -1;
  const moved = step >= 0 && step !== state.at;
  if (moved) state.at = step;
  show();
  if (matchMedia("(max-width: 64rem)").matches) byId("sum").scrollIntoView({ block: "nearest" });
}

function showSum() {
  const panel = byId("sum");
  if (!state.chosen) {
    panel.replaceChildren(
      make("h2", {}, "The sum behind a number"),
      make("p", {}, "Click any cell, or choose one with the arrow keys and Enter, to read the sum that it is: each term, where it came from, and the total."),
    );
    return;
  }
  const { operation, name, index } = state.chosen;
  const tensor = operation.tensors[name];
  const single = tensor.data instanceof Float32Array;
  const value = element(tensor, index);
  const heading = make("h2", {}, make("span", { class: tone(name) }, label(name, index)), ` = ${exact(value, single)}`);
  const said = make("p", { class: "place" }, `of `, make("b", {}, operation.name), ` ${operation.layer}`);
  const back = state.trail.length ? [make("button", { type: "button", id: "trail", click: () => turnTo(state.trail.pop()) }, "← back")] : [];
  const sum = sumOf(operation, name, index);
  panel.replaceChildren(...back, heading, said, ...(sum ? writtenOut(sum, operation, single) : unwritten(operation, name)), ...after(operation, name, index, single));
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
  const listed = many ? order.slice(0, FEW_TERMS) : order;
  const largest = Math.max(...sum.values.map(Math.abs).filter(Number.isFinite), Number.MIN_VALUE);
  const rows = listed.map((place) => {
    const term = sum.terms[place];
    const value = sum.values[place];
    const written = make("td", { class: "term" });
    term.forEach((factor, i) => written.append(i ? " · " : "", factorOf(factor, operation)));
    const numbers = make("td", { class: "product" }, term.map((factor) => short(factor.value)).join(" · "));
    const bar = make("span", { class: value < 0 ? "bar negative" : "bar", style: `width: ${Math.round((60 * Math.abs(value)) / largest) || 0}px` });
    return make("tr", {}, written, numbers, make("td", { class: "amount", "data-value": value }, bar, short(value)));
  });
  const parts = [];
  if (sum.note) parts.push(make("p", { class: "note" }, sum.note));
  if (!rows.length) parts.push(make("p", {}, "No term: the sum is 0."));
  const rest = sum.values.length - listed.length;
  const last = [];
  if (rest) {
    const others = order.slice(FEW_TERMS).reduce((total, place) => total + sum.values[place], 0);
    last.push(make("tr", {}, make("td", { colspan: 2 }, make("button", { type: "button", click: () => { state.all = true; showSum(); } }, `${rest} smaller terms`)), make("td", { class: "amount" }, short(others))));
  }
  const absent = sum.missing ? sum.element - sum.total : 0;
  if (sum.missing) last.push(make("tr", {}, make("td", { colspan: 2 }, `${sum.missing} terms that are not on this page, as large arrays are sampled`), make("td", { class: "amount" }, short(absent))));
  last.push(make("tr", { class: "total" }, make("th", { scope: "row", colspan: 2 }, `sum of ${sum.values.length + sum.missing} ${sum.values.length + sum.missing === 1 ? "term" : "terms"}`), make("td", { class: "amount", id: "total", "data-value": sum.total + absent }, exact(sum.total + absent, single))));
  parts.push(
    make("div", { class: "scroll" }, make("table", { class: "terms" }, make("thead", {}, make("tr", {}, ...["term", "numbers", "value"].map((text) => make("th", { scope: "col" }, text)))), make("tbody", {}, ...rows), make("tfoot", {}, ...last))),
  );
  parts.push(make("p", { class: agrees(sum, absent) ? "agrees" : "failure" }, verdict(sum, absent, single)));
  return parts;
}

/** Whether a sum is what the array holds, as far as rounding lets it. @param {Sum} sum */
function agrees(sum, absent) {
  const total = sum.total + absent;
  if (!Number.isFinite(sum.element) || !Number.isFinite(total)) return Object.is(sum.element, total) || Number.isNaN(total) === Number.isNaN(sum.element);
  const size = sum.values.reduce((all, value) => all + Math.abs(value), 0);
  return Math.abs(total - sum.element) <= 1e-4 * size + 1e-12;
}

/** @param {Sum} sum */
function verdict(sum, absent, single) {
  const total = sum.total + absent;
  if (!agrees(sum, absent)) return `This is not what the layer gave: its array holds ${exact(sum.element, single)}.`;
  const same = single ? Math.fround(total) === Math.fround(sum.element) : total === sum.element;
  if (same || Number.isNaN(total)) return `The array holds ${exact(sum.element, single)}: the same.`;
  return `The array holds ${exact(sum.element, single)}; the difference of ${short(total - sum.element, 1)} is rounding.`;
}

/** A factor, which leads to where it came from. @param {Factor} factor */
function factorOf(factor, operation) {
  const { tensor, index } = factor;
  if (!tensor || !index) return make("span", {}, factor.label);
  const from = cameFrom(operation, tensor);
  return make("button", { type: "button", class: `factor ${tone(tensor)}`, title: from.trim() || false, click: () => choose({ operation, name: tensor, index }) }, factor.label);
}

/** Beside an element: the other engine's, and what became of a parameter. */
function after(operation, name, index, single) {
  const said = [];
  const other = operation.reference[name];
  if (other) {
    const [own, theirs] = [element(operation.tensors[name], index), element(other, index)];
    said.push(make("p", { class: "reference" }, `${trace.reference}: ${exact(theirs, single)}, difference ${short(own - theirs, 2)}.`));
  }
  const parameter = operation.parameters.find((each) => [each, `grad_${each}`, `new_${each}`].includes(name));
  if (parameter) {
    const parts = [[parameter, "weight"], [`grad_${parameter}`, "gradient"], [`new_${parameter}`, "after the step"]].filter(([each]) => each in operation.tensors);
    const cells = parts.map(([each]) => make("li", {}, make("button", { type: "button", class: `factor ${tone(each)}`, click: () => choose({ operation, name: each, index }) }, label(each, index)), ` = ${exact(element(operation.tensors[each], index), single)}`));
    said.push(make("ul", { class: "learning" }, ...cells));
    if (trace.optimizer && `new_${parameter}` in operation.tensors) said.push(make("p", { class: "reference" }, `The step is that of ${trace.optimizer}.`));
  }
  return said;
}

/** Light up what the chosen element is made of. */
function light() {
  if (!state.chosen) return;
  const [, place] = trace.steps[state.at];
  const { operation, name, index } = state.chosen;
  if (trace.operations[place] !== operation) return;
  const sum = sumOf(operation, name, index);
  for (const term of sum ? sum.terms : [])
    for (const { tensor, index: where } of term) {
      const map = tensor && state.maps.get(tensor);
      if (map && where) map.lit.add(placeOf(map.tensor, where));
    }
  if (operation.kind === "max_pool2d" && name === "y")
    for (const cell of indices(operation.settings.kernel)) {
      const pixel = pixelUnder(new Ways(operation), index.slice(-2), cell);
      const map = state.maps.get("x");
      if (pixel && map) map.lit.add(placeOf(map.tensor, [...index.slice(0, -2), ...pixel]));
    }
  const own = state.maps.get(name);
  if (own) own.chosen = placeOf(own.tensor, index);
  for (const map of state.maps.values()) map.draw();
}

// ---- going from step to step ---------------------------------------------------------------------------

/** @param {number} step */
function goTo(step) {
  state.at = Math.max(0, Math.min(trace.steps.length - 1, step));
  show();
}

function show() {
  const [phase, place] = trace.steps[state.at];
  const operation = trace.operations[place];
  byId("slider").value = state.at;
  byId("where").textContent = `Step ${state.at + 1} of ${trace.steps.length}: ${phase}, ${operation.name}`;
  for (const id of ["first", "back"]) byId(id).disabled = state.at === 0;
  for (const id of ["next", "last"]) byId(id).disabled = state.at === trace.steps.length - 1;
  for (const item of byId("network").querySelectorAll("li")) item.classList.toggle("now", item.dataset.name === operation.name);
  for (const button of byId("network").querySelectorAll("button"))
    button.toggleAttribute("aria-current", Number(button.dataset.step) === state.at);
  drawArrows();
  const scroll = byId("network").querySelector(".scroll");
  const item = byId("network").querySelector("li.now");
  scroll.scrollTop = item.offsetTop - scroll.clientHeight / 2 + item.offsetHeight / 2;
  showStep();
  showSum();
}

/** @param {boolean} on */
function play(on) {
  clearInterval(state.timer);
  state.timer = 0;
  byId("play").textContent = on ? "Pause" : "Play";
  byId("play").setAttribute("aria-label", on ? "Pause" : "Play");
  if (!on) return;
  if (state.at === trace.steps.length - 1) goTo(0);
  state.timer = window.setInterval(() => (state.at < trace.steps.length - 1 ? goTo(state.at + 1) : play(false)), 1200);
}

function buildPlayer() {
  byId("slider").max = trace.steps.length - 1;
  const moves = { first: () => goTo(0), back: () => goTo(state.at - 1), next: () => goTo(state.at + 1), last: () => goTo(trace.steps.length - 1) };
  for (const [id, move] of Object.entries(moves)) byId(id).addEventListener("click", () => (play(false), move()));
  byId("play").addEventListener("click", () => play(!state.timer));
  byId("slider").addEventListener("input", () => goTo(Number(byId("slider").value)));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || (event.target instanceof HTMLElement && event.target.matches("input, textarea, select"))) return;
    const keys = { ArrowLeft: moves.back, ArrowRight: moves.next, Home: moves.first, End: moves.last, p: () => play(!state.timer) };
    if (!(event.key in keys)) return;
    event.preventDefault();
    keys[event.key]();
  });
}

function buildEngines() {
  const box = byId("engines");
  if (!trace.reference) {
    box.append(make("p", {}, "npnet. PyTorch’s are not here: it was not asked when this was recorded."));
    return;
  }
  for (const [engine, text] of Object.entries(GRADIENTS)) {
    const input = make("input", { type: "radio", name: "engine", value: engine, checked: engine === state.engine });
    input.addEventListener("change", () => {
      state.engine = engine;
      showStep();
    });
    box.append(make("label", {}, input, ` ${text}`));
  }
}

async function start() {
  const arrays = await readArrays(byId("arrays").textContent || "", trace.arrays);
  for (const operation of trace.operations)
    for (const names of [operation.tensors, operation.reference])
      for (const name of Object.keys(names)) names[name] = arrays[names[name]];
  buildNetwork();
  buildPlayer();
  buildEngines();
  if (trace.steps.length) show();
  let redraw = 0;
  const again = () => {
    cancelAnimationFrame(redraw);
    redraw = requestAnimationFrame(() => trace.steps.length && (drawArrows(), fitMaps()));
  };
  window.addEventListener("resize", again);
  for (const query of ["print", "(prefers-color-scheme: dark)"]) matchMedia(query).addEventListener("change", again);
  document.documentElement.dataset.ready = "true";
}

start();
