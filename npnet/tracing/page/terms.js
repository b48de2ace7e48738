// @ts-check
"use strict";

// Which rule an operation has, as npnet/tracing/_terms.py has it.

/** What a loss is that averages over no samples, or over none that count. @param {Factors} o */
function* meanOfNothing(o) {
  o.note = "the mean of nothing is NaN";
  yield [constant("0/0", NaN)];
}

const RULES = {
  linear,
  conv2d,
  max_pool2d: maxPool2d,
  average,
  relu,
  leaky_relu: leakyRelu,
  tanh: hyperbolic,
  sigmoid,
  softplus,
  dropout,
  reshape,
  split,
  add,
  softmax,
  log_softmax: logSoftmax,
  batch_norm: batchNorm,
  cross_entropy: crossEntropy,
  nll_loss: nllLoss,
  mse_loss: mseLoss,
  binary_cross_entropy: binary,
  binary_cross_entropy_with_logits: binaryWithLogits,
};

/**
 * Write one element out as the sum it is.
 * @param {any} operation
 * @param {string} name  "y" or a gradient
 * @param {number[]} index
 * @returns {Sum | null}  null where no equation is known
 */
function sumOf(operation, name, index) {
  if (!(name in operation.equations) || name.startsWith("new_")) return null;
  const factors = new Factors(operation);
  let rule = RULES[operation.kind];
  if (name === "y" && operation.settings.m === 0) rule = meanOfNothing;
  const terms = [];
  let missing = 0;
  for (const term of rule(factors, name, index))
    if (term.some((factor) => factor.value === undefined)) missing++;
    else terms.push(term);
  const values = terms.map((term) => term.reduce((product, factor) => product * factor.value, 1));
  const total = values.reduce((sum, value) => sum + value, 0);
  const { note, decisive } = factors;
  return {
    label: label(name, index),
    element: factors.value(name, index),
    terms,
    values,
    total,
    note,
    missing,
    decisive,
  };
}
