// The part of a picture that is searched: drawn with a pointer, moved with the keys, and always the same as the numbers.

const STEP = 1; // Percent that an arrow key moves or stretches by.
const SMALLEST = 2; // Percent: below that a box is a click that slipped.
const SIDES = ["left", "top", "width", "height"];

const picture = document.querySelector("[data-region]");
const box = picture?.querySelector("[data-region-box]");
const fields = SIDES.map((side) => document.getElementById(`region-${side}`));
const within = (value, low, high) => Math.min(high, Math.max(low, value));

function numbers() {
  return fields.map((field) => Number(field.value) || 0);
}

function show() {
  const sides = numbers();
  SIDES.forEach((side, at) => { box.style[side] = `${sides[at]}%`; });
}

function write(left, top, width, height) {
  [left, top, width, height].forEach((value, at) => { fields[at].value = value.toFixed(1); });
  show();
}

/** The place of a pointer in percent of the picture. */
function place(event) {
  const area = picture.getBoundingClientRect();
  return [
    within((100 * (event.clientX - area.left)) / area.width, 0, 100),
    within((100 * (event.clientY - area.top)) / area.height, 0, 100),
  ];
}

let start = null; // Where a new box began, or where an old one was taken.
let taken = null; // The box as it was when it was taken to be moved.

function began(event) {
  if (event.button !== 0) return;
  event.preventDefault();
  picture.setPointerCapture(event.pointerId);
  start = place(event);
  taken = event.target === box ? numbers() : null;
  box.focus({ preventScroll: true });
}

function drawn(event) {
  if (!start) return;
  const [x, y] = place(event);
  if (taken) {
    const [left, top, width, height] = taken;
    write(within(left + x - start[0], 0, 100 - width), within(top + y - start[1], 0, 100 - height), width, height);
    return;
  }
  const [width, height] = [Math.abs(x - start[0]), Math.abs(y - start[1])];
  if (width >= SMALLEST && height >= SMALLEST) write(Math.min(x, start[0]), Math.min(y, start[1]), width, height);
}

function pressed(event) {
  const directions = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
  const direction = directions[event.key];
  if (!direction) return;
  event.preventDefault();
  const [x, y] = direction;
  const [left, top, width, height] = numbers();
  if (event.shiftKey) write(left, top, within(width + x, SMALLEST, 100 - left), within(height + y, SMALLEST, 100 - top));
  else write(within(left + x, 0, 100 - width), within(top + y, 0, 100 - height), width, height);
}

if (box) {
  picture.addEventListener("pointerdown", began);
  picture.addEventListener("pointermove", drawn);
  for (const end of ["pointerup", "pointercancel"]) picture.addEventListener(end, () => { start = null; });
  box.addEventListener("keydown", pressed);
  fields.forEach((field) => field.addEventListener("input", show));
  show();
}
