// @ts-check
/** What the playground shows: words, tables and pictures of one training, which it is given and does not change. */

import { drawCurve, drawDigit, drawNetwork, drawSigned, drawSurface } from "./playground-pictures.js";

/** @param {string} id @returns {any} */
const byId = (id) => document.getElementById(id);

/**
 * Build what depends on the data and the network, not on the training.
 * @param {any} opening  as playground.py has it
 * @param {(sample: number) => void} choose
 */
export function build(opening, choose) {
  const plane = opening.limit > 0;
  byId("surface").hidden = !plane;
  byId("samples").hidden = plane;
  byId("surface-title").textContent = plane ? "Decision surface" : "Predictions of the validation part";
  byId("sample").max = opening.labels.length - 1;
  byId("sample").value = 0;
  byId("samples").replaceChildren(...(plane ? [] : opening.samples.map((rows, i) => sampleButton(rows, () => choose(i)))));
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
function sampleButton(rows, choose) {
  const button = document.createElement("button");
  button.type = "button";
  const canvas = document.createElement("canvas");
  drawDigit(canvas, rows);
  button.append(canvas, document.createElement("span"));
  button.addEventListener("click", choose);
  return button;
}

/** Draw the digits anew, in the colours of another theme. @param {any} opening */
export function recolour(opening) {
  const canvases = byId("samples").querySelectorAll("canvas");
  canvases.forEach((canvas, i) => drawDigit(canvas, opening.samples[i]));
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;
const short = (number) => (Number.isFinite(number) ? number.toPrecision(3) : "–");

/**
 * Draw everything as it is now.
 * @param {{opening: any, frame: any, history: any[], sample: number}} state
 */
export function draw({ opening, frame, history, sample }) {
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
    drawSurface(byId("surface"), opening, frame, sample);
    const widths = frame.pictures.map((layer) => layer.length);
    byId("network").setAttribute("aria-label", `The network: ${widths.join(", ")} units from the inputs to the classes`);
    drawNetwork(byId("network"), frame);
  } else {
    showAnswers(opening, frame, sample);
    drawWeights(frame.pictures);
  }
}

/** Say below each digit what it is taken for. */
function showAnswers(opening, frame, sample) {
  [...byId("samples").children].forEach((button, i) => {
    const right = frame.winners[i] === opening.labels[i];
    button.className = right ? "right" : "wrong";
    button.setAttribute("aria-pressed", String(i === sample));
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

/** A picture of the weights of each unit of the first layer. */
function drawWeights([pictures]) {
  const largest = Math.max(...pictures.flatMap((rows) => rows.flatMap((row) => [...row].map(Math.abs)))) || 1;
  byId("weights").setAttribute("aria-label", `${pictures.length} pictures of weights; the largest is ${short(largest)} in size`);
  pictures.forEach((rows, i) => drawSigned(byId("weights").children[i], rows, largest));
}
