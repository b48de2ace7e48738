// @ts-check
"use strict";

/**
 * The page of one training step. `trace` is what npnet recorded; `state` is what is looked at; `show` draws it.
 *
 * @typedef {{operation: any, name: string, index: number[]}} Chosen  one element of an operation's array
 */

const trace = JSON.parse(byId("content").textContent || "");
const state = {
  at: 0, // which step
  engine: "own", // whose gradients: "own", "other" or "difference"
  /** @type {Chosen | null} */
  chosen: null,
  /** @type {Chosen[]} */
  trail: [], // what was chosen before
  all: false, // whether all terms of a long sum are listed
  /** @type {Map<string, HeatMap>} */
  maps: new Map(),
  timer: 0,
};
const FEW_TERMS = 24;
const GRADIENTS = { own: "npnet", other: trace.reference || "PyTorch", difference: "difference" };

/** @param {string} id @returns {any} */
function byId(id) {
  return document.getElementById(id);
}

/**
 * Make an element with its attributes and what is in it.
 * @param {string} tag
 * @param {Record<string, any>} attributes
 * @param {...(Node | string)} content
 */
function make(tag, attributes = {}, ...content) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== false) made.setAttribute(name, value === true ? "" : value);
  made.append(...content);
  return made;
}
