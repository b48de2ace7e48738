// @ts-check
"use strict";

/**
 * The terms of layers, as npnet/tracing/_layer_terms.py has them. A rule takes an operation, the name of a result
 * and the index of an element, and yields terms, which are products of factors.
 *
 * @typedef {{label: string, value: number | undefined, tensor?: string, index?: number[]}} Factor
 * @typedef {{label: string, element: number, terms: Factor[][], values: number[], total: number, note: string,
 *            missing: number, decisive: {tensor: string, index: number[]}[]}} Sum
 */

/** An operation's arrays as factors, and what is to be said of the element. */
class Factors {
  /** @param {any} operation */
  constructor(operation) {
    this.tensors = operation.tensors;
    this.settings = operation.settings;
    this.note = "";
    /** @type {{tensor: string, index: number[]}[]} elements that decide without being a factor */
    this.decisive = [];
  }

  /** @param {string} name */
  has(name) {
    return name in this.tensors;
  }

  /** @param {string} name @returns {number[]} */
  shape(name) {
    return this.tensors[name].shape;
  }

  /** @param {string} name @param {number[]} index @returns {number | undefined} */
  value(name, index) {
    return element(this.tensors[name], index);
  }

  /** @param {string} name @param {number[]} index @returns {Factor} */
  at(name, index) {
    return { label: label(name, index), value: this.value(name, index), tensor: name, index };
  }

  /** A number that follows from an element. @returns {Factor} */
  from(name, index, text, f) {
    const value = this.value(name, index);
    return { label: text, value: value === undefined ? undefined : f(value), tensor: name, index };
  }
}

/** @param {string} text @param {number | undefined} value @returns {Factor} */
const constant = (text, value) => ({ label: text, value });
const MINUS = constant("−1", -1);

/** All indices of a shape, in row-major order. @param {number[]} shape */
function* indices(shape) {
  const count = shape.reduce((product, size) => product * size, 1);
  for (let place = 0; place < count; place++) {
    const index = new Array(shape.length);
    for (let axis = shape.length - 1, rest = place; axis >= 0; axis--) {
      index[axis] = rest % shape[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    yield index;
  }
}

/** @param {number} from @param {number} to */
const range = (from, to) => Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);

// ---- sums of products ----------------------------------------------------------------------------------

/** @param {Factors} o @param {string} name @param {number[]} index */
function* linear(o, name, index) {
  const [outs, ins] = o.shape("weight");
  const n = index.slice(0, -1);
  const last = index[index.length - 1];
  if (name === "y") {
    for (let i = 0; i < ins; i++) yield [o.at("x", [...n, i]), o.at("weight", [last, i])];
    if (o.has("bias")) yield [o.at("bias", [last])];
  } else if (name === "grad_x") {
    for (let out = 0; out < outs; out++) yield [o.at("grad_y", [...n, out]), o.at("weight", [out, last])];
  } else {
    for (const row of indices(o.shape("x").slice(0, -1)))
      if (name === "grad_weight") yield [o.at("grad_y", [...row, index[0]]), o.at("x", [...row, last])];
      else yield [o.at("grad_y", [...row, ...index])];
  }
}

/** @param {Factors} o @param {string} name @param {number[]} index */
function* conv2d(o, name, index) {
  const [outs, perGroup, ...kernel] = o.shape("weight");
  const outsPerGroup = outs / o.settings.groups;
  const [c, i, j] = index.slice(-3);
  const n = index.slice(0, -3);
  if (name === "y") {
    const first = Math.floor(c / outsPerGroup) * perGroup;
    for (const [channel, ...cell] of indices([perGroup, ...kernel])) {
      const pixel = pixelUnder(o, [i, j], cell);
      if (pixel) yield [o.at("x", [...n, first + channel, ...pixel]), o.at("weight", [c, channel, ...cell])];
    }
    if (o.has("bias")) yield [o.at("bias", [c])];
  } else if (name === "grad_x") {
    const first = Math.floor(c / perGroup) * outsPerGroup;
    for (const [out, ...cell] of indices([outsPerGroup, ...kernel])) {
      const place = placeOver(o, [i, j], cell);
      if (place)
        yield [
          o.at("grad_y", [...n, first + out, ...place]),
          o.at("weight", [first + out, c % perGroup, ...cell]),
        ];
    }
  } else {
    const [out, channel, ...cell] = index;
    const first = Math.floor(out / outsPerGroup) * perGroup;
    for (const batch of indices(o.shape("x").slice(0, -3)))
      for (const place of indices(o.shape("y").slice(-2))) {
        const upstream = o.at("grad_y", [...batch, out, ...place]);
        if (name === "grad_bias") yield [upstream];
        else {
          const pixel = pixelUnder(o, place, cell);
          if (pixel) yield [upstream, o.at("x", [...batch, first + channel, ...pixel])];
        }
      }
  }
}

/** The pixel under a cell of the window at a place; null on the border. */
function pixelUnder(o, place, cell) {
  const { stride, dilation, padding } = o.settings;
  const pixel = [0, 1].map((d) => place[d] * stride[d] + cell[d] * dilation[d] - padding[d]);
  const size = o.shape("x").slice(-2);
  return pixel.every((p, d) => p >= 0 && p < size[d]) ? pixel : null;
}

/** The place of the window whose cell is on a pixel; null if it never is. */
function placeOver(o, pixel, cell) {
  const { stride, dilation, padding } = o.settings;
  const place = [0, 1].map((d) => (pixel[d] + padding[d] - cell[d] * dilation[d]) / stride[d]);
  const size = o.shape("y").slice(-2);
  return place.every((p, d) => Number.isInteger(p) && p >= 0 && p < size[d]) ? place : null;
}

// ---- pooling -------------------------------------------------------------------------------------------

/** @param {Factors} o @param {string} name @param {number[]} index */
function* maxPool2d(o, name, index) {
  const channel = index.slice(0, -2);
  const here = index.slice(-2);
  if (name === "y") {
    const { winner, ties } = winnerOf(o, channel, here);
    for (const cell of indices(o.settings.kernel)) {
      const pixel = pixelUnder(o, here, cell);
      if (pixel) o.decisive.push({ tensor: "x", index: [...channel, ...pixel] });
    }
    if (ties)
      o.note = `a tie: ${ties === 1 ? "another x is" : `${ties} others are`} as large, and the first in reading order is chosen`;
    yield [o.at("x", [...channel, ...winner])];
    return;
  }
  const places = [];
  for (const cell of indices(o.settings.kernel)) {
    const place = placeOver(o, here, cell);
    if (place) places.push(place);
  }
  places.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let lost = 0;
  let tied = 0;
  for (const place of places) {
    const { winner, ties } = winnerOf(o, channel, place);
    o.decisive.push({ tensor: "x", index: [...channel, ...winner] });
    if (winner[0] === here[0] && winner[1] === here[1]) {
      tied += Number(ties > 0);
      yield [o.at("grad_y", [...channel, ...place])];
    } else lost++;
  }
  if (lost)
    o.note = `under ${lost === 1 ? "one window" : `${lost} windows`} another x was larger, and takes the whole gradient`;
  else if (tied)
    o.note = "a tie: others are as large, and the first in reading order takes the whole gradient";
  else if (!places.length) o.note = "no window covers this x";
}

/** The pixel a window chose, and how many others are as large. */
function winnerOf(o, channel, place) {
  let winner = [-1, -1];
  let largest = NaN;
  const values = [];
  for (const cell of indices(o.settings.kernel)) {
    const pixel = pixelUnder(o, place, cell);
    if (!pixel) continue;
    const value = o.value("x", [...channel, ...pixel]);
    if (!values.length || value > largest || Number.isNaN(value)) [winner, largest] = [pixel, value];
    values.push(value);
  }
  return { winner, ties: values.filter((value) => value === largest).length - 1 };
}

/**
 * The places in x that stand at a kink, or share the largest value of a window: a rule decides there.
 * @param {any} operation
 * @returns {Set<number>}
 */
function tiesOf({ kind, tensors, settings }) {
  /** @type {Set<number>} */
  const tied = new Set();
  const { x, y } = tensors;
  if (kind === "relu" || kind === "leaky_relu")
    x.data.forEach((value, place) => value === 0 && tied.add(place));
  if (kind !== "max_pool2d" || !y) return tied;
  const o = new Factors({ tensors, settings });
  for (const place of y.data.keys()) {
    const [channel, window] = [indexOf(y, place).slice(0, -2), indexOf(y, place).slice(-2)];
    const { winner, ties } = winnerOf(o, channel, window);
    if (ties < 1) continue;
    for (const cell of indices(settings.kernel)) {
      const pixel = pixelUnder(o, window, cell);
      if (pixel && o.value("x", [...channel, ...pixel]) === o.value("x", [...channel, ...winner]))
        tied.add(placeOf(x, [...channel, ...pixel]));
    }
  }
  return tied;
}

/** @param {Factors} o @param {string} name @param {number[]} index */
function* average(o, name, index) {
  const { rows, columns, divisor } = o.settings;
  const channel = index.slice(0, -2);
  const [i, j] = index.slice(-2);
  if (name === "y") {
    const share = constant("1/m", 1 / divisor[i][j]);
    for (const h of range(rows[i][0], rows[i][1]))
      for (const w of range(columns[j][0], columns[j][1])) yield [share, o.at("x", [...channel, h, w])];
    return;
  }
  for (const [r, row] of rows.entries())
    for (const [c, column] of columns.entries())
      if (row[0] <= i && i < row[1] && column[0] <= j && j < column[1])
        yield [constant("1/m", 1 / divisor[r][c]), o.at("grad_y", [...channel, r, c])];
}

// ---- elementwise ---------------------------------------------------------------------------------------

/** @param {Factors} o @param {string} name @param {number[]} index */
function* relu(o, name, index) {
  const x = o.value("x", index);
  o.decisive.push({ tensor: "x", index });
  const open = !(x <= 0); // NaN passes
  if (x === 0) o.note = "a kink: at x = 0 the slope is taken to be 0";
  else if (!open) o.note = "x < 0: the gate is shut";
  if (open)
    yield [
      o.at(name === "y" ? "x" : "grad_y", index),
      o.from("x", index, `[${label("x", index)} > 0]`, () => 1),
    ];
}

/** @param {Factors} o @param {string} name @param {number[]} index */
function* leakyRelu(o, name, index) {
  if (o.value("x", index) === 0) o.note = "a kink: at x = 0 the slope of the negative side is taken";
  const slope = o.from("x", index, `slope(${label("x", index)})`, (x) => (x <= 0 ? o.settings.slope : 1));
  yield [o.at(name === "y" ? "x" : "grad_y", index), slope];
}

/** @param {Factors} o @param {string} name @param {number[]} index */
function* hyperbolic(o, name, index) {
  if (name === "y") yield [o.from("x", index, `tanh(${label("x", index)})`, Math.tanh)];
  else yield [o.at("grad_y", index), o.from("y", index, `(1 − ${label("y", index)}²)`, (y) => 1 - y * y)];
}

/** @param {Factors} o @param {string} name @param {number[]} index */
function* sigmoid(o, name, index) {
  if (name === "y") yield [o.from("x", index, `σ(${label("x", index)})`, sigma)];
  else
    yield [
      o.at("grad_y", index),
      o.at("y", index),
      o.from("y", index, `(1 − ${label("y", index)})`, (y) => 1 - y),
    ];
}

/** @param {number} x */
const sigma = (x) => 1 / (1 + Math.exp(-x));

/** @param {Factors} o @param {string} name @param {number[]} index */
function* softplus(o, name, index) {
  const { beta, threshold } = o.settings;
  const smooth = (/** @type {number} */ x) => Math.log1p(Math.exp(beta * x)) / beta;
  if (beta * o.value("x", index) > threshold) {
    o.note = "β·x is above the threshold: y = x";
    yield [o.at(name === "y" ? "x" : "grad_y", index)];
  } else if (name === "y")
    yield [o.from("x", index, `log(1 + e^(β·${label("x", index)})) / β`, smooth)];
  else
    yield [
      o.at("grad_y", index),
      o.from("y", index, `(1 − e^(−β·${label("y", index)}))`, (y) => -Math.expm1(-beta * y)),
    ];
}

/** @param {Factors} o @param {string} name @param {number[]} index */
function* dropout(o, name, index) {
  if (o.value("factor", index) === 0) o.note = "this element was dropped";
  yield [o.at(name === "y" ? "x" : "grad_y", index), o.at("factor", index)];
}

/** @param {Factors} o @param {string} name @param {number[]} index */
function* reshape(o, name, index) {
  const [source, result] = name === "y" ? ["x", "y"] : ["grad_y", "x"];
  let flat = index.reduce((sum, i, axis) => sum * o.shape(result)[axis] + i, 0);
  const place = [];
  for (const size of [...o.shape(source)].reverse()) {
    place.unshift(flat % size);
    flat = Math.floor(flat / size);
  }
  yield [o.at(source, place)];
}

/** @param {Factors} o @param {string} name @param {number[]} index */
function* split(o, name, index) {
  if (name === "y") yield [o.at("x", index)];
  else for (const branch of ["grad_body", "grad_shortcut"]) if (o.has(branch)) yield [o.at(branch, index)];
}

/** @param {Factors} o @param {string} name @param {number[]} index */
function* add(o, name, index) {
  for (const each of name === "y" ? ["body", "shortcut"] : ["grad_y"]) yield [o.at(each, index)];
}

// ---- along an axis -------------------------------------------------------------------------------------

/** The indices along the axis that an element's probabilities sum to 1 on. */
function line(o, index) {
  if (!index.length) return [index];
  const { axis } = o.settings;
  return range(0, o.shape("x")[axis]).map((i) => index.map((own, d) => (d === axis ? i : own)));
}

/** The maximum along the line, and the sum of exponentials less it. */
function exponentials(o, index) {
  const values = line(o, index).map((place) => o.value("x", place));
  const largest = values.reduce((most, value) => Math.max(most, value), -Infinity);
  return { largest, total: values.reduce((sum, value) => sum + Math.exp(value - largest), 0) };
}

/** @param {Factors} o @param {string} name @param {number[]} index */
function* softmax(o, name, index) {
  if (name === "y") {
    const { largest, total } = exponentials(o, index);
    yield [
      o.from("x", index, `e^(${label("x", index)} − max)`, (x) => Math.exp(x - largest)),
      constant("1/Σe^(x − max)", 1 / total),
    ];
    return;
  }
  const y = o.at("y", index);
  yield [y, o.at("grad_y", index)];
  for (const i of line(o, index)) yield [MINUS, y, o.at("y", i), o.at("grad_y", i)];
}

/** @param {Factors} o @param {string} name @param {number[]} index */
function* logSoftmax(o, name, index) {
  if (name === "y") {
    const { largest, total } = exponentials(o, index);
    yield [o.at("x", index)];
    yield [constant("−max", -largest)];
    yield [constant("−log Σe^(x − max)", -Math.log(total))];
    return;
  }
  const power = o.from("y", index, `−e^${label("y", index)}`, (y) => -Math.exp(y));
  yield [o.at("grad_y", index)];
  for (const i of line(o, index)) yield [power, o.at("grad_y", i)];
}

/** @param {Factors} o @param {string} name @param {number[]} index */
function* batchNorm(o, name, index) {
  const c = name === "grad_weight" || name === "grad_bias" ? index[0] : index[1];
  const { training, eps } = o.settings;
  const said = training ? "" : "running_";
  const mean = o.value(`${said}mean`, [c]);
  const deviation = Math.sqrt(o.value(`${said}var`, [c]) + eps);
  const hat = (place) => o.from("x", place, label("x̂", place), (x) => (x - mean) / deviation);
  const gamma = o.has("weight") ? [o.at("weight", [c])] : [];
  const [size, , ...rest] = o.shape("x");
  const places = [...indices([size, ...rest])].map(([n, ...spatial]) => [n, c, ...spatial]);
  if (name === "y") {
    yield [...gamma, hat(index)];
    if (o.has("bias")) yield [o.at("bias", [c])];
  } else if (name === "grad_bias") for (const place of places) yield [o.at("grad_y", place)];
  else if (name === "grad_weight") for (const place of places) yield [o.at("grad_y", place), hat(place)];
  else {
    const scale = [...gamma, o.from(`${said}var`, [c], `1/√(${said}var[${c}] + ε)`, () => 1 / deviation)];
    yield [...scale, o.at("grad_y", index)];
    if (!training) return;
    const meanOf = (f) => places.reduce((sum, place) => sum + f(place), 0) / places.length;
    const plain = meanOf((place) => o.value("grad_y", place));
    const along = meanOf((place) => o.value("grad_y", place) * hat(place).value);
    yield [...scale, constant("−mean(grad_y)", -plain)];
    yield [...scale, hat(index), constant("−mean(grad_y · x̂)", -along)];
  }
}
