// Grids of pictures: keys that move between them, and the selection.

import { counted } from "./words.js";

const tiles = () => [...document.querySelectorAll(".tile")].filter((tile) => tile.checkVisibility?.() ?? true);
const boxes = () => [...document.querySelectorAll(".tile-select input")];
const boxOf = (tile) => tile.querySelector(".tile-select input");
const chosen = () => boxes().filter((box) => box.checked);
let lastBox = null;

// ---- Keys

/** The field that somebody types into, if this is one. */
export const typing = (target) => target.closest("input:not([type=checkbox], [type=radio], [type=range]), textarea, select, [contenteditable]");

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "ArrowDown" && event.target.id === "text" && goTo(tiles()[0])) event.preventDefault();
  if (event.key === "Escape" && typing(event.target)) event.target.blur();
  if (typing(event.target) || document.querySelector("dialog[open]")) return;
  if (event.key.length === 1 && !lettersWork()) return;
  const handler = KEYS[event.key] ?? KEYS[event.key.toLowerCase()];
  if (handler?.(event)) event.preventDefault();
});

const KEYS = {
  "/": () => toBox(),
  "?": () => {
    const keys = document.getElementById("keys");
    keys?.showModal();
    return keys !== null;
  },
  Escape: (event) => clear() || (here(event) !== null && toBox()),
  ArrowRight: (event) => step(event, 1),
  ArrowLeft: (event) => step(event, -1),
  ArrowDown: (event) => climb(event, 1),
  ArrowUp: (event) => climb(event, -1),
  x: (event) => {
    const box = here(event) && boxOf(here(event));
    if (!box) return false;
    toggle(box, event.shiftKey);
    return true;
  },
  m: (event) => {
    const link = here(event)?.querySelector(".tile-more");
    if (link) link.click();
    return Boolean(link);
  },
};

const here = (event) => event.target.closest(".tile");

function toBox() {
  const words = document.getElementById("text");
  words?.focus();
  words?.select();
  return words !== null;
}

function goTo(tile) {
  tile?.querySelector(".tile-link").focus();
  tile?.scrollIntoView({ block: "nearest" });
  return Boolean(tile);
}

function step(event, direction) {
  const tile = here(event);
  const all = tiles();
  if (!tile) return event.target === document.body && direction > 0 && goTo(all[0]);
  return goTo(all[all.indexOf(tile) + direction]);
}

/** Move to the nearest tile of the next row: the first whose middle lies beyond this one, then the closest in x. */
function climb(event, direction) {
  const tile = here(event);
  if (!tile) return false;
  const from = tile.getBoundingClientRect();
  const middle = (box) => box.left + box.width / 2;
  const beyond = tiles()
    .map((other) => ({ other, box: other.getBoundingClientRect() }))
    .filter(({ box }) => (box.top - from.top) * direction > from.height / 2);
  if (beyond.length === 0) return false;
  const row = beyond.reduce((best, { box }) => (best === null || (box.top - best) * direction < 0 ? box.top : best), null);
  const inRow = beyond.filter(({ box }) => Math.abs(box.top - row) < 2);
  inRow.sort((a, b) => Math.abs(middle(a.box) - middle(from)) - Math.abs(middle(b.box) - middle(from)));
  return goTo(inRow[0].other);
}

// ---- Keys of one letter can be switched off: whoever speaks to the machine sends them by accident (WCAG 2.1.4).

const LETTERS = "likeness-letter-keys";
const letterSwitch = document.getElementById("letter-keys");
let lettersOff = false; // Where a browser keeps nothing, it holds for this page.

/** Whether keys of one letter do anything. */
export function lettersWork() {
  try {
    return !lettersOff && localStorage.getItem(LETTERS) !== "off";
  } catch {
    return !lettersOff;
  }
}

/** Let keys of one letter work, or not; a browser that keeps nothing forgets it with the page. */
export function switchLetters(on) {
  lettersOff = !on;
  if (letterSwitch) letterSwitch.checked = on;
  try {
    if (on) localStorage.removeItem(LETTERS);
    else localStorage.setItem(LETTERS, "off");
  } catch {
    // Then it is forgotten with this page.
  }
}

if (letterSwitch) letterSwitch.checked = lettersWork();
letterSwitch?.addEventListener("change", () => switchLetters(letterSwitch.checked));

// ---- Selection

function toggle(box, range) {
  const all = boxes();
  if (range && lastBox && all.includes(lastBox)) {
    const [from, to] = [all.indexOf(lastBox), all.indexOf(box)].sort((a, b) => a - b);
    all.slice(from, to + 1).forEach((each) => { each.checked = true; });
  } else box.checked = !box.checked;
  lastBox = box;
  count();
}

function clear() {
  const before = chosen();
  before.forEach((box) => { box.checked = false; });
  count();
  return before.length > 0;
}

function count() {
  const number = chosen().length;
  const place = document.getElementById("selection-count");
  if (place && number > 0) place.textContent = counted("selected", number);
}

document.addEventListener("click", (event) => {
  const box = event.target.closest(".tile-select input");
  if (box) {
    if (event.shiftKey) {
      box.checked = !box.checked; // The browser has switched it already; the range decides anew.
      toggle(box, true);
      box.checked = true;
    } else {
      lastBox = box;
      count();
    }
  }
  const mode = event.target.closest("[data-select-mode]");
  if (mode) selecting(!document.body.classList.contains("selecting"));
  const link = event.target.closest(".tile-link");
  if (link && document.body.classList.contains("selecting") && boxOf(link.parentElement)) {
    event.preventDefault();
    toggle(boxOf(link.parentElement), event.shiftKey);
  }
});

function selecting(on) {
  document.body.classList.toggle("selecting", on);
  document.querySelector("[data-select-mode]")?.setAttribute("aria-pressed", String(on));
  if (!on) clear();
}

document.addEventListener("reset", (event) => {
  if (event.target.id === "selection") setTimeout(() => selecting(false));
});
document.addEventListener("htmx:afterSettle", count);
window.addEventListener("pageshow", count);

// ---- Deleting asks first. Without this script the server asks on a page of its own.

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-confirm]");
  if (!button) return;
  event.preventDefault();
  const number = chosen().length;
  const dialog = document.getElementById("confirm");
  document.getElementById("confirm-question").textContent = counted("delete_question", number);
  document.getElementById("confirm-yes").textContent = counted("delete", number);
  dialog.returnValue = "no";
  dialog.onclose = () => {
    if (dialog.returnValue === "yes") sendDeletion(button.form);
  };
  dialog.showModal();
});

function sendDeletion(form) {
  for (const [name, value] of [["action", "delete"], ["confirmed", "1"]]) {
    const field = document.createElement("input");
    Object.assign(field, { type: "hidden", name, value });
    form.append(field);
  }
  form.submit();
}
