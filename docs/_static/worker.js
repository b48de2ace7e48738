/**
 * Python in a worker: the page stays responsive, and an endless loop costs nothing but this worker.
 *
 * In:  {id, kind: "start", pyodide: URL of Pyodide's folder, files: URL of this folder}
 *      {id, kind: "run", code}                    an example, after the ones before it
 *      {id, kind: "check", code, test}            an answer to an exercise
 *      {id, kind: "call", path, values}           a function of a module of this folder: "playground.page.start"
 * Out: {id, kind: "progress", text}               what is being loaded
 *      {id, kind: "done", output, over}           {text, pictures, error} as in runner.py; null after "start";
 *                                                 after "call" what the function returned
 *      {id, kind: "failed", text, over}           Python could not be loaded or broke down, or the function failed
 *
 * `over` is "", or why this Python can do no more; another worker is to be started then.
 */

/** Packages that an example needs when these words occur in it; loading all of them would take 10 s. */
const NEEDED = [
  { words: /\bplot\b|matplotlib|pyplot/, packages: ["matplotlib"] },
  { words: /\bsklearn\b/, packages: ["scikit-learn"] },
];

/** @type {any} Pyodide, once it is loaded. */
let python = null;
/** @type {URL} The folder of this file. */
let folder;
/** @type {Map<string, any>} Modules of this folder, by name. */
const modules = new Map();
/** @type {any} The names of the page's examples. */
let names = null;

self.addEventListener("message", async ({ data }) => {
  try {
    const output = await answer(data);
    const why = await over(data);
    if (why) output.error = `${output.error}\n${why}. The next run starts afresh.`.trim();
    self.postMessage({ id: data.id, kind: "done", output, over: why });
  } catch (error) {
    self.postMessage({ id: data.id, kind: "failed", text: inWords(error), over: isBroken(error) ? inWords(error) : "" });
  }
});

/** Do what a message asks for. */
async function answer(message) {
  const progress = (text) => self.postMessage({ id: message.id, kind: "progress", text });
  if (message.kind === "start") {
    await start(message, progress);
    return null;
  }
  if (message.kind === "call") return call(message.path, message.values);
  await load(`${message.code}\n${message.test ?? ""}`, progress);
  const [runner] = await Promise.all([module("runner"), module("pictures")]);
  const run = message.kind === "run";
  return plain(run ? runner.run(message.code, names) : runner.check(message.code, message.test, names));
}

/** Call a function by its path from a module. */
async function call(path, values) {
  const [name, ...attributes] = path.split(".");
  const called = attributes.reduce((owner, attribute) => owner[attribute], await module(name));
  const runner = await module("runner");
  return plain(runner.call(called, ...values.map((value) => python.toPy(value))));
}

/** Turn what Python returned into what can be sent: dictionaries become objects, and arrays typed arrays. */
function plain(result) {
  if (!result?.toJs) return result;
  const output = result.toJs({ dict_converter: Object.fromEntries });
  result.destroy();
  return output;
}

/** Load a module of this folder, once. */
async function module(name) {
  if (!modules.has(name)) {
    const text = await (await fetched(new URL(`${name}.py`, folder))).text();
    python.FS.writeFile(`/home/pyodide/${name}.py`, text);
    modules.set(name, python.pyimport(name));
  }
  return modules.get(name);
}

/** Say what went wrong in a line: of an exception in Python its last line. */
function inWords(error) {
  const text = String(error?.message ?? error);
  if (isBroken(error)) return `Python broke down, most likely for want of memory (${text})`;
  return error?.type ? text.trim().split("\n").pop() : text;
}

/** Tell whether an error came not from Python, but from what it is made of: nothing can be asked of it any more. */
function isBroken(error) {
  return Boolean(error?.pyodide_fatal_error) || error instanceof WebAssembly.RuntimeError || error instanceof RangeError;
}

/** Say why no further example can run, or "": what fills the memory are names that examples share. */
async function over({ kind }) {
  const asks = kind === "run" || kind === "check";
  return asks && !(await module("runner")).has_room() ? "Python's memory is full" : "";
}

/** Load Python, NumPy and npnet. */
async function start({ pyodide, files }, progress) {
  progress("Loading Python …");
  folder = new URL(files);
  const { loadPyodide } = await import(new URL("pyodide.mjs", pyodide).href);
  // Packages that are named at once are fetched while Python starts.
  const packages = ["numpy", "threadpoolctl"];
  python = await loadPyodide({ indexURL: pyodide, env: { MPLBACKEND: "Agg" }, packages });
  progress("Loading npnet …");
  for (const wheel of await (await fetched(new URL("wheels/index.json", files))).json()) {
    python.unpackArchive(await (await fetched(new URL(`wheels/${wheel}`, files))).arrayBuffer(), "whl");
  }
  names = python.toPy({});
  python.runPython("import npnet");
}

/** Load the packages that an example needs. */
async function load(code, progress) {
  const wanted = NEEDED.filter(({ words }) => words.test(code)).flatMap(({ packages }) => packages);
  const missing = wanted.filter((name) => !(name in python.loadedPackages));
  if (missing.length) {
    progress(`Loading ${missing.join(" and ")} …`);
    await python.loadPackage(missing, { messageCallback: () => {} });
  }
}

/** Fetch a file, and say which when it is not there. */
async function fetched(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url.pathname} could not be loaded (${response.status})`);
  return response;
}
