// Addresses of pictures on the web, in place of pictures: typed into the search box, pasted or dropped. The server fetches
// them; it is only ever asked to by something a person has just done on this page.

import { showLooking } from "./looking.js";

const form = document.getElementById("picture-search");

/** Whether this server fetches pictures at all. */
export const fetches = Boolean(form?.elements.url);

export const mayBeAddress = (words) => fetches && /^https?:\/\/\S+$/i.test(words);

/** The address of a dragged picture: where a picture is inside a link, that of the picture. "" where there is none. */
export function addressIn(transfer) {
  const dragged = new DOMParser().parseFromString(transfer.getData("text/html"), "text/html");
  const listed = transfer.getData("text/uri-list").split(/[\r\n]+/).filter((line) => line && !line.startsWith("#"));
  const found = [dragged.querySelector("img")?.getAttribute("src") ?? "", ...listed];
  return found.find((address) => mayBeAddress(address)) ?? "";
}

/** Have the picture at an address searched for, with the filters that are set. */
export function searchAt(address) {
  form.reset();
  form.elements.url.value = address;
  showLooking(address);
  form.submit();
}

// On its way down, before the form of the words is sent.
document.addEventListener("submit", (event) => {
  const words = document.getElementById("text")?.value.trim() ?? "";
  if (event.target.id !== "search" || !mayBeAddress(words)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  searchAt(words);
}, { capture: true });

document.addEventListener("submit", (event) => {
  if (event.target === form && event.submitter?.name === "url") showLooking(event.submitter.value);
});
