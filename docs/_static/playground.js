// @ts-check
/**
 * The playground: settings go to Python, in a worker, and what comes back is drawn. The page asks for one picture
 * after another, so it answers at once whatever Python does, and a pause is not asking for the next.
 */

import { FILES, Python } from "./python.js";
import { drawCurve, drawDigit, drawNetwork, drawSigned, drawSurface, nearest, theme } from "./playground-pictures.js";
import { readAddress, settingsOf, writtenAddress } from "./playground-settings.js";

const MILLISECONDS = 80; // of training between two pictures, at full speed
const EVERY = 120; // milliseconds between two pictures, at a chosen number of steps
const MOST_POINTS = 2000; // of the loss curve: beyond, every other one is left out

/** @param {string} id @returns {any} */
const byId = (id) => document.getElementById(id);
const form = /** @type {HTMLFormElement} */ (byId("settings"));
/** @type {Promise<void> | null} Python with the digits, once it was asked for. */
let ready = null;
const python = new Python(() => (ready = null));

/** What is on the page. */
const state = {
  /** @type {any} What stays the same during a training; null before the first. */
  opening: null,
  /** @type {any[]} */
  history: [],
  /** @type {any} */
  frame: null,
  playing: false,
  /** Counts the trainings, so that what belongs to an earlier one is told. */
  training: 0,
  sample: 0,
};

/** @param {string} text @param {boolean} failed */
function say(text, failed = false) {
  byId("said").textContent = text;
  byId("said").classList.toggle("failed", failed);
}

/** Load Python and lend it the digits. */
async function prepare() {
  await python.start((text) => say(text));
  const digits = await fetch(new URL("digits.csv.gz", FILES));
  await python.call("playground.lend_digits", new Uint8Array(await digits.arrayBuffer()));
  say("");
}

/** Call a function of playground.py. The first, "start", waits for Python; the others need a training. */
async function ask(name, ...values) {
  if (name === "start") await (ready ??= prepare());
  if (!ready) throw new Error("Python has stopped");
  return python.call(`playground.page.${name}`, ...values);
}

/** Do something that may fail: then say why, and let Python start afresh at the next wish. */
async function attempt(work) {
  try {
    await work();
  } catch (error) {
    pause();
    python.stop();
    state.opening = null;
    say(`${error.message.replace(/\.$/, "")}. Reset begins anew.`, true);
    showButtons();
  }
}

/** Begin anew with the settings of the form. */
function reset() {
  return attempt(async () => {
    const training = ++state.training;
    pause();
    const opening = await ask("start", settingsOf(form));
    if (training !== state.training) return; // the settings changed meanwhile
    Object.assign(state, { opening, history: [], sample: 0 });
    showOpening();
    take(opening.frame);
    pause();
  });
}

/** Take a picture of the training. */
function take(frame) {
  state.frame = frame;
  state.history.push({ step: frame.step, loss: frame.loss });
  if (state.history.length > MOST_POINTS) {
    state.history = state.history.filter((_, i) => i % 2 === 0 || i === state.history.length - 1);
  }
  draw();
}

/** Train until told otherwise. */
function play() {
  return attempt(async () => {
    if (!state.opening) await reset();
    if (!state.opening || state.playing) return;
    say("");
    state.playing = true;
    showButtons();
    const training = state.training;
    while (state.playing && training === state.training) {
      const began = performance.now();
      const steps = Number(byId("speed").value);
      const frame = await ask("advance", steps ? 1e6 : MILLISECONDS, steps || 1e6);
      if (training !== state.training) return;
      take(frame);
      if (!hold(frame)) return;
      await painted(steps ? EVERY - (performance.now() - began) : 0);
    }
  });
}

/** Wait until the page was drawn, and a while longer if need be. */
function painted(milliseconds) {
  return new Promise((resolve) => setTimeout(() => requestAnimationFrame(resolve), Math.max(0, milliseconds)));
}

/** Take one step. */
function step() {
  return attempt(async () => {
    if (!state.opening) await reset();
    pause();
    const training = state.training;
    const frame = await ask("advance", 1e6, 1);
    if (training !== state.training) return;
    take(frame);
    hold(frame);
  });
}

/** Stop if the loss is no number any more, and say so; tell whether one can go on. */
function hold(frame) {
  if (frame.loss.every(Number.isFinite)) return true;
  pause();
  say(`The loss is no finite number after step ${frame.step}: the steps are too long. Choose a smaller learning rate.`, true);
  return false;
}

function pause() {
  state.playing = false;
  showButtons();
  attempt(showScript);
}

function showButtons() {
  byId("play").textContent = state.playing ? "Pause" : "Play";
  for (const id of ["play", "step", "reset"]) byId(id).disabled = false;
  for (const id of ["trace", "code"]) byId(id).disabled = !state.opening;
}

/** Build what depends on the data and the network, not on the training. */
function showOpening() {
  const { opening } = state;
  const plane = opening.limit > 0;
  byId("surface").hidden = !plane;
  byId("samples").hidden = plane;
  byId("surface-title").textContent = plane ? "Decision surface" : "Predictions of the validation part";
  byId("sample").max = opening.labels.length - 1;
  byId("sample").value = 0;
  byId("samples").replaceChildren(...(plane ? [] : opening.samples.map(sampleButton)));
  byId("legend").textContent = plane
    ? "Filled: training. Hollow: validation. Click on a point, or type its number, to trace it."
    : "Below each digit is what the network takes it for. Choose one to trace it.";
  byId("network").hidden = !plane;
  byId("weights").hidden = plane;
  byId("network-title").textContent = plane ? "The network" : "Weights of the first layer";
  byId("network-legend").textContent = plane
    ? "In each square, what the unit answers in each place of the plane; each line is a weight. Blue is positive, orange negative."
    : "One picture for each unit. Blue is positive, orange negative.";
  byId("weights").replaceChildren(...(plane ? [] : opening.frame.pictures[0].map(() => document.createElement("canvas"))));
}

/** A digit that can be chosen. */
function sampleButton(rows, i) {
  const button = document.createElement("button");
  button.type = "button";
  const canvas = document.createElement("canvas");
  drawDigit(canvas, rows);
  button.append(canvas, document.createElement("span"));
  button.addEventListener("click", () => choose(i));
  return button;
}

function choose(sample) {
  state.sample = sample;
  byId("sample").value = sample;
  draw();
}

/** Draw everything anew when the theme has changed. */
function recolour() {
  if (!state.opening) return;
  const canvases = byId("samples").querySelectorAll("canvas");
  canvases.forEach((canvas, i) => drawDigit(canvas, state.opening.samples[i]));
  draw();
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;
const short = (number) => (Number.isFinite(number) ? number.toPrecision(3) : "–");

/** Draw everything as it is now. */
function draw() {
  const { opening, frame, history } = state;
  if (!opening) return;
  byId("counts").textContent = `step ${frame.step} · epoch ${frame.epoch.toFixed(1)}`;
  ["training", "validation"].forEach((part, k) => {
    byId(`loss-${part}`).textContent = Number.isFinite(frame.loss[k]) ? frame.loss[k].toFixed(4) : "not finite";
    byId(`accuracy-${part}`).textContent = percent(frame.accuracy[k]);
  });
  byId("curve").setAttribute("aria-label", `Loss after ${frame.step} steps: training ${short(frame.loss[0])}, validation ${short(frame.loss[1])}`);
  drawCurve(byId("curve"), history);
  drawNorms(frame.norms);
  if (opening.limit > 0) {
    byId("surface").setAttribute("aria-label", `Decision surface: ${percent(frame.accuracy[1])} of the validation points are on their class's side`);
    drawSurface(byId("surface"), opening, frame, state.sample);
    const widths = frame.pictures.map((layer) => layer.length);
    byId("network").setAttribute("aria-label", `The network: ${widths.join(", ")} units from the inputs to the classes`);
    drawNetwork(byId("network"), frame);
  } else {
    showAnswers();
    drawWeights(frame.pictures);
  }
}

/** Say below each digit what it is taken for. */
function showAnswers() {
  const { opening, frame } = state;
  [...byId("samples").children].forEach((button, i) => {
    const right = frame.winners[i] === opening.labels[i];
    button.className = right ? "right" : "wrong";
    button.setAttribute("aria-pressed", String(i === state.sample));
    button.setAttribute("aria-label", `Digit ${opening.labels[i]}, taken for ${frame.winners[i]}, ${percent(frame.certainties[i])} sure`);
    button.lastChild.textContent = `${frame.winners[i]}${right ? "" : " ✗"}`;
  });
}

/** A bar for each layer, on a logarithmic scale from 10⁻⁶ to 10². */
function drawNorms(norms) {
  const rows = norms.map(({ layer, gradient, weight }) => {
    const row = document.createElement("tr");
    const length = Math.max(0, Math.min(1, (Math.log10(gradient) + 6) / 8)) || 0;
    const name = document.createElement("th");
    name.scope = "row";
    name.textContent = layer;
    const bar = document.createElement("td");
    bar.className = "play-bar";
    bar.style.setProperty("--length", `${100 * length}%`);
    bar.textContent = short(gradient);
    const size = document.createElement("td");
    size.textContent = short(weight);
    row.append(name, bar, size);
    return row;
  });
  byId("norms").tBodies[0].replaceChildren(...rows);
}

function drawWeights([pictures]) {
  const largest = Math.max(...pictures.flatMap((rows) => rows.flatMap((row) => [...row].map(Math.abs)))) || 1;
  byId("weights").setAttribute("aria-label", `${pictures.length} pictures of weights; the largest is ${short(largest)} in size`);
  pictures.forEach((rows, i) => drawSigned(byId("weights").children[i], rows, largest));
}

/** Show both passes of one step, for the chosen sample. */
function trace() {
  return attempt(async () => {
    pause();
    byId("trace-page").srcdoc = inTheme(await ask("trace", state.sample));
    byId("trace-title").textContent = `Sample ${state.sample} after step ${state.frame.step}`;
    byId("trace-dialog").showModal();
  });
}

/** A page that follows the system's theme is made to follow this page's, which its reader may have chosen. */
function inTheme(html) {
  return html.replaceAll("(prefers-color-scheme: dark)", theme() === "dark" ? "all" : "not all");
}

/** Copy text, and say whether it worked. */
async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    say(`${what} is copied.`);
  } catch {
    say(`The browser does not let a page copy. ${what} can be taken by hand.`, true);
  }
}

/** Show the Python that does the same, if it is to be seen. */
async function showScript() {
  if (byId("script-shown").open && state.opening) byId("script").textContent = await ask("script");
}

function copyScript() {
  return attempt(async () => {
    pause();
    byId("script-shown").open = true;
    await showScript();
    await copy(byId("script").textContent, "The Python");
  });
}

/** Something was chosen: it goes into the address, and the training begins anew. */
function changed() {
  if (!form.checkValidity()) {
    say("The seed must be a whole number from 0 to 9999.", true);
    return;
  }
  showForm();
  history.replaceState(null, "", writtenAddress(form));
  reset();
}

function showForm() {
  const fields = /** @type {any} */ (form.elements);
  fields.convolution.disabled = fields.data.value !== "digits";
}

/** Begin with the settings of the address. */
async function begin() {
  const complaints = readAddress(form, location.hash);
  showForm();
  await reset();
  if (complaints.length) say(`Of the settings in the address, ${complaints.join(", and ")}. The default is used.`, true);
}

form.addEventListener("change", changed);
form.addEventListener("submit", (event) => event.preventDefault());
byId("play").addEventListener("click", () => (state.playing ? pause() : play()));
byId("step").addEventListener("click", step);
byId("reset").addEventListener("click", () => {
  say("");
  reset();
});
byId("trace").addEventListener("click", trace);
byId("trace-close").addEventListener("click", () => byId("trace-dialog").close());
byId("code").addEventListener("click", copyScript);
byId("script-shown").addEventListener("toggle", () => attempt(showScript));
byId("link").addEventListener("click", () => copy(new URL(writtenAddress(form), location.href).href, "The link"));
byId("sample").addEventListener("change", () => {
  const sample = byId("sample");
  if (sample.checkValidity() && sample.value !== "") choose(Number(sample.value));
  else sample.value = state.sample;
});
byId("surface").addEventListener("click", (event) => {
  const { width, height } = byId("surface").getBoundingClientRect();
  choose(nearest(state.opening, event.offsetX, event.offsetY, width, height));
});
addEventListener("hashchange", () => {
  byId("playground").scrollIntoView();
  begin();
});
addEventListener("resize", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
new MutationObserver(recolour).observe(document.body, { attributeFilter: ["data-theme"] });
begin();

/** For tests. */
globalThis.npnetPlayground = { state, python };
