// @ts-check
/**
 * What is chosen: in the form, and in the part of the address after "#". The form alone says which values there
 * are and which of them are the defaults.
 */

/** @typedef {HTMLSelectElement | HTMLInputElement} Field */

/** The fields of a form, by name. @param {HTMLFormElement} form @returns {Map<string, Field>} */
function fieldsOf(form) {
  const fields = /** @type {Field[]} */ ([...form.elements].filter((element) => "value" in element && element["name"]));
  return new Map(fields.map((field) => [field.name, field]));
}

/** Tell whether a field can have a value. @param {Field} field @param {string} value */
function allows(field, value) {
  if (field instanceof HTMLSelectElement) return [...field.options].some((option) => option.value === value);
  const tried = /** @type {HTMLInputElement} */ (field.cloneNode());
  tried.value = value;
  return tried.value === value && tried.checkValidity();
}

/**
 * Put the settings of an address into a form; what is not said, or not known, becomes the default.
 * @param {HTMLFormElement} form
 * @param {string} hash  such as "#data=digits&lr=0.1"
 * @returns {string[]} what was not understood, in words
 */
export function readAddress(form, hash) {
  form.reset();
  const fields = fieldsOf(form);
  const complaints = [];
  for (const [name, value] of new URLSearchParams(hash.slice(1))) {
    const field = fields.get(name);
    if (!field) complaints.push(`there is no setting “${name}”`);
    else if (!allows(field, value)) complaints.push(`${name} cannot be “${value}”`);
    else field.value = value;
  }
  return complaints;
}

/** The address's part for what is chosen, with the defaults too: they may change one day. @param {HTMLFormElement} form */
export function writtenAddress(form) {
  const values = [...fieldsOf(form)].map(([name, field]) => [name, field.value]);
  return `#${new URLSearchParams(values)}`;
}

/** The settings as playground.py takes them. @param {HTMLFormElement} form */
export function settingsOf(form) {
  const value = (/** @type {string} */ name) => fieldsOf(form).get(name)?.value ?? "";
  const digits = value("data") === "digits";
  return {
    data: value("data"),
    hidden: ["width1", "width2", "width3"].map((name) => Number(value(name))).filter((width) => width > 0),
    convolution: digits && value("convolution") === "yes",
    activation: value("activation"),
    optimizer: value("optimizer"),
    lr: Number(value("lr")),
    batch: Number(value("batch")),
    decay: Number(value("decay")),
    seed: Number(value("seed")),
  };
}
