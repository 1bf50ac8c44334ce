// The start of every script of the pages. Each page works without any of it; this makes it quicker and kinder.
// Here: what is small and everywhere. Dropping and pasting: drop.js. Addresses in place of pictures: addresses.js.
// Uploads: upload.js. Grids: grid.js. The way back to them: places.js. The part of a picture: region.js. Zoom: zoom.js.
// The queue of moderation: moderation.js.
// Two pictures compared: viewer.js. The review of duplicates: desk.js.

import "./desk.js";
import "./drop.js";
import "./grid.js";
import "./moderation.js";
import "./places.js";
import "./region.js";
import "./upload.js";
import "./viewer.js";
import { words } from "./words.js";
import "./zoom.js";

// A step back that was taken before this script was there has changed the address, but not the page.
const [arrival] = performance.getEntriesByType("navigation");
if (arrival && arrival.name.split("#")[0] !== location.href.split("#")[0]) location.reload();

// A page that shows a secret, or why a picture could not be used, is the answer to a form; loaded again, it would send
// that once more.
const answered = document.querySelector("[data-page-url]");
if (answered) history.replaceState(history.state, "", answered.dataset.pageUrl);

// Only with scripts can a picture be pasted.
for (const box of document.querySelectorAll("[data-placeholder]")) box.placeholder = box.dataset.placeholder;

/** Say something to screen readers, and to nobody else. */
function say(text) {
  document.getElementById("live").textContent = text;
}

const LONGEST_READ_ALOUD = 20; // Letters: a color code is, a token or an address is not.

async function copy(button, text) {
  try {
    await navigator.clipboard.writeText(text);
    say(text.length > LONGEST_READ_ALOUD ? words("copied") : words("copied_what", { what: text }));
    flash(button, words("copied"));
  } catch {
    // Outside of localhost the clipboard needs HTTPS; then the words are shown to be copied by hand.
    window.prompt(words("copy_this"), text);
  }
}

const COPIED_MILLISECONDS = 1500;

function flash(button, text) {
  const place = button.querySelector("span") ?? button;
  if (place.dataset.before !== undefined) return;
  place.dataset.before = place.textContent;
  place.textContent = text;
  setTimeout(() => {
    place.textContent = place.dataset.before;
    delete place.dataset.before;
  }, COPIED_MILLISECONDS);
}

/** Show what is typed into a password field, or hide it again. */
function reveal(button) {
  const field = document.getElementById(button.dataset.reveals);
  const shown = field.type === "password";
  field.type = shown ? "text" : "password";
  button.setAttribute("aria-pressed", String(shown));
}

document.addEventListener("click", (event) => {
  const on = (selector) => event.target.closest(selector);
  const copied = on("[data-copy]");
  if (copied) copy(copied, copied.dataset.copy);
  const link = on("[data-copy-link]");
  if (link) {
    event.preventDefault();
    copy(link, new URL(link.href, location.href).href);
  }
  if (on("[data-dismiss]")) document.getElementById("notice").replaceChildren();
  const revealer = on("[data-reveals]");
  if (revealer) reveal(revealer);
  const opener = on("[data-open]");
  if (opener) document.getElementById(opener.dataset.open).showModal();
  if (event.target instanceof HTMLDialogElement) event.target.close();
});

// The color picker has no "none", so it only writes into the text field, which has. This must come before the form
// hears of the change and sends its fields, hence while the event is still on its way down.
document.addEventListener("change", (event) => {
  const field = document.getElementById(event.target.dataset.picks);
  if (field) field.value = event.target.value;
  // The color of a row stands in each of the shares that can be chosen for it.
  const shares = document.getElementById(event.target.dataset.recolors)?.options ?? [];
  for (const share of shares) share.value = share.value.replace(/^[^:]*/, event.target.value);
}, { capture: true });

// What htmx sends is known by this to come from our own page, as a form is by its hidden field.
document.addEventListener("htmx:configRequest", (event) => {
  const token = document.querySelector('meta[name="csrf-token"]')?.content;
  if (token) event.detail.headers["X-CSRF-Token"] = token;
});

// Fields that were left empty do not belong into an address that people copy. A field can be there twice.
document.addEventListener("htmx:configRequest", (event) => {
  if (!event.target.closest("[data-drop-empty]")) return;
  const { formData } = event.detail;
  for (const name of new Set(formData.keys())) {
    const kept = formData.getAll(name).filter((value) => value !== "");
    formData.delete(name);
    kept.forEach((value) => formData.append(name, value));
  }
});

// A poll that fails says nothing and asks again; whatever else fails is told in the notice.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, requestConfig } = event.detail;
  if (xhr.status >= 400 && requestConfig.elt.hasAttribute("data-poll")) event.detail.shouldSwap = false;
});

for (const failure of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(failure, (event) => {
    if (event.detail.requestConfig?.elt.hasAttribute("data-poll")) return;
    const card = document.createElement("div");
    card.className = "notice-card";
    const sentence = document.createElement("p");
    sentence.textContent = words("no_answer");
    card.append(sentence);
    document.getElementById("notice").replaceChildren(card);
  });
}

// A chip that is open stays open when what was chosen in it has changed the search.
let openChip = null;
document.addEventListener("htmx:beforeSwap", () => {
  const chip = document.querySelector(".chip-details[open]");
  openChip = chip && { id: chip.id, focus: chip.contains(document.activeElement) ? document.activeElement.id : "" };
});
document.addEventListener("htmx:afterSwap", (event) => {
  const chip = openChip && document.getElementById(openChip.id);
  if (!chip) return;
  chip.setAttribute("open", "");
  // What was chosen may not be offered any more: what has come last cannot move further.
  const again = document.getElementById(openChip.focus) ?? (openChip.focus && chip.querySelector("summary"));
  if (again) again.focus({ preventScroll: true });
  const said = event.detail.requestConfig?.elt.dataset.says;
  if (said) say(said);
});

// One chip is open at a time, and a click elsewhere closes it, as a menu does.
document.addEventListener("click", (event) => {
  for (const chip of document.querySelectorAll(".chip-details[open]")) {
    if (!chip.contains(event.target)) chip.removeAttribute("open");
  }
});
document.addEventListener("keydown", (event) => {
  const chip = event.key === "Escape" && event.target.closest?.(".chip-details[open]");
  if (!chip) return;
  chip.removeAttribute("open");
  chip.querySelector("summary").focus();
  event.preventDefault();
});

// A group of filters stays open or closed as somebody has left it, also when its counts are replaced.
document.addEventListener("htmx:oobBeforeSwap", (event) => {
  const { target, fragment } = event.detail;
  for (const group of target.querySelectorAll("details[id]")) {
    const next = fragment.querySelector(`#${CSS.escape(group.id)}`);
    if (next && next.open !== group.open) next.open = group.open || next.querySelector(":checked") !== null;
  }
});

// A filter that was chosen before htmx was there has told nobody.
document.addEventListener("DOMContentLoaded", () => {
  const search = document.getElementById("search");
  const unheard = (field) => field.checked !== field.defaultChecked;
  if ([...(search?.elements ?? [])].some(unheard)) search.requestSubmit();
});

// Words that were removed as a chip also leave the box, unless somebody is typing there.
document.addEventListener("htmx:afterSettle", (event) => {
  const box = document.getElementById("text");
  const results = document.getElementById("results");
  if (!results || event.target !== results) return;
  document.querySelector("#notice .message")?.remove(); // An error of a search before this one is over.
  if (document.activeElement !== box) box.value = results.dataset.text;
  // Where the control that was used is gone, as the last chip is, the keyboard goes on from the results.
  if (document.activeElement === document.body) results.focus({ preventScroll: true });
});

// What cannot simply be undone is asked about first. The words of the button say in the dialog, too, what it does.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-ask]");
  if (!button) return;
  event.preventDefault();
  const dialog = document.getElementById("ask");
  document.getElementById("ask-question").textContent = button.dataset.ask;
  document.getElementById("ask-more").textContent = button.dataset.askMore;
  document.getElementById("ask-yes").textContent = button.textContent;
  dialog.returnValue = "no";
  dialog.onclose = () => {
    if (dialog.returnValue === "yes") button.form.submit();
  };
  dialog.showModal();
});

// Menus close as people expect it; without this script they close as they opened.
function closeMenus(except) {
  const open = [...document.querySelectorAll("[data-menu][open]")].filter((menu) => !menu.contains(except));
  for (const menu of open) menu.open = false;
  return open;
}

document.addEventListener("click", (event) => closeMenus(event.target));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const closed = closeMenus(null);
  if (closed.length === 0) return;
  event.preventDefault();
  closed[0].querySelector("summary").focus();
}, { capture: true });

document.addEventListener("submit", (event) => {
  if (event.target.id === "search") document.getElementById("filters")?.hidePopover?.();
});
