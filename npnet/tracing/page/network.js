// @ts-check
"use strict";

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
  document.querySelector("main")?.classList.toggle("branched", Math.max(...columns.values()) > 1);
  list.append(
    make(
      "li",
      { style: place(INPUT), "data-name": INPUT },
      make("div", { class: "node" }, make("b", {}, "x"), " input"),
    ),
  );
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
    for (const [phase, sign] of [
      ["forward", "↓"],
      ["backward", "↑"],
    ]) {
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
  graph.classList.toggle(
    "around",
    trace.operations.some((operation) => operation.kind === "add"),
  );
  const items = new Map([...graph.querySelectorAll("li")].map((item) => [item.dataset.name, item]));
  const heads = ["forward", "backward"].map(
    (phase) =>
      `<marker id="${phase}-head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto">` +
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
        paths.push(
          `<path class="${phase} ${kind}" marker-end="url(#${phase}-head)" d="${curve(from, to, phase === "backward")}"/>`,
        );
      }
    }
    before = operation.name;
  }
  svg.setAttribute("width", graph.scrollWidth);
  svg.setAttribute("height", graph.scrollHeight);
  svg.innerHTML = `<defs>${heads.join("")}</defs>${paths.join("")}`;
}

/** The path of an arrow between two nodes; where it goes past others, it goes around them. */
function curve(from, to, up) {
  const shift = up ? 9 : -9;
  const [x1, y1] = [from.offsetLeft + from.offsetWidth / 2 + shift, from.offsetTop + from.offsetHeight];
  const [x2, y2] = [to.offsetLeft + to.offsetWidth / 2 + shift, to.offsetTop];
  const points = [`${x1} ${y1}`, `${x1} ${(y1 + y2) / 2} ${x2} ${(y1 + y2) / 2}`, `${x2} ${y2}`];
  if (from.offsetLeft !== to.offsetLeft || y2 - y1 < 60) {
    return up
      ? `M${points[2]}C${x2} ${(y1 + y2) / 2} ${x1} ${(y1 + y2) / 2} ${points[0]}`
      : `M${points[0]}C${points[1]} ${points[2]}`;
  }
  const beside = from.offsetLeft + from.offsetWidth + (up ? 21 : 10);
  const [low, high] = [y1 + 13 + shift / 3, y2 - 13 + shift / 3];
  const corners = [
    [x1, y1],
    [x1, low],
    [beside, low],
    [beside, high],
    [x2, high],
    [x2, y2],
  ];
  return `M${(up ? corners.reverse() : corners).join("L")}`;
}
