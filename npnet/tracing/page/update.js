// @ts-check
"use strict";

/**
 * The optimizer's step of an element, worked out as npnet/tracing/_formula.py does: each operation is rounded to
 * the precision of the array's elements in it.
 *
 * @typedef {{value: number, bits: 0 | 32 | 64, tensor?: string}} Amount  of a setting, bits are 0
 * @typedef {{says: string, text: string, before: Record<string, Amount>} & Amount} UpdateLine
 */

const OPERATORS = {
  "+": (a, b) => a + b,
  "−": (a, b) => a - b,
  "·": (a, b) => a * b,
  "/": (a, b) => (b === 0 ? 0 : a / b),
  "^": Math.pow,
  "√": Math.sqrt,
  neg: (a) => -a,
  max: Math.max,
  min: Math.min,
  abs: Math.abs,
  sign: Math.sign,
};

/** Work an equation out. @returns {Amount} */
function evaluated(tree, values) {
  if (typeof tree === "number") return { value: tree, bits: 0 };
  if (typeof tree === "string") return values[tree];
  const operands = tree.slice(1).map((operand) => evaluated(operand, values));
  const bits = Math.max(...operands.map((operand) => operand.bits));
  const round = bits === 32 ? Math.fround : Number;
  return { value: round(OPERATORS[tree[0]](...operands.map(({ value }) => round(value)))), bits };
}

/** An element as an amount. @returns {Amount} */
function amountOf(operation, tensor, index) {
  const { data } = operation.tensors[tensor];
  const bits = data instanceof Float32Array ? 32 : 64;
  return { value: element(operation.tensors[tensor], index), bits, tensor };
}

/** The arrays that have to do with a parameter and its step. */
function namesOf(operation, parameter) {
  const kept = Object.values(trace.rules[operation.rules[parameter]]?.state || {});
  return [
    parameter,
    ...["grad", "new", ...kept.map((name) => `old_${name}`)].map((what) => `${what}_${parameter}`),
  ];
}

/** What the step of an element starts from, and each equation with what it comes to. */
function updateOf(operation, parameter, index) {
  const rule = trace.rules[operation.rules[parameter]];
  const values = {};
  for (const [symbol, value] of Object.entries(rule.numbers)) values[symbol] = { value, bits: 0 };
  const given = [
    ["p", "old value", parameter],
    ["g", "gradient", `grad_${parameter}`],
    ...Object.entries(rule.state).map(([symbol, name]) => [
      symbol,
      `${name} before`.replaceAll("_", " "),
      `old_${name}_${parameter}`,
    ]),
  ].map(([symbol, says, tensor]) => {
    values[symbol] = amountOf(operation, tensor, index);
    return { symbol, says, ...values[symbol] };
  });
  const lines = rule.lines.map(([says, text, symbol, tree]) => {
    const before = { ...values };
    values[symbol] = evaluated(tree, values);
    return { says, text, before, ...values[symbol] };
  });
  return { given, lines };
}

/** @param {Amount} amount */
const digitsOf = ({ value, bits }) => (bits ? exact(value, bits === 32) : short(value, 6));

/** The right side of an equation with numbers for its symbols. @param {UpdateLine} line */
function substituted({ text, before }) {
  const right = text.replace(/^.*?[←=]\s*/u, "");
  return right.replace(/[\p{L}_][\p{L}\p{N}_]*/gu, (name, at) => {
    if (!(name in before)) return name;
    const shown = digitsOf(before[name]);
    return shown[0] === "−" && at && !"(,".includes(right[at - 1]) ? `(${shown})` : shown;
  });
}

/** An equation, its symbols leading to the arrays they stand for. @param {UpdateLine} line */
function linked({ text, before }, operation, index) {
  return text.split(/([\p{L}_][\p{L}\p{N}_]*)/u).map((part) => {
    const tensor = before[part]?.tensor;
    return tensor ? factorOf({ label: part, value: undefined, tensor, index }, operation) : part;
  });
}

/** A row of what an amount is, in words and as an equation. @param {Amount} amount */
function amountRow(says, content, amount) {
  return make(
    "tr",
    {},
    make("td", { class: "term" }, make("small", {}, says), ...content),
    make("td", { class: "amount", "data-value": amount.value }, digitsOf(amount)),
  );
}

/** A parameter's element: its value, its gradient, and the optimizer's step to its new value. */
function learning(operation, parameter, index) {
  const row = (says, tensor, symbol) => {
    const link = factorOf({ label: label(tensor, index), value: 0, tensor, index }, operation);
    return amountRow(says, symbol ? [`${symbol} = `, link] : [link], amountOf(operation, tensor, index));
  };
  const table = (rows) =>
    make("table", { class: "terms learning" }, make("tbody", {}, ...rows));
  const changed = `new_${parameter}`;
  if (!(changed in operation.tensors)) {
    const names = [parameter, `grad_${parameter}`].filter((name) => name in operation.tensors);
    return [table(names.map((name) => row(name === parameter ? "value" : "gradient", name)))];
  }
  const { given, lines } = updateOf(operation, parameter, index);
  const rows = given.map(({ says, tensor, symbol }) => row(says, tensor, lines.length && symbol));
  for (const line of lines) {
    const numbers = make("span", { class: "product" }, substituted(line));
    rows.push(amountRow(line.says, [...linked(line, operation, index), numbers], line));
  }
  rows.push(row(lines.length ? "the array holds" : "new value", changed));
  const { value, bits } = amountOf(operation, changed, index);
  const step = short(value - given[0].value);
  return [
    table(rows),
    make("p", { class: "reference" }, `The step is ${step}, that of ${trace.optimizer}.`),
    ...(lines.length ? [comesTo(value, given[0].value, lines[lines.length - 1].value, bits === 32)] : []),
  ];
}

/** Whether the equations come to what the array holds: but for the last digits, they must. */
function comesTo(held, old, total, single) {
  const sum = { element: held, total, values: [old, total - old] };
  const slack = single ? 2 ** -21 : 2 ** -50;
  const fits = agrees(sum, 0, single, slack);
  return make("p", { class: fits ? "agrees" : "failure" }, verdict(sum, 0, single, "rule", slack));
}
