/** Python in a worker, as pages see it: it starts, is asked, answers, and can be stopped at any time. */

/** The folder of this file, and that of Pyodide. */
export const FILES = new URL("./", import.meta.url);
const PYODIDE = new URL(document.querySelector("script[data-pyodide]").dataset.pyodide, FILES).href;

/** The worker with Python. It is made at the first run, and again after it was stopped. */
export class Python {
  /** @type {Worker | null} */
  worker = null;
  /** @type {Map<number, {resolve: Function, reject: Function, progress: Function}>} */
  waiting = new Map();
  count = 0;
  /** @type {Promise<unknown> | null} */
  started = null;
  /** Why the last worker was ended. */
  why = "";

  /** @param {() => void} forgotten  is called when all names are lost */
  constructor(forgotten = () => {}) {
    this.forgotten = forgotten;
  }

  /** Ask the worker for something. */
  ask(message, progress) {
    // It may have ended meanwhile, after an example above that filled the memory.
    if (!this.worker) return Promise.reject(new Error(this.why || "Python has stopped"));
    return new Promise((resolve, reject) => {
      const id = ++this.count;
      this.waiting.set(id, { resolve, reject, progress });
      this.worker.postMessage({ ...message, id });
    });
  }

  /** Start the worker if there is none, and wait until it is ready. */
  start(progress) {
    if (typeof WebAssembly === "undefined") {
      return Promise.reject(new Error("This browser has no WebAssembly, which Python needs here."));
    }
    if (!this.worker) {
      this.worker = new Worker(new URL("worker.js", FILES), { type: "module" });
      this.worker.addEventListener("message", ({ data }) => this.receive(data));
      this.worker.addEventListener("error", (event) => this.stop(event.message || "Python could not be started."));
      const started = this.ask({ kind: "start", pyodide: PYODIDE, files: FILES.href }, progress);
      this.started = started.catch((error) => {
        this.stop();
        throw new Error(`Python could not be loaded: ${error.message}. Is there a network? The page can be read without it.`);
      });
    }
    return this.started;
  }

  /**
   * Call a function of a module that lies in this folder.
   * @param {string} path  such as "playground.page.advance"
   * @param {...unknown} values
   */
  call(path, ...values) {
    return this.ask({ kind: "call", path, values });
  }

  receive({ id, kind, text, output, over }) {
    const waiting = this.waiting.get(id);
    if (!waiting) return;
    if (kind === "progress") {
      waiting.progress(text);
      return;
    }
    this.waiting.delete(id);
    if (over) this.stop(over);
    if (kind === "done") waiting.resolve(output);
    else waiting.reject(new Error(text));
  }

  /** End the worker; whoever waits is told why. All names are lost. */
  stop(why = "Stopped.") {
    this.worker?.terminate();
    this.worker = this.started = null;
    this.why = why;
    const waiting = [...this.waiting.values()];
    this.waiting.clear();
    this.forgotten();
    for (const { reject } of waiting) reject(new Error(why));
  }
}
