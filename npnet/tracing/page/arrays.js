// @ts-check
"use strict";

/**
 * An array of the trace. Of a large one only some places along some axes are here.
 * @typedef {object} Tensor
 * @property {number[]} shape          of the whole array
 * @property {(number[] | null)[]} places  by axis, which are here; null: all
 * @property {number[]} here           the shape of what is here
 * @property {Float32Array | Float64Array | Int32Array} data
 * @property {boolean} whole
 * @property {string} described        range, mean, zeros, NaN, in words
 */

const KINDS = { f4: Float32Array, f8: Float64Array, i4: Int32Array };

/**
 * Read all arrays: base64, then deflate, then the bytes of all numbers that are alike, first bytes first.
 * @param {string} base64
 * @param {any[]} headers  where each array stands, and what it is
 * @param {Record<string, number[]>} planes  where first bytes stand, second bytes, …
 * @returns {Promise<Tensor[]>}
 */
async function readArrays(base64, headers, planes) {
  const packed = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  /** @type {Tensor[]} */
  const tensors = [];
  for (const header of headers) {
    const places = header.places;
    const here = header.shape.map((size, axis) => (places && places[axis] ? places[axis].length : size));
    const Kind = KINDS[header.dtype];
    const data = new Kind(here.reduce((product, size) => product * size, 1));
    if ("rows" in header) {
      const rows = tensors[header.rows].data;
      const columns = tensors[header.columns].data;
      for (let i = 0; i < data.length; i++) // + 0: a sum has no −0
        data[i] = rows[Math.floor(i / columns.length)] * columns[i % columns.length] + 0;
    } else if ("gate" in header) {
      const behind = tensors[header.gate].data;
      const from = planes.gate[0] + header.at;
      for (let i = 0; i < data.length; i++) data[i] = bytes[from + i] ? behind[i] : 0;
    } else {
      const joined = new Uint8Array(data.buffer);
      const starts = planes["base" in header ? "base" : header.dtype];
      for (const [byte, start] of starts.entries())
        for (let i = 0; i < data.length; i++) joined[i * starts.length + byte] = bytes[start + header.at + i];
      if ("base" in header) addSteps(joined, /** @type {Float32Array} */ (tensors[header.base].data));
    }
    tensors.push({
      shape: header.shape,
      places: places || header.shape.map(() => null),
      here,
      data,
      whole: !places,
      described: header.described,
    });
  }
  return tensors;
}

/**
 * Go from each float32 of `base` as many floats further as `steps` says, and write the float there.
 * @param {Uint8Array} steps  the memory of as many int32
 * @param {Float32Array} base
 */
function addSteps(steps, base) {
  const bits = new Int32Array(steps.buffer);
  const from = new Int32Array(base.buffer);
  for (let i = 0; i < bits.length; i++) {
    const step = (bits[i] >>> 1) ^ -(bits[i] & 1); // 0, 1, 2, 3, 4 … stand for 0, −1, 1, −2, 2 …
    const place = ((from[i] < 0 ? -(2 ** 31) - from[i] : from[i]) + step) | 0;
    bits[i] = place < 0 ? -(2 ** 31) - place : place;
  }
}

/**
 * Return the place in `data` of an element, -1 if it is not here.
 * @param {Tensor} tensor
 * @param {number[]} index
 */
function placeOf(tensor, index) {
  let place = 0;
  for (let axis = 0; axis < index.length; axis++) {
    const places = tensor.places[axis];
    const here = places ? places.indexOf(index[axis]) : index[axis];
    if (here < 0) return -1;
    place = place * tensor.here[axis] + here;
  }
  return place;
}

/**
 * Return the index of the element at a place in `data`: the inverse of `placeOf`.
 * @param {Tensor} tensor
 * @param {number} place
 */
function indexOf(tensor, place) {
  const index = new Array(tensor.shape.length);
  for (let axis = index.length - 1; axis >= 0; axis--) {
    const here = place % tensor.here[axis];
    place = (place - here) / tensor.here[axis];
    const places = tensor.places[axis];
    index[axis] = places ? places[here] : here;
  }
  return index;
}

/**
 * Return an element, undefined if it is not here.
 * @param {Tensor} tensor
 * @param {number[]} index
 * @returns {number | undefined}
 */
function element(tensor, index) {
  const place = placeOf(tensor, index);
  return place < 0 ? undefined : tensor.data[place];
}

/**
 * Write an element, as "x[0,3]".
 * @param {string} name
 * @param {number[]} index
 */
const label = (name, index) => (index.length ? `${name}[${index.join(",")}]` : name);

/** @param {number[]} shape */
const shapeText = (shape) => (shape.length ? shape.join(" × ") : "one number");

/**
 * Write a number with as many digits as tell it from its neighbours of the same dtype.
 * @param {number} value
 * @param {boolean} single  whether it is float32
 */
function exact(value, single = true) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  for (let digits = 1; single && digits <= 9; digits++) {
    const fewer = Number(value.toPrecision(digits));
    if (Math.fround(fewer) === Math.fround(value)) return written(fewer);
  }
  return written(value);
}

/** Write a number, a small one with an exponent. @param {number} value */
function written(value) {
  const small = value !== 0 && Math.abs(value) < 1e-4;
  return (small ? value.toExponential() : String(value)).replace(/-/g, "−");
}

/**
 * Write a number to a few digits.
 * @param {number} value
 * @param {number} digits
 */
function short(value, digits = 4) {
  return Number.isFinite(value) ? written(Number(value.toPrecision(digits))) : exact(value);
}
