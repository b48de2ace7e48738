// @ts-check
"use strict";

/**
 * A tensor as a picture: a grid of tiles, each a small matrix. An image or a feature map is a tile, so is a
 * kernel; a long row of weights is folded into one.
 * @typedef {{rows: number, columns: number, tiles: number, across: number}} Tiling
 */

const WIDEST_ROW = 64;

/** @param {number[]} shape @returns {Tiling} */
function tilingOf(shape) {
  if (shape.length === 0) return { rows: 1, columns: 1, tiles: 1, across: 1 };
  if (shape.length === 1) return { ...folded(shape[0]), tiles: 1, across: 1 };
  if (shape.length === 2) {
    const [rows, columns] = shape;
    if (rows === 1) return { ...folded(columns), tiles: 1, across: 1 };
    if (columns <= WIDEST_ROW) return { rows, columns, tiles: 1, across: 1 };
    return { ...folded(columns), tiles: rows, across: acrossFor(rows, folded(columns)) };
  }
  const [rows, columns] = shape.slice(-2);
  const tiles = shape.slice(0, -2).reduce((product, size) => product * size, 1);
  const last = shape[shape.length - 3];
  const across = last > 1 && last < tiles && last <= 32 ? last : acrossFor(tiles, { rows, columns });
  return { rows, columns, tiles, across };
}

/** Fold a long row into a matrix that is nearly square. @param {number} length */
function folded(length) {
  if (length <= 32) return { rows: 1, columns: length };
  let columns = Math.ceil(Math.sqrt(length));
  while (columns <= 2 * Math.sqrt(length) && length % columns) columns++;
  if (length % columns) columns = 32;
  return { rows: Math.ceil(length / columns), columns };
}

/** How many tiles side by side make a picture about twice as wide as high. */
function acrossFor(tiles, { rows, columns }) {
  return Math.max(1, Math.min(tiles, Math.ceil(Math.sqrt((2 * tiles * rows) / columns))));
}

/** Colours from −1 through 0 to 1, told apart in every kind of colour vision; a dash marks what is negative. */
const COLOURS = {
  light: [
    [166, 80, 0],
    [236, 160, 74],
    [246, 245, 242],
    [124, 158, 217],
    [22, 66, 148],
  ],
  dark: [
    [255, 170, 66],
    [165, 96, 24],
    [33, 36, 42],
    [52, 92, 160],
    [140, 186, 255],
  ],
};

/**
 * The colour of a number. Small ones are brought out a little: strength goes with |value| to the power 0.7.
 * @param {number} value  from −1 to 1
 * @param {"light" | "dark"} theme
 */
function colour(value, theme) {
  const stops = COLOURS[theme];
  const strength = Math.sign(value) * Math.min(1, Math.abs(value)) ** 0.7;
  const place = Math.min(3.999, (strength + 1) * 2);
  const [from, to] = [stops[Math.floor(place)], stops[Math.floor(place) + 1]];
  return `rgb(${from.map((channel, k) => Math.round(channel + (to[k] - channel) * (place % 1))).join(" ")})`;
}

const themeNow = () =>
  matchMedia("(prefers-color-scheme: dark)").matches && !matchMedia("print").matches ? "dark" : "light";

const INK = { light: "#15171a", dark: "#f2f3f5" };

/** The colour of writing on a cell: on a strong colour the other theme's. */
function inkOn(value, theme, dim) {
  const strong = Math.abs(value) > 0.45 && !dim;
  return (theme === "dark") === strong ? INK.light : INK.dark;
}

/** The largest finite size of an element. @param {Tensor["data"]} data */
function largestOf(data) {
  let largest = 0;
  for (const value of data)
    if (Number.isFinite(value) && Math.abs(value) > largest) largest = Math.abs(value);
  return largest;
}

/** One heat map: drawing, pointing at cells with mouse or keyboard, lighting some up. */
class HeatMap {
  /**
   * @param {string} name
   * @param {Tensor} tensor
   * @param {Set<number>} tied  places that have a ring
   * @param {{point: (index: number[] | null) => void, choose: (index: number[], byKey: boolean) => void}} listener
   */
  constructor(name, tensor, tied, listener) {
    this.name = name;
    this.tensor = tensor;
    this.tied = tied;
    this.data = tensor.data; // or those of another engine, or the difference
    this.listener = listener;
    this.tiling = tilingOf(tensor.here);
    this.cursor = -1;
    this.chosen = -1;
    /** @type {Set<number>} */
    this.lit = new Set();
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-roledescription", "heat map");
    this.canvas.setAttribute(
      "aria-label",
      `${name}, ${shapeText(tensor.shape)}, ${tensor.described}. Arrow keys read the values, Enter explains one.`,
    );
    this.canvas.addEventListener("pointermove", (event) => this.point(this.cellAt(event)));
    this.canvas.addEventListener("pointerleave", () => this.point(-1));
    this.canvas.addEventListener("click", (event) => this.choose(this.cellAt(event), false));
    this.canvas.addEventListener("keydown", (event) => this.onKey(event));
    this.canvas.addEventListener(
      "focus",
      () => this.cursor < 0 && this.canvas.matches(":focus-visible") && this.point(Math.max(0, this.chosen)),
    );
    this.canvas.addEventListener("blur", () => this.point(-1));
  }

  /** Choose the size of a cell for a width, and draw. @param {number} width @param {number} height */
  fit(width, height) {
    const { rows, columns, tiles, across } = this.tiling;
    const down = Math.ceil(tiles / across);
    this.gap = tiles > 1 ? 4 : 0;
    const room = (size, cells, gaps) => Math.floor((size - gaps * this.gap) / cells);
    const most = tiles * rows * columns <= 64 ? 46 : 24;
    const size = Math.min(
      room(width, across * columns, across - 1),
      room(height, down * rows, down - 1),
      most,
    );
    this.size = Math.max(size, rows * columns * tiles > 4096 ? 2 : 4, Math.min(most, 4));
    this.width = across * columns * this.size + (across - 1) * this.gap;
    this.height = down * rows * this.size + (down - 1) * this.gap;
    this.canvas.style.width = `${this.width}px`;
    this.canvas.style.height = `${this.height}px`;
    this.draw();
  }

  /** Where the cell of an element is drawn. @param {number} place @returns {[number, number]} */
  corner(place) {
    const { rows, columns, across } = this.tiling;
    const tile = Math.floor(place / (rows * columns));
    const within = place % (rows * columns);
    const x = (tile % across) * (columns * this.size + this.gap) + (within % columns) * this.size;
    const y =
      Math.floor(tile / across) * (rows * this.size + this.gap) + Math.floor(within / columns) * this.size;
    return [x, y];
  }

  /** @param {MouseEvent} event @returns {number}  −1 between tiles */
  cellAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const { rows, columns, tiles, across } = this.tiling;
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const [wide, high] = [columns * this.size + this.gap, rows * this.size + this.gap];
    const [tileX, tileY] = [Math.floor(x / wide), Math.floor(y / high)];
    const [column, row] = [
      Math.floor((x - tileX * wide) / this.size),
      Math.floor((y - tileY * high) / this.size),
    ];
    const tile = tileY * across + tileX;
    if (x < 0 || y < 0 || column >= columns || row >= rows || tileX >= across || tile >= tiles) return -1;
    const place = tile * rows * columns + row * columns + column;
    return place < this.data.length ? place : -1;
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const { rows, columns, across, tiles } = this.tiling;
    if (!this.data.length) return;
    const start = Math.max(0, this.cursor);
    const tile = rows * columns;
    const moves = { ArrowRight: 1, ArrowLeft: -1, PageDown: tile, PageUp: -tile };
    let to = start + (moves[event.key] || 0);
    const row = Math.floor((start % tile) / columns);
    if (event.key === "ArrowDown")
      to = row < rows - 1 ? start + columns : start + (across < tiles ? across * tile - row * columns : 0);
    if (event.key === "ArrowUp")
      to = row > 0 ? start - columns : start - (across < tiles ? across * tile - (rows - 1) * columns : 0);
    if (event.key === "Home") to = 0;
    if (event.key === "End") to = this.data.length - 1;
    if (event.key === "Enter" || event.key === " ") this.choose(start, true);
    else if (!(event.key in moves) && !["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key)) return;
    else this.point(Math.max(0, Math.min(this.data.length - 1, to)));
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {number} place */
  point(place) {
    if (place === this.cursor) return;
    this.cursor = place;
    this.listener.point(place < 0 ? null : indexOf(this.tensor, place));
    this.paint();
  }

  /** @param {number} place @param {boolean} byKey */
  choose(place, byKey) {
    if (place >= 0) this.listener.choose(indexOf(this.tensor, place), byKey);
  }

  /** Draw all cells; the outlines that come and go are drawn over a copy of that. */
  draw() {
    if (!this.data.length) return; // the array of an empty minibatch
    const scale = window.devicePixelRatio || 1;
    this.cells = document.createElement("canvas");
    for (const canvas of [this.cells, this.canvas]) {
      canvas.width = Math.round(this.width * scale);
      canvas.height = Math.round(this.height * scale);
    }
    const pen = this.cells.getContext("2d");
    if (!pen) return;
    pen.scale(scale, scale);
    const theme = themeNow();
    const largest = largestOf(this.data) || 1;
    const inner = this.inner();
    for (let place = 0; place < this.data.length; place++) {
      const [x, y] = this.corner(place);
      const value = this.data[place];
      const dim = this.lit.size > 0 && !this.lit.has(place) && place !== this.chosen;
      pen.globalAlpha = dim ? 0.38 : 1;
      if (Number.isFinite(value)) {
        pen.fillStyle = colour(value / largest, theme);
        pen.fillRect(x, y, inner, inner);
        if (value < 0 && this.size >= 9 && this.size < 40) {
          pen.fillStyle = inkOn(value / largest, theme, dim);
          pen.fillRect(x + inner * 0.32, y + inner / 2 - 0.5, inner * 0.36, 1);
        }
      } else this.drawNoNumber(pen, x, y, inner, value);
      pen.globalAlpha = dim ? 0.7 : 1;
      const ink = inkOn(value / largest, theme, dim);
      if (this.size >= 40) this.drawNumber(pen, x, y, inner, value, ink);
      if (this.tied.has(place)) this.drawRing(pen, x, y, inner, ink);
    }
    pen.globalAlpha = 1;
    pen.strokeStyle = INK[theme];
    if (this.size >= 6 && this.lit.size < 4000) for (const place of this.lit) this.outline(pen, place, inner);
    this.paint();
  }

  /** Show the cells, with the chosen one and the one pointed at outlined. */
  paint() {
    const pen = this.canvas.getContext("2d");
    if (!pen || !this.cells || !this.data.length) return;
    const scale = window.devicePixelRatio || 1;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    pen.drawImage(this.cells, 0, 0);
    pen.scale(scale, scale);
    pen.lineWidth = 2;
    pen.strokeStyle = themeNow() === "dark" ? "#ff8f80" : "#c8102e";
    if (this.chosen >= 0) this.outline(pen, this.chosen, this.inner());
    pen.strokeStyle = INK[themeNow()];
    if (this.cursor >= 0) this.outline(pen, this.cursor, this.inner());
  }

  /** The size of a cell without the line between cells. */
  inner() {
    return this.size > 5 ? this.size - 1 : this.size;
  }

  /** NaN and ∞ are no colour of the scale: crossed out, with their sign. */
  drawNoNumber(pen, x, y, inner, value) {
    pen.fillStyle = "#d6006c";
    pen.fillRect(x, y, inner, inner);
    pen.strokeStyle = "#fff";
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(x, y);
    pen.lineTo(x + inner, y + inner);
    if (Number.isNaN(value)) {
      pen.moveTo(x + inner, y);
      pen.lineTo(x, y + inner);
    }
    pen.stroke();
  }

  /** A ring in the corner, where it leaves room for the number. */
  drawRing(pen, x, y, inner, ink) {
    const radius = Math.max(1, Math.min(4, inner * 0.2));
    pen.strokeStyle = ink;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.arc(x + inner - radius - 1, y + radius + 1, radius, 0, 2 * Math.PI);
    pen.stroke();
  }

  drawNumber(pen, x, y, inner, value, ink) {
    pen.fillStyle = Number.isFinite(value) ? ink : "#fff";
    pen.font = "11px ui-sans-serif, system-ui, sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText(short(value, 2), x + inner / 2, y + inner / 2, inner - 4);
  }

  outline(pen, place, inner) {
    const [x, y] = this.corner(place);
    pen.strokeRect(x + 0.5, y + 0.5, inner - 1, inner - 1);
  }
}
