// The place on a page of results, kept for the way back: how far it was scrolled, which picture was opened, and whether
// the weaker matches were unfolded. How many pictures were loaded stands in the address, so they are there at once.

const NAME = "likeness-places";
const MOST = 50; // Pages of one tab whose places are kept; who goes back further begins at the top.

const here = () => `${location.pathname}${location.search}`;
const results = () => document.getElementById("tiles");

// What is seen is not always what the address says: on the way back the address changes first, and the page after it.
let seen = here();
for (const change of ["htmx:pushedIntoHistory", "htmx:replacedInHistory"]) {
  document.addEventListener(change, () => { seen = here(); });
}

const fold = () => document.querySelector(".fold details");

function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(NAME)) ?? [];
  } catch {
    return []; // Where a browser keeps nothing, or something else has written there, there is no place to go back to.
  }
}

function keep() {
  if (!results()) return;
  const opened = document.activeElement?.closest(".tile-link")?.getAttribute("href") ?? "";
  const place = { page: seen, top: Math.round(scrollY), opened, unfolded: fold()?.open ?? false };
  const places = [...kept().filter((other) => other.page !== place.page), place];
  try {
    sessionStorage.setItem(NAME, JSON.stringify(places.slice(-MOST)));
  } catch {
    // Then the way back leads to the top.
  }
}

window.addEventListener("pagehide", keep);
document.addEventListener("htmx:beforeHistoryUpdate", (event) => {
  const { history: change, target } = event.detail;
  if (change.type === "push") keep();
  else if (!target.isConnected) change.path = here(); // More tiles of a search that was left while they were on their way.
});

// A page that is opened anew begins at its top. The browser would try by itself, but before everything is there.
const [arrival] = performance.getEntriesByType("navigation");
if (results()) {
  history.scrollRestoration = "manual";
  const place = kept().find((other) => other.page === here());
  if (place && ["back_forward", "reload"].includes(arrival?.type)) goBackTo(place);
}

function goBackTo({ top, opened, unfolded }) {
  if (fold() && unfolded) fold().open = true;
  if (opened) document.querySelector(`.tile-link[href="${CSS.escape(opened)}"]`)?.focus({ preventScroll: true });
  scrollTo(0, top);
}
