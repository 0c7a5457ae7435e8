// The pad: a canvas to draw on with mouse, finger, pen or keys. Each input pixel is scale x scale pixels of the pad.

const FINENESS = 448; // approximate pixels of the pad's longer side
const BRUSH = 1 / 11; // of the longer side, like MNIST's pens
const WIPE = 1.5; // width of the eraser in brushes, to remove soft edges too
const KEY_STEPS = 28; // approximate moves of the cursor along the longer side
const ERASER = 32; // the bit of a pen's eraser in PointerEvent.buttons

class Pad {
  /**
   * @param {[number, number]} shape rows and columns of the network's input
   * @param {boolean} light whether ink is dark on light, as in training
   * @param {() => void} changed called after every change
   */
  constructor([rows, columns], light, changed) {
    const longer = Math.max(rows, columns);
    this.rows = rows;
    this.columns = columns;
    this.scale = Math.max(1, Math.ceil(FINENESS / longer));
    this.stride = Math.max(1, Math.round(longer / KEY_STEPS)); // input pixels per key press
    this.brush = BRUSH * longer * this.scale;
    this.colours = light ? { ink: "#000", paper: "#fff" } : { ink: "#fff", paper: "#000" };
    this.changed = changed;
    this.canvas = element("pad");
    this.canvas.width = columns * this.scale;
    this.canvas.height = rows * this.scale;
    this.context = this.canvas.getContext("2d", { willReadFrequently: true, alpha: false });
    this.cursor = { row: rows >> 1, column: columns >> 1 };
    this.last = null; // where the pointer was
    this.clear();
    this.listen();
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => this.lift(event));
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("focus", () => this.showCursor(canvas.matches(":focus-visible")));
    canvas.addEventListener("blur", () => this.showCursor(false));
  }

  /** Clear the pad. */
  clear() {
    this.fill(this.colours.paper, 0, 0, this.canvas.width, this.canvas.height);
  }

  fill(colour, left, top, width, height) {
    this.context.fillStyle = colour;
    this.context.fillRect(left, top, width, height);
  }

  press(event) {
    if (!event.isPrimary || (event.pointerType === "mouse" && event.button !== 0)) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.showCursor(false);
    this.last = this.place(event);
    this.line(this.last, this.last, event.buttons & ERASER);
    this.changed();
  }

  move(event) {
    if (!this.last || !event.isPrimary) return;
    // Browsers combine several movements in one event: all are drawn, so that fast curves stay round.
    const between = event.getCoalescedEvents?.() ?? [];
    for (const point of between.length ? between : [event]) {
      const place = this.place(point);
      this.line(this.last, place, event.buttons & ERASER);
      this.last = place;
    }
    this.changed();
  }

  lift(event) {
    if (event.isPrimary) this.last = null;
  }

  /** Return the place of an event on the canvas. */
  place(event) {
    const frame = this.canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - frame.left) / frame.width) * this.canvas.width,
      y: ((event.clientY - frame.top) / frame.height) * this.canvas.height,
    };
  }

  /** Draw a line with round ends, or a dot if both ends are the same. */
  line(from, to, erasing) {
    const { context } = this;
    const width = this.brush * (erasing ? WIPE : 1);
    context.strokeStyle = context.fillStyle = erasing ? this.colours.paper : this.colours.ink;
    context.lineWidth = width;
    context.lineCap = "round";
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x, to.y);
    context.stroke(); // draws nothing for a line of length 0
    context.beginPath();
    context.arc(to.x, to.y, width / 2, 0, 2 * Math.PI);
    context.fill();
  }

  key(event) {
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    const painting = event.key === " " || event.key === "Enter";
    const erasing = event.key === "Backspace" || event.key === "Delete";
    if (event.ctrlKey || event.altKey || event.metaKey || !(move || painting || erasing)) return;
    event.preventDefault();
    const from = this.middle();
    if (move) {
      const within = (place, extent) => Math.max(0, Math.min(extent - 1, place));
      this.cursor.row = within(this.cursor.row + move[0] * this.stride, this.rows);
      this.cursor.column = within(this.cursor.column + move[1] * this.stride, this.columns);
    }
    if (painting || erasing || event.shiftKey) {
      this.line(from, this.middle(), erasing);
      this.changed();
    }
    this.showCursor(true);
    const done = erasing ? ", erased" : painting || event.shiftKey ? ", painted" : "";
    element("position").textContent = `row ${this.cursor.row + 1}, column ${this.cursor.column + 1}${done}`;
  }

  /** Return the middle of the cursor on the canvas. */
  middle() {
    return { x: (this.cursor.column + 0.5) * this.scale, y: (this.cursor.row + 0.5) * this.scale };
  }

  showCursor(shown) {
    const mark = element("cursor");
    mark.hidden = !shown;
    mark.style.left = `${(100 * (this.cursor.column + 0.5)) / this.columns}%`;
    mark.style.top = `${(100 * (this.cursor.row + 0.5)) / this.rows}%`;
  }

  /** Return the brightness of each pixel of the canvas, 0 .. 255. */
  levels() {
    const { data } = this.context.getImageData(0, 0, this.canvas.width, this.canvas.height);
    const levels = new Float64Array(data.length / 4);
    for (let at = 0; at < levels.length; at += 1) levels[at] = grey(data, 4 * at);
    return levels;
  }

  /** Set the brightness of each pixel of the canvas. */
  put(levels) {
    const image = this.context.createImageData(this.canvas.width, this.canvas.height);
    paint(image, levels);
    this.context.putImageData(image, 0, 0);
  }

  /** Return the input levels made from the whole pad. */
  whole(levels = this.levels()) {
    const squares = { left: 0, top: 0, step: this.scale, rows: this.rows, columns: this.columns };
    return squareMeans(levels, this.canvas.width, squares);
  }

  /** Whether a picture has the size of the input, so that its pixels are input pixels. */
  matches(bitmap) {
    return bitmap.width === this.columns && bitmap.height === this.rows;
  }

  /** Draw a picture over the whole pad, or as large as it fits in its own shape; transparent parts become white. */
  picture(bitmap, inShape) {
    const { width, height } = this.canvas;
    const ratio = Math.min(width / bitmap.width, height / bitmap.height);
    const [wide, tall] = inShape ? [bitmap.width * ratio, bitmap.height * ratio] : [width, height];
    const area = [(width - wide) / 2, (height - tall) / 2, wide, tall];
    this.fill("#fff", ...area);
    // Enlarged pixels stay squares, so that averaging over the input's squares gives the picture's own pixels.
    this.context.imageSmoothingEnabled = bitmap.width > wide || bitmap.height > tall;
    this.context.imageSmoothingQuality = "high";
    this.context.drawImage(bitmap, ...area);
  }
}
