/** What the reader wrote on this page, kept in the browser: for each code as the page has it the code as it is now. */

const KEY = `npnet-edits:${location.pathname}`;

/** Read what is kept; nothing where the browser keeps nothing, or where something else stands. */
function read() {
  try {
    const kept = Object.entries(JSON.parse(localStorage.getItem(KEY) ?? "{}") ?? {});
    return new Map(kept.filter(([, code]) => typeof code === "string"));
  } catch {
    return new Map();
  }
}

const atFirst = read();

/** Return what the reader made of a code, if it is kept. @param {string} code @returns {string | undefined} */
export function keptEdit(code) {
  return atFirst.get(code);
}

/**
 * Keep what the reader made of a code, or forget it when it is the code itself.
 * @param {string} code
 * @param {string} edited
 * @returns {boolean} whether the browser does so
 */
export function keepEdit(code, edited) {
  const all = read(); // another window may show the page too
  if (edited === code) all.delete(code);
  else all.set(code, edited);
  try {
    if (all.size) localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(all)));
    else localStorage.removeItem(KEY);
    return true;
  } catch {
    return false;
  }
}
