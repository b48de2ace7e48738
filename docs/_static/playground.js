// @ts-check
/**
 * The playground: settings go to Python, in a worker, and what comes back is drawn. The page asks for one picture
 * after another, so it answers at once whatever Python does, and a pause is not asking for the next.
 */

import { Python } from "./python.js";
import { nearest, theme } from "./playground-pictures.js";
import { readAddress, settingsOf, writtenAddress } from "./playground-settings.js";
import { build, draw, recolour } from "./playground-views.js";

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
  /** @type {object | null} Who plays; null for a pause. */
  player: null,
  /** Counts the trainings, so that what belongs to an earlier one is told. */
  training: 0,
  sample: 0,
};

/** @param {string} text @param {boolean} failed */
function say(text, failed = false) {
  byId("said").textContent = text;
  byId("said").classList.toggle("failed", failed);
}

/** Load Python. */
async function prepare() {
  await python.start((text) => say(text));
  say("");
}

/** Call a function of playground.py. The first, "start", waits for Python; the others need a training. */
async function ask(name, ...values) {
  if (name === "start") await (ready ??= prepare());
  if (!ready) throw new Error(python.why || "Python has stopped");
  return python.call(`playground.page.${name}`, ...values);
}

/** Do something that may fail: then say why, and let Python start afresh at the next wish. */
async function attempt(work) {
  try {
    await work();
  } catch (error) {
    python.stop(error.message); // whoever else waits says the same
    state.opening = state.player = null;
    showButtons();
    say(`${error.message.replace(/\.$/, "")}. Reset begins anew.`, true);
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
    build(opening, choose);
    take(opening.frame);
    showButtons();
    await showScript();
  });
}

/** Take a picture of the training. */
function take(frame) {
  state.frame = frame;
  state.history.push({ step: frame.step, loss: frame.loss });
  if (state.history.length > MOST_POINTS) {
    state.history = state.history.filter((_, i) => i % 2 === 0 || i === state.history.length - 1);
  }
  draw(state);
}

/** Train until told otherwise. */
function play() {
  return attempt(async () => {
    if (!state.opening) await reset();
    if (!state.opening) return;
    say("");
    const [training, player] = [state.training, (state.player = {})];
    showButtons();
    while (state.player === player) {
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
    await showScript();
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
  state.player = null;
  showButtons();
  attempt(showScript);
}

function showButtons() {
  byId("play").textContent = state.player ? "Pause" : "Play";
  for (const id of ["play", "step", "reset"]) byId(id).disabled = false;
  for (const id of ["trace", "code"]) byId(id).disabled = !state.opening;
}

function choose(sample) {
  state.sample = sample;
  byId("sample").value = sample;
  draw(state);
}

function changeTheme() {
  if (!state.opening) return;
  recolour(state.opening);
  draw(state);
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
    byId("script-shown").open = true;
    pause();
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
  say("");
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
  if (!complaints.length || !state.opening) return;
  say(`Of the settings in the address, ${complaints.join(", and ")}. The default is used.`, true);
}

form.addEventListener("change", changed);
form.addEventListener("submit", (event) => event.preventDefault());
byId("play").addEventListener("click", () => (state.player ? pause() : play()));
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
  if (state.opening && sample.checkValidity() && sample.value !== "") choose(Number(sample.value));
  else sample.value = state.sample;
});
byId("surface").addEventListener("click", (event) => {
  const { width, height } = byId("surface").getBoundingClientRect();
  if (state.opening) choose(nearest(state.opening, event.offsetX, event.offsetY, width, height));
});
addEventListener("hashchange", () => {
  byId("playground").scrollIntoView();
  begin();
});
addEventListener("resize", () => state.opening && draw(state));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changeTheme);
new MutationObserver(changeTheme).observe(document.body, { attributeFilter: ["data-theme"] });
begin();

/** For tests. */
globalThis.npnetPlayground = { state, python };
