// The keys of the review desk: each presses a button or a link that is there to be pressed. Which key does what is kept
// in the browser; all of them can be switched off (WCAG 2.1.4), and none works while somebody types.

import { lettersWork, switchLetters, typing } from "./grid.js";
import { words } from "./words.js";

const KEPT = "likeness-desk-keys";
const RESERVED = ["/", "?", "+", "-", "=", "0"]; // Of every page, and of the viewer.

const buttonOf = (action) => document.querySelector(`[data-action="${action}"]:not(:disabled)`);
const remaps = () => [...document.querySelectorAll("[data-remap]")];
let own = read(); // Where a browser keeps nothing, it holds for this page.

function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
    return kept !== null && typeof kept === "object" ? kept : {};
  } catch {
    return {};
  }
}

function keep() {
  try {
    localStorage.setItem(KEPT, JSON.stringify(own));
  } catch {
    // Then it is forgotten with this page.
  }
}

const keyOf = (action) => own[action] ?? document.querySelector(`[data-remap="${action}"]`)?.dataset.key;

/** Write beside each button the key that presses it. */
function show() {
  const works = lettersWork();
  for (const place of document.querySelectorAll("[data-key-of]")) {
    const isOfDialog = place.closest("[data-remap]") !== null;
    place.textContent = keyOf(place.dataset.keyOf) ?? "";
    place.hidden = !works && !isOfDialog;
  }
  for (const box of document.querySelectorAll("[data-letters]")) box.checked = works;
  for (const time of document.querySelectorAll("[data-clock]")) {
    time.textContent = new Date(time.dateTime).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
  }
}

// ---- Pressing them

let busy = false; // While an answer is on its way, a key would be meant for what is no longer seen.
let settling = false; // What has come is seen, but its forms are not yet sent by htmx; a key waits so long.
let pressed = "";

document.addEventListener("keydown", (event) => {
  if (waiting) return;
  if (event.defaultPrevented || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  if (busy || event.key.length !== 1 || !lettersWork() || typing(event.target)) return;
  if (!document.getElementById("review") || document.querySelector("dialog[open]")) return;
  const action = remaps().map((button) => button.dataset.remap).find((name) => keyOf(name) === event.key.toLowerCase());
  if (!action) return;
  if (settling) pressed = action;
  else if (!press(action)) return;
  event.preventDefault();
});

function press(action) {
  const button = action === "view" ? nextOf(document.querySelectorAll("[data-pair] [data-mode]")) : buttonOf(action);
  button?.click();
  return Boolean(button);
}

function nextOf(radios) {
  const all = [...radios];
  return all[(all.findIndex((radio) => radio.checked) + 1) % all.length];
}

// ---- Keeping the group

const AT_REST_MS = 10 * 60 * 1000; // Without a key, a click or a move, somebody has gone; the claim is for so long too.

let used = Date.now();
for (const sign of ["keydown", "pointerdown", "pointermove", "wheel", "htmx:load"]) {
  document.addEventListener(sign, (event) => { if (event.target.id !== "claim") used = Date.now(); }, { passive: true });
}

// A page that nobody looks at does not hold what others could decide.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target.id !== "claim") return;
  if (document.visibilityState !== "visible" || Date.now() - used > AT_REST_MS) event.preventDefault();
});

document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.target?.id === "review") busy = true;
});
document.addEventListener("htmx:afterSwap", () => {
  busy = false;
  settling = true;
});
document.addEventListener("htmx:afterSettle", () => {
  settling = false;
  const action = pressed;
  pressed = "";
  if (action) press(action);
});
for (const end of ["htmx:sendError", "htmx:timeout", "htmx:sendAbort", "htmx:swapError"]) {
  document.addEventListener(end, () => { busy = false; });
}
document.addEventListener("htmx:load", show);

// ---- Choosing them

let waiting = null; // The action that is about to get another key.

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-remap]");
  if (button) {
    tell("");
    waiting = button.dataset.remap;
    button.querySelector("kbd").textContent = words("press_key");
  } else if (waiting) stop();
  if (event.target.closest("[data-usual-keys]")) {
    own = {};
    keep();
    stop();
  }
});

document.addEventListener("keydown", (event) => {
  if (!waiting || ["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
  if (event.key === "Tab") {
    stop();
    return;
  }
  event.preventDefault();
  if (event.key !== "Escape") choose(waiting, event.key.toLowerCase());
  stop();
}, { capture: true });

/** Give an action a key; the one that had it gets the key that this one had. */
function choose(action, key) {
  if (key.length !== 1 || key === " " || RESERVED.includes(key)) {
    tell(words("key_taken"));
    return;
  }
  const before = keyOf(action);
  const other = remaps().map((button) => button.dataset.remap).find((name) => name !== action && keyOf(name) === key);
  own = { ...own, [action]: key, ...(other ? { [other]: before } : {}) };
  keep();
}

function stop() {
  waiting = null;
  show();
}

function tell(sentence) {
  const place = document.getElementById("desk-keys-problem");
  if (place) place.textContent = sentence;
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-letters]")) {
    switchLetters(event.target.checked);
    show();
  }
  if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
});

show();
