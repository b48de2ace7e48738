/**
 * Examples that run. Each `.cell` of the page becomes an editor with Run, Stop and Reset; each `.exercise` one
 * with Check. All share one Python in a worker, so they share names, like the cells of a notebook. Running an
 * example first runs those above it that have not been run.
 */

import { keepEdit, keptEdit } from "./edits.js";
import { Python } from "./python.js";

const KEPT = "Your changes are kept in this browser. Reset undoes them.";
const NOT_KEPT = "This browser does not keep your changes: they last until the page is closed.";

/** An editor over highlighted code, with buttons and a place for output. */
class Editor {
  /**
   * @param {Element} block the highlighted code
   * @param {Element} output where output goes
   * @param {string} action the name of the main button
   */
  constructor(block, output, action) {
    this.block = block;
    this.output = output;
    this.code = block.querySelector("pre").textContent.replace(/\n$/, "");
    this.tools = document.createElement("div");
    this.tools.className = "cell-tools";
    this.runButton = this.button(action, () => this.run());
    this.editButton = this.button("Edit", () => this.edit());
    this.resetButton = this.button("Reset", () => this.reset());
    this.stopButton = this.button("Stop", () => python.stop("Stopped. The next run starts afresh."));
    this.resetButton.hidden = this.stopButton.hidden = true;
    this.status = document.createElement("span");
    this.status.className = "cell-status";
    this.status.setAttribute("role", "status");
    this.note = document.createElement("p");
    this.note.className = "cell-note";
    this.note.hidden = true;
    this.tools.append(this.status);
    block.after(this.tools, this.note);
    const kept = keptEdit(this.code);
    if (kept !== undefined) this.open(kept);
  }

  button(text, action) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.addEventListener("click", action);
    this.tools.append(button);
    return button;
  }

  /** Let the reader change the code. */
  edit() {
    this.open(this.code);
    this.field.setSelectionRange(0, 0); // the end of a long line would be beyond the edge of a telephone
    this.field.focus();
    this.field.scrollTo(0, 0);
  }

  /** Put a text field in place of the highlighted code. */
  open(code) {
    if (!this.field) {
      this.field = document.createElement("textarea");
      this.field.className = "cell-editor";
      this.field.spellcheck = false;
      this.field.autocapitalize = "off";
      this.field.setAttribute("aria-label", "Code; Control-Enter runs it, Escape and then Tab leaves it");
      this.field.addEventListener("input", () => this.changed());
      this.field.addEventListener("keydown", (event) => this.key(event));
      this.block.before(this.field);
    }
    this.field.value = code;
    this.field.hidden = false;
    this.block.hidden = true;
    this.editButton.hidden = true;
    this.resetButton.hidden = false;
    this.changed();
  }

  /** Make room for what was written, and keep it. */
  changed() {
    this.field.rows = this.field.value.split("\n").length;
    this.note.hidden = this.field.value === this.code;
    this.note.textContent = keepEdit(this.code, this.field.value) ? KEPT : NOT_KEPT;
  }

  /** Control-Enter runs; Tab indents, unless Escape was pressed before it. */
  key(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey || event.shiftKey)) {
      event.preventDefault();
      this.run();
    } else if (event.key === "Tab" && !event.shiftKey && !this.leaves) {
      event.preventDefault();
      this.field.setRangeText("    ", this.field.selectionStart, this.field.selectionEnd, "end");
      this.changed();
    }
    this.leaves = event.key === "Escape";
  }

  reset() {
    this.field.value = this.code;
    this.changed();
    this.field.hidden = true;
    this.block.hidden = false;
    this.editButton.hidden = false;
    this.resetButton.hidden = true;
    this.editButton.focus();
    this.output.replaceChildren(); // it was of other code
  }

  get text() {
    return this.field && !this.field.hidden ? this.field.value : this.code;
  }

  /** Run what the editor is for, and show that it is at work. */
  async run() {
    this.runButton.disabled = true;
    this.stopButton.hidden = false;
    this.output.replaceChildren();
    const progress = (text) => (this.status.textContent = text);
    try {
      await python.start(progress);
      await this.work(progress);
    } catch (error) {
      this.show({ text: "", pictures: [], error: error.message });
    } finally {
      this.runButton.disabled = false;
      this.stopButton.hidden = true;
      this.status.textContent = "";
    }
  }

  /** Tell whether this stands above another editor on the page. */
  precedes(other) {
    return Boolean(this.block.compareDocumentPosition(other.block) & Node.DOCUMENT_POSITION_FOLLOWING);
  }

  /** Run the examples above that have not been run. */
  async runAbove(progress) {
    for (const cell of cells) {
      if (cell.done || !cell.precedes(this)) continue;
      if (cell.unfinished === cell.text)
        throw new Error("An example above was stopped before its end. Change or reset it, and run it first.");
      await cell.runAlone(() => progress("Running the examples above …"));
    }
  }

  /** Show output below the code. */
  show({ text, pictures, error }) {
    this.output.replaceChildren();
    for (const [said, name] of [[text, "cell-text"], [error, "cell-error"]]) {
      if (!said) continue;
      const pre = document.createElement("pre");
      pre.className = name;
      pre.textContent = said;
      this.output.append(pre);
    }
    for (const [theme, png] of pictures.flatMap(Object.entries)) {
      const image = document.createElement("img");
      image.className = `cell-picture only-${theme}`;
      image.alt = "Figure of the example";
      image.src = `data:image/png;base64,${png}`;
      this.output.append(image);
    }
    letKeysScroll();
  }
}

/** An example. */
class Cell extends Editor {
  constructor(element) {
    const output = element.querySelector(":scope > .cell-output");
    super(element.querySelector(":scope > .cell-code"), output, "Run");
    output.setAttribute("aria-live", "polite");
    this.done = false;
    this.unfinished = null; // the code that has begun and has not come to its end
  }

  async work(progress) {
    await this.runAbove(progress);
    await this.runAlone(progress);
  }

  async runAlone(progress) {
    progress("Running …");
    this.unfinished = this.text;
    this.show(await python.ask({ kind: "run", code: this.text }, progress));
    this.unfinished = null;
    this.done = python.worker !== null; // else its memory was full, and all names are lost
  }
}

/** An exercise: the reader's code is checked on a copy of the names above it. */
class Exercise extends Editor {
  constructor(element) {
    const start = element.querySelector(".exercise-part.start");
    const output = document.createElement("div");
    output.className = "cell-output";
    output.setAttribute("aria-live", "polite");
    start.append(output);
    super(start.querySelector(".cell-code"), output, "Check");
    this.test = element.querySelector(".exercise-part.check pre").textContent;
    this.solution = element.querySelector(".exercise-part.solution pre").textContent;
  }

  async work(progress) {
    await this.runAbove(progress);
    progress("Checking …");
    const output = await python.ask({ kind: "check", code: this.text, test: this.test }, progress);
    const right = output.error === "";
    this.show({ ...output, error: right ? "" : `Not yet: ${output.error}` });
    if (right) {
      const said = document.createElement("p");
      said.className = "cell-right";
      said.textContent = "Right.";
      this.output.prepend(said);
    }
  }
}

const python = new Python(() => cells.forEach((cell) => (cell.done = false)));
const cells = [...document.querySelectorAll(".cell:not(.cell-elsewhere)")].map((element) => new Cell(element));
const exercises = [...document.querySelectorAll(".exercise")].map((element) => new Exercise(element));

/** What is wider than the page scrolls by keyboard too. */
function letKeysScroll() {
  for (const block of document.querySelectorAll("pre, .formula, .formula-inline, .table-wrapper")) {
    if (block.scrollWidth > block.clientWidth) block.tabIndex = 0;
    else block.removeAttribute("tabindex");
  }
}
letKeysScroll();
addEventListener("resize", letKeysScroll);

/** For tests: what is on the page, and how to run it. */
globalThis.npnetPage = { cells, exercises, python };
