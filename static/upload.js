// Uploads with progress: a few at a time, one card a file, tried again while the server is busy.

import { around, words, written } from "./words.js";

const AT_ONCE = 3;
const MOST_TRIES = 8;
const PAUSE_SECONDS = 2;
const THUMBNAIL_PIXELS = 144;
const LOG_IN = "/login?next=/upload";

const waiting = [];
const running = new Set();
let total = 0;
let finished = 0;

const page = () => document.querySelector(".upload-page");

/** Show the upload page, from wherever we are, and send these files. */
export async function uploadFiles(files) {
  const pictures = files.filter((file) => !file.name.startsWith("."));
  if (pictures.length === 0) return;
  if (!page() && !(await openUploadPage(libraryInView()))) return;
  history.replaceState(history.state, "", addressOfList());
  const jobs = pictures.map((file) => ({ file, card: newCard(file), tries: 0, sent: 0, request: null, timer: null }));
  const list = document.getElementById("cards");
  const fragment = document.createDocumentFragment();
  for (const job of jobs) {
    jobOf.set(job.card, job);
    fragment.append(job.card);
    thumbnails.observe(job.card);
  }
  list.prepend(fragment);
  if (waiting.length + running.size === 0) total = finished = 0;
  total += jobs.length;
  waiting.push(...jobs);
  next();
}

/** The library that was chosen on this page, or the only one whose pictures it shows; "" when there is no such one. */
function libraryInView() {
  const chosen = document.getElementById("upload-library")?.value;
  const shown = new URLSearchParams(location.search).getAll("library");
  return chosen ?? (shown.length === 1 ? shown[0] : "");
}

/** Where this list of files is found again, with the library that the next ones go into. */
function addressOfList() {
  const fields = new URLSearchParams({ batch: page().dataset.batch });
  const library = libraryInView();
  if (library) fields.append("library", library);
  return `/upload?${fields}`;
}

/** Put the upload page in the place of this one without loading, so that the dropped files stay in reach; false without it. */
async function openUploadPage(library) {
  const answer = await fetch(library ? `/upload?library=${encodeURIComponent(library)}` : "/upload");
  const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!parsed.querySelector(".upload-page")) {
    location.assign(answer.redirected ? LOG_IN : answer.url); // Whoever has been logged out is led to the login.
    return false;
  }
  document.getElementById("main").replaceWith(document.adoptNode(parsed.getElementById("main")));
  document.querySelector(".places").replaceWith(document.adoptNode(parsed.querySelector(".places")));
  document.title = parsed.title;
  document.body.className = parsed.body.className;
  history.pushState({ upload: true }, "", "/upload");
  window.htmx?.process(document.getElementById("main"));
  window.scrollTo(0, 0);
  return true;
}

window.addEventListener("popstate", () => {
  if (page() && location.pathname !== "/upload") location.reload();
});

// ---- Cards

const jobOf = new WeakMap();

function newCard(file) {
  const card = document.getElementById("local-card").content.firstElementChild.cloneNode(true);
  card.querySelector("bdi").textContent = file.name;
  return card;
}

function show(job, outcome, sentence) {
  job.card.dataset.outcome = outcome;
  job.card.querySelector(".card-sentence").replaceChildren(sentence);
  const over = outcome === "refused" || outcome === "canceled";
  job.card.querySelector("progress").hidden = over;
  job.card.querySelector("[data-cancel]").hidden = over;
  job.card.querySelector("[data-again]").hidden = !over;
}

// Only cards that are seen get a thumbnail: three hundred decoded photos would fill the memory.
const thumbnails = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    thumbnails.unobserve(entry.target);
    drawThumbnail(entry.target);
  }
});

async function drawThumbnail(card) {
  const { file } = jobOf.get(card);
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { resizeWidth: THUMBNAIL_PIXELS, resizeQuality: "low" });
  } catch {
    return; // A format that this browser does not draw, such as HEIC: the card keeps its sign.
  }
  const canvas = document.createElement("canvas");
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
  card.querySelector(".card-picture").replaceChildren(canvas);
}

// ---- Sending

function next() {
  while (running.size < AT_ONCE && waiting.length > 0) send(waiting.shift());
  showTotals();
}

function send(job) {
  running.add(job);
  show(job, "sending", words("sending"));
  const form = new FormData();
  form.append("batch", page().dataset.batch);
  const library = document.getElementById("upload-library")?.value;
  if (library) form.append("library", library);
  form.append("file", job.file, job.file.name);
  const request = new XMLHttpRequest();
  job.request = request;
  job.tries += 1;
  request.open("POST", "/upload");
  request.setRequestHeader("HX-Request", "true");
  const token = document.querySelector('meta[name="csrf-token"]')?.content;
  if (token) request.setRequestHeader("X-CSRF-Token", token);
  request.upload.onprogress = (event) => {
    if (event.lengthComputable) progress(job, event.loaded / event.total);
  };
  request.upload.onload = () => show(job, "sending", words("being_checked"));
  request.onload = () => received(job, request);
  request.onerror = () => tryLater(job, PAUSE_SECONDS * job.tries, words("connection_lost"));
  request.onabort = () => over(job, "canceled", words("canceled"));
  request.send(form);
}

function progress(job, share) {
  job.sent = share;
  job.card.querySelector("progress").value = share;
  showTotals();
}

function received(job, request) {
  const parsed = new DOMParser().parseFromString(request.responseText, "text/html");
  const card = parsed.querySelector(".card[id]");
  if (card) accept(job, card);
  else if (request.status === 503 || request.status === 429) {
    tryLater(job, Number(request.getResponseHeader("Retry-After")) || PAUSE_SECONDS, words("server_busy"));
  } else if (request.status === 401) {
    over(job, "refused", sentenceWithLogin());
  } else over(job, "refused", parsed.querySelector("#problem p:last-of-type")?.textContent ?? words("refused"));
}

/** In another tab, because leaving this page would lose the files. */
function sentenceWithLogin() {
  const link = document.createElement("a");
  Object.assign(link, { href: LOG_IN, target: "_blank", textContent: words("log_in_again") });
  const sentence = document.createElement("span"); // As one piece, beside which an icon may stand.
  const [before, after] = around("logged_out", "link");
  sentence.append(before, link, after);
  return sentence;
}

/** Take over the token of the session there is now, if somebody has logged in since this page was loaded. */
async function renewToken() {
  const ours = document.querySelector('meta[name="csrf-token"]');
  if (!ours) return;
  const answer = await fetch("/upload");
  const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
  ours.content = parsed.querySelector('meta[name="csrf-token"]')?.content ?? ours.content;
}

/** The server's card takes the place of ours, and its questions for news begin if they are not under way. */
function accept(job, card) {
  document.getElementById(card.id)?.remove(); // The same file a second time in one batch.
  job.card.replaceWith(document.adoptNode(card));
  window.htmx?.process(card);
  running.delete(job);
  finished += 1;
  askForNews();
  next();
}

function tryLater(job, seconds, reason) {
  running.delete(job);
  if (job.tries >= MOST_TRIES) {
    over(job, "refused", words("try_when_back", { reason }));
    return;
  }
  show(job, "queued", words("trying_again", { reason, seconds }));
  running.add(job); // It keeps its place, so that a busy server is not asked by all the others meanwhile.
  job.timer = setTimeout(() => send(job), seconds * 1000);
}

function over(job, outcome, sentence) {
  running.delete(job);
  finished += 1;
  show(job, outcome, sentence);
  next();
}

let newsUnderWay = false;

async function askForNews() {
  const changes = document.getElementById("changes");
  if (newsUnderWay || !window.htmx || changes.hasAttribute("data-poll")) return;
  newsUnderWay = true;
  const address = `/upload/changes?batch=${encodeURIComponent(page().dataset.batch)}`;
  await window.htmx.ajax("GET", address, { target: "#changes", swap: "outerHTML" });
  newsUnderWay = false;
}

function showTotals() {
  const sending = document.getElementById("sending");
  if (!sending) return;
  const open = waiting.length + running.size;
  sending.hidden = open === 0;
  document.getElementById("sending-words").textContent = words("sending_part", { done: written(finished), all: written(total) });
  const part = [...running].reduce((sum, job) => sum + job.sent, 0);
  document.getElementById("sending-bar").value = total ? (finished + part) / total : 0;
}

// ---- Cancel, try again, and not leaving by accident

function cancel(job) {
  clearTimeout(job.timer);
  const place = waiting.indexOf(job);
  if (place >= 0) {
    waiting.splice(place, 1);
    over(job, "canceled", words("canceled"));
  } else if (job.request?.readyState === XMLHttpRequest.DONE || job.request?.readyState === XMLHttpRequest.UNSENT) {
    over(job, "canceled", words("canceled"));
  } else job.request.abort();
}

async function sendAgain(job) {
  job.tries = 0;
  finished -= 1;
  show(job, "queued", words("waiting"));
  try {
    await renewToken();
  } catch {
    // The server does not answer; sending finds that out as well, and says so.
  }
  waiting.push(job);
  next();
}

document.addEventListener("click", (event) => {
  const job = jobOf.get(event.target.closest(".card"));
  if (event.target.closest("[data-cancel]")) cancel(job);
  if (event.target.closest("[data-again]")) sendAgain(job);
  if (event.target.closest("[data-cancel-all]")) {
    for (const waits of waiting.splice(0)) over(waits, "canceled", words("canceled"));
    [...running].forEach(cancel);
  }
});

// The poll would lead whoever has been logged out to the login, and lose the files; their cards say what to do.
document.addEventListener("htmx:beforeOnLoad", (event) => {
  if (event.detail.xhr.status === 401 && document.querySelector(".card.local")) event.preventDefault();
});

window.addEventListener("beforeunload", (event) => {
  if (waiting.length + running.size > 0) event.preventDefault();
});
