// @ts-check
/**
 * The pictures of the playground. Each function draws what it is given, in the colours of the page's theme, and
 * keeps nothing.
 */

/** Colours of classes: on a light page, on a dark one. Marks tell them apart too. */
const CLASSES = {
  light: [[30, 98, 190], [214, 98, 10], [10, 128, 96]],
  dark: [[110, 168, 255], [255, 160, 70], [70, 205, 160]],
};
const INK = { light: [20, 22, 26], dark: [240, 242, 245] };
const PAPER = { light: [255, 255, 255], dark: [19, 20, 22] };
/** Of numbers: negative is orange, positive blue, as in the trace. */
const SIGNED = { light: [[190, 88, 0], [26, 78, 170]], dark: [[255, 165, 70], [125, 175, 255]] };

/** @returns {"light" | "dark"} */
export function theme() {
  const chosen = document.body.dataset.theme;
  if (chosen === "light" || chosen === "dark") return chosen;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** @param {number[]} from @param {number[]} to @param {number} share @returns {number[]} */
function mix(from, to, share) {
  return from.map((channel, k) => channel + (to[k] - channel) * share);
}

/** @param {number[]} channels */
const css = (channels) => `rgb(${channels.map(Math.round).join(" ")})`;

/** @param {string} name */
const themed = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

/** The colours of numbers from −1 to 1, made once: there are many of them in a picture. */
const SHADES_EACH = 255;
const SHADES = { light: shadesOf("light"), dark: shadesOf("dark") };

/** @param {"light" | "dark"} now */
function shadesOf(now) {
  return Array.from({ length: 2 * SHADES_EACH + 1 }, (_, i) => {
    const value = i / SHADES_EACH - 1;
    return mix(PAPER[now], SIGNED[now][value < 0 ? 0 : 1], Math.abs(value) ** 0.8);
  });
}

/** Make a canvas as sharp as the screen, and return its pen in CSS pixels. @param {HTMLCanvasElement} canvas */
function pen(canvas) {
  const { width, height } = canvas.getBoundingClientRect();
  const sharp = devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(width * sharp));
  canvas.height = Math.max(1, Math.round(height * sharp));
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.scale(sharp, sharp);
  return { context, width, height };
}

/**
 * The decision surface: in each place the colour of the likeliest class, the stronger the surer; over it the
 * points, those of the validation part hollow.
 * @param {HTMLCanvasElement} canvas
 * @param {any} opening  as playground.py has it
 * @param {any} frame
 * @param {number} chosen  which sample has a ring
 */
export function drawSurface(canvas, opening, frame, chosen) {
  const now = theme();
  const { context, width, height } = pen(canvas);
  const side = Math.sqrt(frame.winners.length);
  const least = 1 / opening.classes;
  const surface = document.createElement("canvas");
  paint(surface, side, (place) => {
    const certainty = (frame.certainties[place] - least) / (1 - least);
    return mix(PAPER[now], CLASSES[now][frame.winners[place]], 0.06 + 0.5 * (certainty || 0));
  });
  context.imageSmoothingQuality = "high";
  context.drawImage(surface, 0, 0, width, height);
  for (let i = 0; i < opening.labels.length; i++) {
    const [x, y] = opening.samples[i];
    context.save();
    context.translate(...placeOf(x, y, opening.limit, width, height));
    mark(context, opening.labels[i], i < opening.training, now);
    if (i === chosen) ring(context);
    context.restore();
  }
}

/** Where a point of the plane lies on a canvas. @returns {[number, number]} */
function placeOf(x, y, limit, width, height) {
  return [((x / limit + 1) / 2) * width, ((1 - y / limit) / 2) * height];
}

/** The sample nearest to a place on the canvas. */
export function nearest(opening, across, down, width, height) {
  let best = 0;
  let least = Infinity;
  opening.samples.forEach(([x, y], i) => {
    const [left, top] = placeOf(x, y, opening.limit, width, height);
    const distance = Math.hypot(left - across, top - down);
    if (distance < least) [best, least] = [i, distance];
  });
  return best;
}

/** A circle, a square or a triangle, filled or hollow. */
function mark(context, label, filled, now) {
  context.beginPath();
  if (label === 0) context.arc(0, 0, 3.2, 0, 2 * Math.PI);
  else if (label === 1) context.rect(-2.9, -2.9, 5.8, 5.8);
  else {
    context.moveTo(0, -3.8);
    context.lineTo(3.6, 2.8);
    context.lineTo(-3.6, 2.8);
    context.closePath();
  }
  const ink = css(CLASSES[now][label]);
  context.fillStyle = filled ? ink : css(PAPER[now]);
  context.strokeStyle = filled ? css(PAPER[now]) : ink;
  context.lineWidth = filled ? 0.8 : 1.5;
  context.fill();
  context.stroke();
}

function ring(context) {
  context.beginPath();
  context.arc(0, 0, 8, 0, 2 * Math.PI);
  context.strokeStyle = themed("--color-foreground-primary");
  context.lineWidth = 2.5;
  context.stroke();
}

/**
 * The loss of both parts over the steps: training drawn through, validation dashed.
 * @param {HTMLCanvasElement} canvas
 * @param {{step: number, loss: number[]}[]} history
 */
export function drawCurve(canvas, history) {
  const { context, width, height } = pen(canvas);
  const [left, right, top, bottom] = [34, width - 8, 8, height - 20];
  const finite = history.flatMap(({ loss }) => loss).filter(Number.isFinite);
  const highest = Math.max(...finite, 1e-9) * 1.05;
  const last = Math.max(history[history.length - 1].step, 1);
  const across = (step) => left + (step / last) * (right - left);
  const up = (loss) => bottom - (loss / highest) * (bottom - top);
  context.font = `11px ${themed("--font-stack") || "sans-serif"}`;
  context.strokeStyle = themed("--color-background-border");
  context.fillStyle = themed("--color-foreground-secondary");
  context.lineWidth = 1;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const tick of ticks(highest)) {
    context.beginPath();
    context.moveTo(left, up(tick));
    context.lineTo(right, up(tick));
    context.stroke();
    context.fillText(tick.toPrecision(2).replace(/\.?0+$/, "") || "0", left - 5, up(tick));
  }
  context.textBaseline = "top";
  context.fillText(`step ${last}`, right, bottom + 5);
  context.textAlign = "left";
  context.fillText("0", left, bottom + 5);
  const inks = CLASSES[theme()];
  [[], [5, 3]].forEach((dashes, part) => {
    context.beginPath();
    context.setLineDash(dashes);
    context.strokeStyle = css(inks[part]);
    context.lineWidth = 2;
    for (const { step, loss } of history) {
      if (Number.isFinite(loss[part])) context.lineTo(across(step), up(loss[part]));
    }
    context.stroke();
  });
}

/** Three to five round numbers from 0 up. @param {number} highest */
function ticks(highest) {
  const rough = highest / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([5, 2, 1].find((factor) => factor * power <= rough) ?? 1);
  return Array.from({ length: Math.floor(highest / step) + 1 }, (_, i) => i * step);
}

/**
 * Numbers as a small picture: 0 is the colour of the page, orange is negative, blue positive.
 * @param {HTMLCanvasElement} canvas
 * @param {Float32Array[]} rows
 * @param {number} largest  the size that has the full colour
 */
export function drawSigned(canvas, rows, largest) {
  const shades = SHADES[theme()];
  const flat = rows.flatMap((row) => [...row]);
  paint(canvas, rows.length, (place) => shades[Math.round(SHADES_EACH * (1 + (flat[place] / largest || 0)))]);
}

/**
 * The network from the inputs down to the classes: for each unit a picture of what it answers in the plane, for each
 * weight a line.
 * @param {HTMLCanvasElement} canvas
 * @param {{pictures: Float32Array[][][], weights: Float32Array[][]}} frame
 */
export function drawNetwork(canvas, { pictures, weights }) {
  canvas.style.height = `${pictures.length * (UNIT + GAP) - GAP}px`;
  const { context, width } = pen(canvas);
  const rows = pictures.map((layer, row) => unitPlaces(layer.length, row, width));
  weights.forEach((matrix, row) => drawLines(context, matrix, rows[row], rows[row + 1]));
  context.font = `11px ${themed("--font-stack") || "sans-serif"}`;
  context.fillStyle = themed("--color-foreground-secondary");
  context.textBaseline = "middle";
  pictures.forEach((layer, row) => {
    const name = row === 0 ? "inputs" : row === pictures.length - 1 ? "classes" : `layer ${row}`;
    context.fillText(name, 0, rows[row][0].top + UNIT / 2);
    drawUnits(context, layer, rows[row]);
  });
}

const [UNIT, GAP, MARGIN] = [40, 48, 52]; // of the network, in pixels

/** Where the units of a row lie, in the middle of the canvas. */
function unitPlaces(count, row, width) {
  const pitch = Math.min(UNIT + 8, (width - MARGIN) / count);
  const size = Math.min(UNIT, pitch * 0.88);
  const first = MARGIN + (width - MARGIN - count * pitch) / 2;
  const top = row * (UNIT + GAP);
  return Array.from({ length: count }, (_, i) => ({ left: first + i * pitch, top, size }));
}

/** A line for each weight, the stronger the larger it is. */
function drawLines(context, matrix, above, below) {
  const largest = Math.max(...matrix.flatMap((row) => [...row].map(Math.abs))) || 1;
  matrix.forEach((row, to) =>
    row.forEach((weight, from) => {
      const share = Math.abs(weight) / largest || 0;
      context.globalAlpha = 0.08 + 0.8 * share ** 2;
      context.lineWidth = 0.4 + 2.4 * share;
      context.strokeStyle = css(SIGNED[theme()][weight < 0 ? 0 : 1]);
      context.beginPath();
      const [start, end] = [above[from], below[to]];
      const [top, bottom] = [start.top + (UNIT + start.size) / 2, end.top + (UNIT - end.size) / 2];
      context.moveTo(start.left + start.size / 2, top);
      context.bezierCurveTo(start.left + start.size / 2, top + GAP / 2, end.left + end.size / 2, bottom - GAP / 2, end.left + end.size / 2, bottom);
      context.stroke();
    }),
  );
  context.globalAlpha = 1;
}

const scratch = document.createElement("canvas");

/** The pictures of a row; the strongest colour is its largest number. */
function drawUnits(context, layer, places) {
  const largest = Math.max(...layer.flatMap((rows) => rows.flatMap((row) => [...row].map(Math.abs)))) || 1;
  context.strokeStyle = themed("--color-foreground-muted");
  context.lineWidth = 1;
  layer.forEach((rows, i) => {
    const { left, top, size } = places[i];
    const down = top + (UNIT - size) / 2;
    drawSigned(scratch, rows, largest);
    context.drawImage(scratch, left, down, size, size);
    context.strokeRect(left + 0.5, down + 0.5, size - 1, size - 1);
  });
}

/** A digit, dark on light or light on dark. @param {HTMLCanvasElement} canvas @param {Float32Array[]} rows */
export function drawDigit(canvas, rows) {
  const now = theme();
  const flat = rows.flatMap((row) => [...row]);
  paint(canvas, rows.length, (place) => mix(PAPER[now], INK[now], flat[place]));
}

/**
 * Give a canvas as many pixels as there are numbers; the style sheet makes it larger.
 * @param {HTMLCanvasElement} canvas
 * @param {number} side
 * @param {(place: number) => number[]} colour
 */
function paint(canvas, side, colour) {
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const image = context.createImageData(side, side);
  for (let place = 0; place < side * side; place++) {
    const [red, green, blue] = colour(place);
    image.data.set([red, green, blue, 255], 4 * place);
  }
  context.putImageData(image, 0, 0);
}
