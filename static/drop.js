// Pictures that are dropped, pasted or chosen: one is searched for, several are uploaded. Of a picture on another page
// sometimes only its address comes.

import { addressIn, fetches, mayBeAddress, searchAt } from "./addresses.js";
import { showLooking } from "./looking.js";
import { uploadFiles } from "./upload.js";

// Both are missing on the pages of who is not logged in; there is nothing to search or to add to.
const overlay = document.getElementById("drop");
const onUploadPage = () => document.querySelector(".upload-page") !== null;

/** Send one picture with the form of the search box, and show that something happens. */
function searchFor(file) {
  const form = document.getElementById("picture-search");
  const chosen = new DataTransfer();
  chosen.items.add(file);
  form.elements.file.files = chosen.files;
  showLooking(file.name, file);
  form.submit();
}

function receive(files, target) {
  if (files.length === 0 || !overlay) return;
  if (!overlay.querySelector('[data-drop="upload"]')) {
    searchFor(files[0]); // Who may add nothing can still search with it.
    return;
  }
  // In an empty library there is nothing to find, so every picture is one to add.
  const nothingToFind = document.querySelector("section.start") !== null;
  if (target === "upload" || files.length > 1 || onUploadPage() || nothingToFind) uploadFiles(files);
  else searchFor(files[0]);
}

// ---- Dropping. Our own pictures being dragged also look like files, so drags that began here are left alone.

let ownDrag = false;
document.addEventListener("dragstart", () => { ownDrag = true; });
document.addEventListener("dragend", () => { ownDrag = false; });

const brings = (event, kind) => overlay && !ownDrag && [...event.dataTransfer.types].includes(kind);
const searchTarget = overlay?.querySelector('[data-drop="search"]');

/** Whether what is dragged is the address of a picture and no more. It cannot be added, only searched with. */
const bringsAddress = (event) => fetches && searchTarget && !brings(event, "Files") && brings(event, "text/uri-list");
const targetUnder = (event) => event.target.closest?.("[data-drop]");

document.addEventListener("dragover", (event) => {
  const onlyAddress = bringsAddress(event);
  if (!onlyAddress && !brings(event, "Files")) return;
  event.preventDefault();
  overlay.hidden = false;
  overlay.classList.toggle("only-search", onlyAddress);
  const under = targetUnder(event);
  for (const target of overlay.querySelectorAll("[data-drop]")) target.classList.toggle("over", target === under);
});

document.addEventListener("dragleave", (event) => {
  if (overlay && event.relatedTarget === null) overlay.hidden = true;
});

document.addEventListener("drop", async (event) => {
  if (ownDrag) return;
  event.preventDefault();
  if (!overlay) return;
  const target = targetUnder(event)?.dataset.drop;
  overlay.hidden = true;
  const address = bringsAddress(event) ? addressIn(event.dataTransfer) : "";
  if (address) {
    searchAt(address);
    return;
  }
  const folders = [...event.dataTransfer.items].some((item) => item.webkitGetAsEntry?.()?.isDirectory);
  receive(await droppedFiles(event.dataTransfer), folders ? "upload" : target);
});

/** All files of a drop, those in folders too. The entries must be taken before the first wait, or they are gone. */
async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (entries.length === 0) return [...transfer.files];
  return (await Promise.all(entries.map(filesOf))).flat();
}

async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    // A reader gives at most a hundred entries at a time, and none when it has reached the end.
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (part.length === 0) return found;
    found.push(...(await Promise.all(part.map(filesOf))).flat());
  }
}

// ---- Pasting and choosing

document.addEventListener("paste", (event) => {
  const pictures = [...(event.clipboardData?.files ?? [])].filter((file) => file.type.startsWith("image/"));
  if (pictures.length > 0) {
    event.preventDefault();
    receive(pictures, null);
    return;
  }
  const words = event.clipboardData?.getData("text/plain").trim() ?? "";
  if (!mayBeAddress(words) || !replacesAll(event.target)) return;
  event.preventDefault();
  searchAt(words);
});

/** Whether what is pasted is all that will be in the search box, or goes into no field at all. */
function replacesAll(target) {
  if (document.querySelector("dialog[open]")) return false;
  const field = target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable]");
  if (!field) return true;
  return field.id === "text" && field.selectionEnd - field.selectionStart === field.value.length;
}

document.addEventListener("change", (event) => {
  const input = event.target;
  if (input.type !== "file" || input.files.length === 0) return;
  if (input.form.matches("[data-picture-search]")) {
    showLooking(input.files[0].name, input.files[0]);
    input.form.submit();
  } else if (input.form.matches("[data-upload]")) {
    uploadFiles([...input.files]);
    input.value = "";
  }
});
