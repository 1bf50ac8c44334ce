// The picture at its full size: a click goes to that point, dragging moves it, Escape or a click goes back.

const viewer = () => document.getElementById("viewer");
const isZoomed = () => viewer()?.classList.contains("zoomed");

/** Zoom so that the point at these fractions of the picture stays under the pointer, or in the middle. */
function zoomTo(across, down) {
  const place = viewer();
  const scroll = place.querySelector(".viewer-scroll");
  place.style.setProperty("--natural", `${Math.max(naturalWidth(), scroll.clientWidth * 2)}px`);
  place.classList.add("zoomed");
  const picture = scroll.querySelector("img");
  scroll.scrollLeft = picture.offsetWidth * across - scroll.clientWidth / 2;
  scroll.scrollTop = picture.offsetHeight * down - scroll.clientHeight / 2;
  pressed(true);
}

/** One pixel of the picture for one of the screen; a small picture is at least doubled. */
function naturalWidth() {
  return Number(viewer().dataset.width) / window.devicePixelRatio;
}

function fit() {
  viewer().classList.remove("zoomed");
  pressed(false);
}

function pressed(on) {
  document.querySelector("[data-zoom-button]")?.setAttribute("aria-pressed", String(on));
}

let drag = null;
let dragged = false;

document.addEventListener("pointerdown", (event) => {
  const scroll = event.target.closest(".viewer.zoomed .viewer-scroll");
  dragged = false;
  if (!scroll || event.pointerType !== "mouse") return;
  drag = { scroll, x: event.clientX, y: event.clientY, left: scroll.scrollLeft, top: scroll.scrollTop };
});

const DRAG_PIXELS = 4;

document.addEventListener("pointermove", (event) => {
  if (!drag) return;
  const [x, y] = [event.clientX - drag.x, event.clientY - drag.y];
  if (Math.hypot(x, y) > DRAG_PIXELS) dragged = true;
  drag.scroll.scrollTo(drag.left - x, drag.top - y);
});

document.addEventListener("pointerup", () => { drag = null; });

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-zoom]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    if (dragged) return;
    if (isZoomed()) fit();
    else {
      const box = link.querySelector("img").getBoundingClientRect();
      // Opened by the keyboard, a click has no place; then the middle is meant.
      const byKey = event.detail === 0;
      zoomTo(byKey ? 0.5 : (event.clientX - box.left) / box.width, byKey ? 0.5 : (event.clientY - box.top) / box.height);
    }
  }
  if (event.target.closest("[data-zoom-button]")) {
    if (isZoomed()) fit();
    else zoomTo(0.5, 0.5);
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && isZoomed()) fit();
});
