// Two pictures compared: beside one another, or one laid upon the other by what is known of how they lie. Zoom and
// place are always those of both. Without this script both stand side by side, with their parts outlined.
//
// Places are in units of the left picture, whose longer side is 1000 of them; `onto` leads from the right one to it.

const LONGER_SIDE = 1000;
const STEP = 1.4; // Of zoom, for a key or a button.
const FARTHEST = 16; // Times as large as it fits.
const CLOSER = 3; // What a double click zooms to.
const ARROW_PIXELS = 60;
const WHEEL_PIXELS = 240; // Of a wheel, for one step.
const PERCENT = 100;

/** What was chosen stays chosen for the next pair. */
const chosen = { mode: "side", aligned: false, marks: true, swipe: 50, onion: 50, boost: 4, pace: 0.8 };

const still = matchMedia("(prefers-reduced-motion: reduce)");
const within = (value, low, high) => Math.min(high, Math.max(low, value));

// ---- Matrices as [a, b, c, d, e, f], as CSS has them: x' = ax + cy + e, y' = bx + dy + f.

const times = (m, n) => [
  m[0] * n[0] + m[2] * n[1], m[1] * n[0] + m[3] * n[1],
  m[0] * n[2] + m[2] * n[3], m[1] * n[2] + m[3] * n[3],
  m[0] * n[4] + m[2] * n[5] + m[4], m[1] * n[4] + m[3] * n[5] + m[5],
];
const apply = (m, [x, y]) => [m[0] * x + m[2] * y + m[4], m[1] * x + m[3] * y + m[5]];
const inverse = ([a, b, c, d, e, f]) => {
  const area = a * d - b * c;
  return [d / area, -b / area, -c / area, a / area, (c * f - d * e) / area, (b * e - a * f) / area];
};
const scaled = (x, y) => [x, 0, 0, y, 0, 0];
const corners = ([x, y, width, height]) => [[x, y], [x + width, y], [x + width, y + height], [x, y + height]];

class Viewer {
  constructor(root) {
    this.root = root;
    this.stage = root.querySelector("[data-stage]");
    this.panes = ["a", "b"].map((side) => root.querySelector(`[data-side="${side}"]`));
    this.sizes = this.panes.map(sizeOf);
    this.onto = this.alignment();
    this.marks = JSON.parse(root.dataset.marks);
    this.zoom = 1;
    this.center = [0, 0];
    this.pointers = new Map();
    this.showsOther = true;
    this.paused = still.matches;
    this.drawing = this.draw();
    this.listen();
    root.classList.add("ready");
    this.fit();
    this.choose();
  }

  /** The matrix from the right picture to the left one, both in units: as it was found, or side by side if it was not. */
  alignment() {
    const [left, right] = this.sizes;
    const found = this.root.dataset.transform.split(" ").map(Number);
    this.isFound = found.length === 6;
    const fractions = this.isFound ? inverse([found[0], found[3], found[1], found[4], found[2], found[5]]) : scaled(1, 1);
    return times(times(scaled(...left), fractions), scaled(1 / right[0], 1 / right[1]));
  }

  get isLaid() { return chosen.mode !== "side"; }
  get isAligned() { return this.isLaid || (chosen.aligned && this.isFound); }

  /** The box in units that has to be seen whole when nothing is enlarged: both pictures, if one lies on the other. */
  frame(side) {
    const own = corners([0, 0, ...this.sizes[side]]);
    const points = this.isAligned ? [...corners([0, 0, ...this.sizes[0]]), ...corners([0, 0, ...this.sizes[1]]).map((point) => apply(this.onto, point))] : own;
    const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
    const [left, top] = [Math.min(...xs), Math.min(...ys)];
    return [left, top, Math.max(...xs) - left, Math.max(...ys) - top];
  }

  /** The place on the stage of one of both panes: x, y, width, height in pixels. */
  room(side) {
    const [outer, inner] = [this.stage.getBoundingClientRect(), this.panes[side].getBoundingClientRect()];
    return [inner.left - outer.left, inner.top - outer.top, inner.width, inner.height];
  }

  /** The matrix from units of this picture to pixels of its pane. */
  matrix(side) {
    const [, , width, height] = this.room(side);
    const frame = this.frame(side);
    const scale = this.zoom * Math.min(width / frame[2], height / frame[3]);
    let center = this.center;
    if (!this.isAligned && side === 1) {
      center = this.isFound ? apply(inverse(this.onto), center) : center.map((value, at) => (value * this.sizes[1][at]) / this.sizes[0][at]);
    }
    const [x, y] = [0, 1].map((at) => {
      const half = (at === 0 ? width : height) / 2 / scale;
      const [low, high] = [frame[at] + half, frame[at] + frame[at + 2] - half];
      return low > high ? frame[at] + frame[at + 2] / 2 : within(center[at], low, high);
    });
    const view = [scale, 0, 0, scale, width / 2 - x * scale, height / 2 - y * scale];
    return this.isAligned && side === 1 ? times(view, this.onto) : view;
  }

  // ---- What is seen

  fit() {
    this.zoom = 1;
    const frame = this.frame(0);
    this.center = [frame[0] + frame[2] / 2, frame[1] + frame[3] / 2];
    this.render();
  }

  /** Zoom so that what lies at this pixel of the stage stays there. */
  zoomTo(zoom, pixel = null) {
    const side = pixel && this.paneAt(pixel);
    const before = pixel && this.unitsAt(side, pixel);
    this.zoom = within(zoom, 1, FARTHEST);
    if (pixel) {
      const after = this.unitsAt(side, pixel);
      this.center = this.center.map((value, at) => value + before[at] - after[at]);
    }
    this.settle();
    this.render();
  }

  moveBy(x, y) {
    const [, , width, height] = this.room(0);
    const frame = this.frame(0);
    const scale = this.zoom * Math.min(width / frame[2], height / frame[3]);
    this.center = [this.center[0] - x / scale, this.center[1] - y / scale];
    this.settle();
    this.render();
  }

  /** Keep the middle where the picture still fills its pane, so that a move back is felt at once. */
  settle() {
    if (!this.hasRoom) return;
    const [, , width, height] = this.room(0);
    const frame = this.frame(0);
    const scale = this.zoom * Math.min(width / frame[2], height / frame[3]);
    this.center = this.center.map((value, at) => {
      const half = (at === 0 ? width : height) / 2 / scale;
      const [low, high] = [frame[at] + half, frame[at] + frame[at + 2] - half];
      return low > high ? frame[at] + frame[at + 2] / 2 : within(value, low, high);
    });
  }

  paneAt([x, y]) {
    if (this.isLaid) return 0;
    const [left, top, width, height] = this.room(1);
    return x >= left && x <= left + width && y >= top && y <= top + height ? 1 : 0;
  }

  /** Where a pixel of the stage lies, in units of the left picture. */
  unitsAt(side, [x, y]) {
    const [left, top] = this.room(side);
    const own = apply(inverse(this.matrix(side)), [x - left, y - top]);
    if (side === 0) return own;
    if (this.isAligned || this.isFound) return apply(this.onto, own);
    return own.map((value, at) => (value * this.sizes[0][at]) / this.sizes[1][at]);
  }

  /** Whether the panes have a size yet: a page that takes the place of another one is laid out after it is there. */
  get hasRoom() { return [0, 1].every((side) => this.room(side).slice(2).every((length) => length > 0)); }

  render() {
    if (!this.hasRoom) return; // The observer of its size renders when there is something to see.
    const matrices = [this.matrix(0), this.matrix(1)];
    this.panes.forEach((pane, side) => {
      pane.querySelector("img").style.transform = `matrix(${matrices[side].join(",")})`;
      // The difference is that of what both show; the rest of one alone would be all light.
      const other = times(inverse(matrices[side]), matrices[1 - side]);
      const shared = corners([0, 0, ...this.sizes[1 - side]]).map((point) => apply(other, point).map((value) => `${value}px`).join(" "));
      pane.querySelector("img").style.clipPath = chosen.mode === "difference" ? `polygon(${shared.join(",")})` : "";
    });
    const [left, top, width, height] = this.room(1);
    const isSwipe = chosen.mode === "swipe";
    this.panes[1].style.clipPath = isSwipe ? `inset(0 0 0 ${chosen.swipe}%)` : "";
    this.panes[1].style.opacity = chosen.mode === "onion" ? chosen.onion / PERCENT : chosen.mode === "flicker" && !this.showsOther ? 0 : "";
    this.stage.style.setProperty("--boost", chosen.boost);
    this.stage.style.setProperty("--swipe", `${chosen.swipe}%`);
    this.stage.classList.toggle("zoomed", this.zoom > 1);
    this.root.querySelector("[data-zoomed]").textContent = `${(Math.round(this.zoom * 10) / 10).toLocaleString(document.documentElement.lang)}×`;
    this.root.querySelector('[data-enlarge="out"]').disabled = this.zoom <= 1;
    this.root.querySelector('[data-enlarge="in"]').disabled = this.zoom >= FARTHEST;
    this.outline(matrices, [this.room(0), [left, top, width, height]]);
  }

  /** Draw the outlines of the evidence, whose lines are as thin at every zoom. */
  outline(matrices, rooms) {
    rooms.forEach(([x, y, width, height], side) => {
      const part = this.drawing.children[side];
      Object.entries({ x, y, width, height }).forEach(([name, value]) => part.setAttribute(name, value));
    });
    for (const [mark, ...shapes] of this.shapes) {
      const side = mark.of === "a" ? 0 : 1;
      const [width, height] = this.sizes[side];
      const points = corners(mark.box).map(([x, y]) => apply(matrices[side], [x * width, y * height]).join(","));
      for (const shape of shapes) shape.setAttribute("points", points.join(" "));
    }
    this.drawing.toggleAttribute("hidden", !chosen.marks || chosen.mode === "difference");
    // Of what lies upon one another, one outline says it.
    this.drawing.children[1].toggleAttribute("hidden", this.isLaid && this.marks.some(({ of }) => of === "a"));
  }

  draw() {
    const { namespaceURI } = this.root.querySelector("svg");
    const make = (name, parent) => parent.appendChild(document.createElementNS(namespaceURI, name));
    const drawing = make("svg", this.stage);
    drawing.setAttribute("class", "versus-marks");
    drawing.setAttribute("aria-hidden", "true");
    const parts = [make("svg", drawing), make("svg", drawing)];
    this.shapes = this.marks.map((mark) => {
      const parent = parts[mark.of === "a" ? 0 : 1];
      return [mark, ...["versus-mark-under", "versus-mark"].map((name) => {
        const shape = make("polygon", parent);
        shape.setAttribute("class", name);
        return shape;
      })];
    });
    return drawing;
  }

  // ---- What is chosen

  choose() {
    const { root } = this;
    for (const radio of root.querySelectorAll("[data-mode]")) radio.checked = radio.value === chosen.mode;
    for (const slider of root.querySelectorAll("[data-slider]")) {
      slider.value = chosen[slider.dataset.slider];
      this.tell(slider);
    }
    for (const box of root.querySelectorAll("[data-switch]")) box.checked = chosen[box.dataset.switch];
    for (const part of root.querySelectorAll("[data-of-mode]")) part.hidden = part.dataset.ofMode !== chosen.mode;
    for (const part of root.querySelectorAll("[data-not-mode]")) part.hidden = part.dataset.notMode === chosen.mode;
    this.stage.dataset.mode = chosen.mode;
    this.flicker();
    this.settle();
    this.render();
  }

  /** Say the value of a slider with its unit, as a person reads it. */
  tell(slider) {
    const text = slider.dataset.said.replace("{}", Number(slider.value).toLocaleString(document.documentElement.lang));
    slider.setAttribute("aria-valuetext", text);
    slider.closest("label").querySelector("output").textContent = text;
  }

  /** Show one and the other in turn, unless somebody wants nothing to move; then by the button alone. */
  flicker() {
    clearInterval(this.timer);
    const runs = chosen.mode === "flicker" && !this.paused;
    if (chosen.mode !== "flicker") this.showsOther = true;
    const button = this.root.querySelector("[data-pause]");
    button.setAttribute("aria-pressed", String(this.paused));
    if (!runs) return;
    this.timer = setInterval(() => {
      if (!this.root.isConnected) clearInterval(this.timer);
      else this.turn();
    }, chosen.pace * 1000);
  }

  turn() {
    this.showsOther = !this.showsOther;
    this.render();
  }

  // ---- Hands

  listen() {
    const { root, stage } = this;
    root.addEventListener("change", (event) => {
      const { mode, switch: name } = event.target.dataset;
      if (mode !== undefined) {
        chosen.mode = event.target.value;
        this.fit();
      }
      if (name) chosen[name] = event.target.checked;
      if (name === "aligned") this.fit();
      if (mode !== undefined || name) this.choose();
    });
    root.addEventListener("input", (event) => {
      const name = event.target.dataset.slider;
      if (!name) return;
      chosen[name] = Number(event.target.value);
      this.tell(event.target);
      if (name === "pace") this.flicker();
      this.render();
    });
    root.addEventListener("click", (event) => {
      const zoom = event.target.closest("[data-enlarge]")?.dataset.enlarge;
      if (zoom === "in") this.zoomTo(this.zoom * STEP);
      if (zoom === "out") this.zoomTo(this.zoom / STEP);
      if (zoom === "fit") this.fit();
      if (event.target.closest("[data-pause]")) {
        this.paused = !this.paused || still.matches;
        this.flicker();
      }
      if (event.target.closest("[data-turn]")) this.turn();
    });
    stage.addEventListener("wheel", (event) => this.wheeled(event), { passive: false });
    stage.addEventListener("pointerdown", (event) => this.pressed(event));
    stage.addEventListener("pointermove", (event) => this.dragged(event));
    for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
    stage.addEventListener("dblclick", (event) => (this.zoom > 1 ? this.fit() : this.zoomTo(CLOSER, this.pixel(event))));
    stage.addEventListener("keydown", (event) => this.typed(event));
    new ResizeObserver(() => { this.settle(); this.render(); }).observe(stage);
    still.addEventListener("change", () => { this.paused = still.matches; this.flicker(); });
  }

  pixel(event) {
    const box = this.stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /** A wheel zooms; where it can zoom out no further it scrolls the page on. */
  wheeled(event) {
    const zoom = within(this.zoom * STEP ** (-event.deltaY / WHEEL_PIXELS), 1, FARTHEST);
    if (zoom === this.zoom && !event.ctrlKey) return;
    event.preventDefault();
    this.zoomTo(zoom, this.pixel(event));
  }

  pressed(event) {
    if (event.button !== 0) return;
    this.stage.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.pixel(event));
    this.dragsLine = event.target.closest("[data-divider]") !== null;
  }

  dragged(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const after = this.pixel(event);
    if (this.dragsLine) {
      chosen.swipe = Math.round(within((PERCENT * after[0]) / this.stage.clientWidth, 0, PERCENT));
      const slider = this.root.querySelector('[data-slider="swipe"]');
      slider.value = chosen.swipe;
      this.tell(slider);
      this.render();
    } else if (this.pointers.size === 1) {
      if (this.zoom > 1) this.moveBy(after[0] - before[0], after[1] - before[1]);
    } else {
      const [other] = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      const distance = ([x, y]) => Math.hypot(x - other[0], y - other[1]);
      const middle = [(after[0] + other[0]) / 2, (after[1] + other[1]) / 2];
      if (distance(before) > 0) this.zoomTo((this.zoom * distance(after)) / distance(before), middle);
      this.moveBy((after[0] - before[0]) / 2, (after[1] - before[1]) / 2);
    }
    this.pointers.set(event.pointerId, after);
  }

  typed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== this.stage) return;
    const moves = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const move = moves[event.key];
    if (event.key === "+" || event.key === "=") this.zoomTo(this.zoom * STEP);
    else if (event.key === "-") this.zoomTo(this.zoom / STEP);
    else if (event.key === "0") this.fit();
    else if (move && this.zoom > 1) this.moveBy(move[0] * ARROW_PIXELS, move[1] * ARROW_PIXELS);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

function sizeOf(pane) {
  const picture = pane.querySelector("img");
  const [width, height] = ["width", "height"].map((name) => Number(picture.getAttribute(name)));
  const unit = LONGER_SIDE / Math.max(width, height);
  picture.style.width = `${width * unit}px`;
  picture.style.height = `${height * unit}px`;
  return [width * unit, height * unit];
}

/** Choose the way of comparing that has this name, if there is a viewer. */
export function showAs(mode) {
  const radio = document.querySelector(`[data-pair] [data-mode][value="${mode}"]`);
  radio?.click();
  return Boolean(radio);
}

function begin() {
  for (const root of document.querySelectorAll("[data-pair]:not(.ready)")) new Viewer(root);
}

begin();
document.addEventListener("htmx:load", begin);
