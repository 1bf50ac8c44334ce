// The queue of moderation: all pictures of a page are selected with one button. Revealing and deciding need no script.

document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-select-all]")) return;
  const boxes = [...document.querySelectorAll(".case-select input")];
  const wanted = boxes.some((box) => !box.checked);
  // Clicked, so that what counts the selection hears of it.
  for (const box of boxes) if (box.checked !== wanted) box.click();
});
