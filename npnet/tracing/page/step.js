// @ts-check
"use strict";

/** The arrays a step has to do with, in groups. @returns {[string, string[]][]} */
function groupsOf(phase, operation) {
  const names = Object.keys(operation.tensors);
  const gradients = names.filter((name) => name.startsWith("grad_") && name !== "grad_y");
  const changed = names.filter((name) => name.startsWith("new_"));
  const inputs = names.filter((name) => name in operation.sources);
  const { parameters } = operation;
  const constants = names.filter(
    (name) => !inputs.includes(name) && !parameters.includes(name) && !/^(y$|grad_|new_|old_)/.test(name),
  );
  if (phase === "forward")
    return [
      ["input", inputs],
      ["parameters", parameters],
      ["constants", constants],
      ["output", names.filter((name) => name === "y")],
    ];
  if (phase === "update") {
    const moved = changed.map((name) => name.slice("new_".length));
    return [
      ["parameters before", moved],
      ["gradients", moved.map((name) => `grad_${name}`)],
      ["kept by the optimizer from the steps before", names.filter((name) => name.startsWith("old_"))],
      ["parameters after", changed],
    ];
  }
  const text = gradients.map((name) => operation.equations[name] || "").join(" ");
  const used = [...inputs, ...parameters, ...constants, "y"].filter(
    (name) => symbolsIn(text).includes(name) && name in operation.tensors,
  );
  const upstream = "grad_y" in operation.tensors ? ["grad_y"] : gradients.filter((name) => name !== "grad_x");
  return [
    ["upstream gradient", upstream],
    ["kept from the forward pass", used],
    ["gradients", gradients.filter((name) => !upstream.includes(name))],
  ];
}

/** A name in an equation: not the name of a function, and not x̂. */
const SYMBOL = /[a-z]+(?:_[a-z]+)*(?![a-z_(\u0302])/g;

/** @param {string} equation @returns {string[]} */
const symbolsIn = (equation) => equation.match(SYMBOL) || [];

/** An equation, its symbols linked to the arrays they stand for. @param {string} text */
function equationOf(text, operation) {
  const line = make("p", { class: "equation" });
  let from = 0;
  for (const found of text.matchAll(SYMBOL)) {
    const name = found[0];
    if (!(name in operation.tensors)) continue;
    const symbol = make(
      "button",
      {
        type: "button",
        class: `symbol ${tone(name)}`,
        click: () => state.maps.get(name)?.canvas.focus(),
      },
      name,
    );
    const point = (on) => state.maps.get(name)?.canvas.closest("figure")?.classList.toggle("pointed", on);
    for (const event of ["pointerenter", "focus"]) symbol.addEventListener(event, () => point(true));
    for (const event of ["pointerleave", "blur"]) symbol.addEventListener(event, () => point(false));
    line.append(text.slice(from, found.index), symbol);
    from = found.index + name.length;
  }
  line.append(text.slice(from));
  return line;
}

/** @param {string} name */
const tone = (name) => (name.startsWith("grad_") ? "gradient" : "value");

/** @param {string} phase */
const through = {
  forward: "Forward through",
  backward: "Backward through",
  update: "The optimizer’s step of",
};

function showStep() {
  const [phase, place] = trace.steps[state.at];
  const operation = trace.operations[place];
  byId("what").replaceChildren(`${through[phase]} `, make("b", {}, operation.name), ` ${operation.layer}`);
  byId("step").className = phase;
  byId("readout").textContent = "";
  const equations = phase === "update" ? rulesOf(operation) : equationsOf(phase, operation);
  byId("equations").replaceChildren(...equations, ...remarks(phase, operation));
  state.maps.clear();
  const groups = groupsOf(phase, operation).filter(([, names]) => names.length);
  byId("tensors").replaceChildren(
    ...groups.map(([title, names]) =>
      make(
        "section",
        { class: "group" },
        make("h3", {}, title),
        ...names.map((name) => figureOf(name, operation)),
      ),
    ),
  );
  fitMaps();
}

function equationsOf(phase, operation) {
  return Object.entries(operation.equations)
    .filter(([name]) => name in operation.tensors && name.startsWith(phase === "forward" ? "y" : "grad_"))
    .map(([, text]) => equationOf(text, operation));
}

/** The optimizer's equations; those of all its parameters are the same, unless some have had fewer steps. */
function rulesOf(operation) {
  const rules = new Set(Object.values(operation.rules).map((number) => trace.rules[number].lines));
  const lines = [...rules].flat();
  if (!lines.length) return [make("p", { class: "remark" }, `The rule of ${trace.optimizer} has no equations.`)];
  const says = "p is a parameter’s element, g its gradient";
  const rows = lines.map(([what, text]) => make("li", {}, make("small", {}, `${what} `), text));
  return [make("p", { class: "remark" }, `${trace.optimizer}: ${says}.`), make("ul", { class: "equation" }, ...rows)];
}

/** What is to be said of an operation beside its equations. */
function remarks(phase, operation) {
  const said = [];
  if (operation.failed === phase)
    said.push(make("p", { class: "failure", role: "alert" }, `Failed: ${operation.error}`));
  if (!operation.kind && !operation.error)
    said.push(
      make(
        "p",
        { class: "remark" },
        operation.says || "npnet knows no equation of this; its arrays are shown.",
      ),
    );
  const inside = Object.entries(operation.sources)
    .filter(([, source]) => !source)
    .map(([name]) => name);
  if (inside.length)
    said.push(
      make(
        "p",
        { class: "remark" },
        `${inside.join(", ")}: made between the layers, by a container’s own code.`,
      ),
    );
  const frozen = operation.parameters.filter((name) => !(`grad_${name}` in operation.tensors));
  if (phase === "backward" && frozen.length && !operation.failed)
    said.push(make("p", { class: "remark" }, `${frozen.join(", ")}: frozen, so no gradient is computed.`));
  if (phase !== "update" && operation.kept.length) {
    const size = operation.kept.reduce((sum, [, , , bytes, same]) => sum + (same ? 0 : bytes), 0);
    const rows = operation.kept.map(([name, shape, dtype, bytes, same]) =>
      make(
        "li",
        {},
        make("code", {}, name),
        ` ${shapeText(shape)} ${dtype}, ${bytesText(bytes)}${same ? `, which is ${same}` : ""}`,
      ),
    );
    said.push(
      make(
        "details",
        {},
        make(
          "summary",
          {},
          `Kept for backward: ${operation.kept.length} arrays, ${bytesText(size)} of their own`,
        ),
        make("ul", {}, ...rows),
      ),
    );
  }
  return said;
}

/** @param {number} bytes */
const bytesText = (bytes) =>
  bytes < 1000
    ? `${bytes} bytes`
    : bytes < 1e6
      ? `${short(bytes / 1000, 3)} kB`
      : `${short(bytes / 1e6, 3)} MB`;

/** One array with its heat map. */
function figureOf(name, operation) {
  const tensor = operation.tensors[name];
  const tied = name === "x" || name === "grad_x" ? tiesOf(operation) : new Set();
  const map = new HeatMap(name, tensor, tied, {
    point: (index) => showReadout(operation, name, index, index && tied.has(placeOf(tensor, index))),
    choose: (index, byKey) => {
      choose({ operation, name, index });
      if (byKey) byId("sum").focus();
    },
  });
  state.maps.set(name, map);
  const other = operation.reference[name];
  if (other && state.engine === "other") map.data = other.data;
  if (other && state.engine === "difference")
    map.data = tensor.data.map((value, place) => value - other.data[place]);
  const table = make("details", { class: "numbers" }, make("summary", {}, "as numbers"));
  table.addEventListener(
    "toggle",
    () => table.children.length < 2 && table.append(numbersOf(map, operation, name)),
    { once: true },
  );
  const sampled = tensor.whole ? "" : ` Sampled: ${shapeText(tensor.here)} of them are here.`;
  const whose =
    !other || state.engine === "own"
      ? tensor.described
      : `${GRADIENTS[state.engine]}, at most ${short(largestOf(map.data))} in size`;
  return make(
    "figure",
    { "data-name": name, class: tone(name) },
    make(
      "figcaption",
      {},
      make("b", {}, name),
      ` ${shapeText(tensor.shape)}`,
      make("span", { class: "from" }, cameFrom(operation, name)),
      make("small", {}, `${whose}.${sampled}${tied.size ? ` ○ ${tied.size} ${tieOf(operation)}.` : ""}`),
    ),
    make("div", { class: "scroll" }, map.canvas),
    table,
  );
}

/** What a ring in a heat map means. */
const tieOf = (operation) => (operation.kind === "max_pool2d" ? "in a tie" : "at the kink");

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
      row.append(
        make(
          "td",
          {},
          make(
            "button",
            {
              type: "button",
              "aria-label": `${label(name, index)} = ${short(map.data[i])}`,
              click: () => choose({ operation, name, index }),
            },
            short(map.data[i]),
          ),
        ),
      );
    }
    body.append(row);
  }
  const caption = most < map.data.length ? `${name}: the first ${most} of ${map.data.length} numbers` : name;
  return make("div", { class: "scroll" }, make("table", {}, make("caption", {}, caption), body));
}

/** Give every heat map the room there is. */
function fitMaps() {
  const width = byId("tensors").clientWidth - 18;
  light();
  for (const map of state.maps.values()) map.fit(width, 380);
}

function showReadout(operation, name, index, tied) {
  if (!index) return;
  const tensor = operation.tensors[name];
  const single = tensor.data instanceof Float32Array;
  const value = element(tensor, index);
  const other = operation.reference[name] && element(operation.reference[name], index);
  const beside =
    other === undefined
      ? ""
      : `; ${trace.reference}: ${exact(other, single)}, difference ${short(value - other, 2)}`;
  byId("readout").textContent = `${label(name, index)} = ${exact(value, single)}${beside}${tied ? `; ${tieOf(operation)}` : ""}`;
}
