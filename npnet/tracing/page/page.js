// @ts-check
"use strict";

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
  for (const item of byId("network").querySelectorAll("li"))
    item.classList.toggle("now", item.dataset.name === operation.name);
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
  state.timer = window.setInterval(
    () => (state.at < trace.steps.length - 1 ? goTo(state.at + 1) : play(false)),
    1200,
  );
}

function buildPlayer() {
  byId("slider").max = trace.steps.length - 1;
  const moves = {
    first: () => goTo(0),
    back: () => goTo(state.at - 1),
    next: () => goTo(state.at + 1),
    last: () => goTo(trace.steps.length - 1),
  };
  for (const [id, move] of Object.entries(moves))
    byId(id).addEventListener("click", () => (play(false), move()));
  byId("play").addEventListener("click", () => play(!state.timer));
  byId("slider").addEventListener("input", () => goTo(Number(byId("slider").value)));
  document.addEventListener("keydown", (event) => {
    if (
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      (event.target instanceof HTMLElement && event.target.matches("input, textarea, select"))
    )
      return;
    const keys = {
      ArrowLeft: moves.back,
      ArrowRight: moves.next,
      Home: moves.first,
      End: moves.last,
      p: () => play(!state.timer),
    };
    if (!(event.key in keys)) return;
    event.preventDefault();
    keys[event.key]();
  });
}

function buildEngines() {
  const box = byId("engines");
  if (!trace.reference) {
    box.append(make("p", {}, "npnet; PyTorch’s were not recorded"));
    return;
  }
  for (const [engine, text] of Object.entries(GRADIENTS)) {
    const input = make("input", {
      type: "radio",
      name: "engine",
      value: engine,
      checked: engine === state.engine,
    });
    input.addEventListener("change", () => {
      state.engine = engine;
      showStep();
    });
    box.append(make("label", {}, input, ` ${text}`));
  }
}

/** Escape goes from a sum back to its array. */
function buildEscape() {
  byId("sum").addEventListener("keydown", (event) => {
    const map = event.key === "Escape" && state.chosen && state.maps.get(state.chosen.name);
    if (map) map.canvas.focus();
  });
}

async function start() {
  const arrays = await readArrays(byId("arrays").textContent || "", trace.arrays, trace.planes);
  for (const operation of trace.operations)
    for (const names of [operation.tensors, operation.reference])
      for (const name of Object.keys(names)) names[name] = arrays[names[name]];
  buildNetwork();
  buildPlayer();
  buildEngines();
  buildEscape();
  if (trace.steps.length) show();
  let redraw = 0;
  const again = () => {
    cancelAnimationFrame(redraw);
    redraw = requestAnimationFrame(() => trace.steps.length && (drawArrows(), fitMaps()));
  };
  window.addEventListener("resize", again);
  for (const query of ["print", "(prefers-color-scheme: dark)"])
    matchMedia(query).addEventListener("change", again);
  document.documentElement.dataset.ready = "true";
}

start();
