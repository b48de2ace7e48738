/**
 * Python in a worker: the page stays responsive, and an endless loop costs nothing but this worker.
 *
 * In:  {id, kind: "start", pyodide: URL of Pyodide's folder, files: URL of this folder}
 *      {id, kind: "run", code}                    an example, after the ones before it
 *      {id, kind: "check", code, test}            an answer to an exercise
 * Out: {id, kind: "progress", text}               what is being loaded
 *      {id, kind: "done", output}                 {text, pictures, error} as in runner.py; null after "start"
 *      {id, kind: "failed", text}                 Python itself could not be loaded, or broke down
 */

/** Packages that an example needs when these words occur in it; loading all of them would take 10 s. */
const NEEDED = [
  { words: /\bplot\b|matplotlib|pyplot/, packages: ["matplotlib"] },
  { words: /\bdigits\b|sklearn/, packages: ["scikit-learn"] },
];

/** @type {any} Pyodide, once it is loaded. */
let python = null;
/** @type {any} The module of runner.py. */
let runner = null;
/** @type {any} The names of the page's examples. */
let names = null;

self.addEventListener("message", async ({ data }) => {
  try {
    const output = await answer(data);
    self.postMessage({ id: data.id, kind: "done", output });
  } catch (error) {
    self.postMessage({ id: data.id, kind: "failed", text: String(error?.message ?? error) });
  }
});

/** Do what a message asks for. */
async function answer(message) {
  const progress = (text) => self.postMessage({ id: message.id, kind: "progress", text });
  if (message.kind === "start") {
    await start(message, progress);
    return null;
  }
  await load(`${message.code}\n${message.test ?? ""}`, progress);
  const result =
    message.kind === "run" ? runner.run(message.code, names) : runner.check(message.code, message.test, names);
  const output = result.toJs({ dict_converter: Object.fromEntries });
  result.destroy();
  return output;
}

/** Load Python, NumPy and npnet. */
async function start({ pyodide, files }, progress) {
  progress("Loading Python …");
  const { loadPyodide } = await import(new URL("pyodide.mjs", pyodide).href);
  // Packages that are named at once are fetched while Python starts.
  const packages = ["numpy", "threadpoolctl"];
  python = await loadPyodide({ indexURL: pyodide, env: { MPLBACKEND: "Agg" }, packages });
  progress("Loading npnet …");
  for (const wheel of await (await fetched(new URL("wheels/index.json", files))).json()) {
    python.unpackArchive(await (await fetched(new URL(`wheels/${wheel}`, files))).arrayBuffer(), "whl");
  }
  python.FS.writeFile("/home/pyodide/example_runner.py", await (await fetched(new URL("runner.py", files))).text());
  runner = python.pyimport("example_runner");
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
