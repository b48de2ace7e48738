// @ts-check
"use strict";

// The terms of losses, as npnet/tracing/_loss_terms.py has them.

/** The factor of a mean; none of a sum. */
const share = (o) => (o.settings.m === undefined ? [] : [constant("1/m", 1 / o.settings.m)]);
const without = (index, axis) => index.filter((_, d) => d !== axis);
const within = (position, axis, c) => [...position.slice(0, axis), c, ...position.slice(axis)];

/** @param {Factors} o @param {string} name @param {number[]} index */
function* crossEntropy(o, name, index) {
  const { axis } = o.settings;
  const shape = o.shape("x");
  if (name === "y") {
    for (const position of indices(without(shape, axis)))
      for (let c = 0; c < shape[axis]; c++) {
        const q = wanted(o, position, c);
        if (q.value) yield [MINUS, ...share(o), q, logProbability(o, position, c)];
      }
    return;
  }
  const position = without(index, axis);
  const all = range(0, shape[axis]).map((c) => wanted(o, position, c));
  const counted = all.reduce((sum, q) => sum + q.value, 0);
  const weights = Math.abs(counted - 1) < 1e-9 ? [] : [constant("Σq", counted)];
  if (!counted) {
    o.note = "this target is ignored";
    return;
  }
  const log = logProbability(o, position, index[axis]);
  const p = { label: label("p", index), value: Math.exp(log.value), tensor: "x", index };
  yield [o.at("grad_y", []), ...share(o), ...weights, p];
  yield [o.at("grad_y", []), ...share(o), MINUS, all[index[axis]]];
}

/** q: what the target wants the probability of a class to be, with weights and smoothing. @returns {Factor} */
function wanted(o, position, c) {
  const { axis, ignore_index: ignored, label_smoothing: smoothing } = o.settings;
  const place = within(position, axis, c);
  const soft = o.shape("target").length === o.shape("x").length;
  const where = soft ? place : position;
  const target = o.value("target", where);
  let q = 0;
  if (soft || target !== ignored) {
    q = (1 - smoothing) * (soft ? target : Number(target === c)) + smoothing / o.shape("x")[axis];
    if (o.has("weight")) q *= o.value("weight", [c]);
  }
  return { label: label("q", place), value: q, tensor: "target", index: where };
}

/** @returns {Factor} */
function logProbability(o, position, c) {
  const place = within(position, o.settings.axis, c);
  const { largest, total } = exponentials(o, place);
  return o.from("x", place, `log ${label("p", place)}`, (x) => x - largest - Math.log(total));
}

/** @param {Factors} o @param {string} name @param {number[]} index */
function* nllLoss(o, name, index) {
  const { axis, ignore_index: ignored } = o.settings;
  const weight = (c) => (o.has("weight") ? [o.at("weight", [c])] : []);
  if (name === "y") {
    for (const position of indices(without(o.shape("x"), axis))) {
      const c = o.value("target", position);
      if (c !== ignored) yield [MINUS, ...share(o), ...weight(c), o.at("x", within(position, axis, c))];
    }
    return;
  }
  const c = index[axis];
  const target = o.value("target", without(index, axis));
  if (target === c && c !== ignored) yield [MINUS, ...share(o), ...weight(c), o.at("grad_y", [])];
  else o.note = "this class is not the target";
}

/** @param {Factors} o @param {string} name @param {number[]} index */
function* mseLoss(o, name, index) {
  const difference = (place) =>
    o.from(
      "x",
      place,
      `(${label("x", place)} − ${label("target", place)})`,
      (x) => x - o.value("target", place),
    );
  if (name === "y")
    for (const place of indices(o.shape("x"))) yield [...share(o), difference(place), difference(place)];
  else {
    const { m } = o.settings;
    yield [
      o.at("grad_y", []),
      m === undefined ? constant("2", 2) : constant("2/m", 2 / m),
      difference(index),
    ];
  }
}

/** The element of a weight that is broadcast to the shape of x; nothing if it is absent. */
function weightAt(o, name, index) {
  if (!o.has(name)) return [];
  const shape = o.shape(name);
  const own = index.slice(index.length - shape.length).map((i, axis) => (shape[axis] === 1 ? 0 : i));
  return [o.at(name, own)];
}

/** @param {Factors} o @param {string} name @param {number[]} index */
function* binary(o, name, index) {
  const cutOff = (x) => -Math.max(Math.log(x), -100);
  if (name === "y") {
    for (const place of indices(o.shape("x"))) {
      const x = label("x", place);
      const up = [...share(o), ...weightAt(o, "weight", place)];
      const unwanted = o.from("target", place, `(1 − ${label("target", place)})`, (t) => 1 - t);
      yield [...up, o.at("target", place), o.from("x", place, `−log ${x}`, cutOff)];
      yield [...up, unwanted, o.from("x", place, `−log(1 − ${x})`, (value) => cutOff(1 - value))];
    }
    return;
  }
  const x = label("x", index);
  const value = o.value("x", index);
  if (value === 0 || value === 1)
    o.note = "an edge: the logarithm is cut off at −100, the denominator at 1e−12";
  const difference = o.from(
    "x",
    index,
    `(${x} − ${label("target", index)})`,
    (p) => p - o.value("target", index),
  );
  const slope = o.from("x", index, `1/(${x} · (1 − ${x}))`, (p) => 1 / Math.max(p * (1 - p), 1e-12));
  yield [o.at("grad_y", []), ...share(o), ...weightAt(o, "weight", index), difference, slope];
}

/** @param {Factors} o @param {string} name @param {number[]} index */
function* binaryWithLogits(o, name, index) {
  const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
  for (const place of name === "y" ? indices(o.shape("x")) : [index]) {
    const x = label("x", place);
    const up = [...(name === "y" ? [] : [o.at("grad_y", [])]), ...share(o), ...weightAt(o, "weight", place)];
    const positive = weightAt(o, "pos_weight", place);
    const target = o.at("target", place);
    const unwanted = o.from("target", place, `(1 − ${target.label})`, (t) => 1 - t);
    if (name === "y") {
      yield [...up, unwanted, o.from("x", place, `log(1 + e^${x})`, softplus)];
      yield [...up, ...positive, target, o.from("x", place, `log(1 + e^−${x})`, (value) => softplus(-value))];
    } else {
      yield [...up, unwanted, o.from("x", place, `σ(${x})`, sigma)];
      yield [...up, MINUS, ...positive, target, o.from("x", place, `σ(−${x})`, (value) => sigma(-value))];
    }
  }
}
