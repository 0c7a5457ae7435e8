// The page of a model that takes images in colour, or in grey with one channel: photographs become the network's input.

const PREVIEW = 800; // largest size of a preview's longer side in pixels

class Photograph {
  constructor({ input_shape: [channels, rows, columns], fit }, answer) {
    this.answer = answer;
    this.channels = channels;
    this.rows = rows;
    this.columns = columns;
    this.bitmap = null;
    this.name = "";
    this.sees = element("sees");
    this.sees.width = columns;
    this.sees.height = rows;
    this.fit = element("fit");
    this.fit.value = fit;
    this.fit.addEventListener("change", () => this.bitmap && this.ask());
    onPicture((bitmap, name) => {
      this.bitmap?.close();
      this.bitmap = bitmap;
      this.name = name;
      this.ask();
    });
  }

  /** Show the network's view of the photograph, and its answer. */
  ask() {
    const { bitmap, rows, columns } = this;
    const areas = areasOf(bitmap, rows, columns, this.fit.value);
    const fitted = fittedLevels(bitmap, [this.channels, rows, columns], this.fit.value);
    this.preview(areas);
    if (fitted) {
      this.paint(fitted.levels);
      this.answer.show(fitted.levels, [0, 255]);
    } else {
      this.sees.getContext("2d").clearRect(0, 0, columns, rows);
      this.answer.clear();
    }
    element("notice").textContent = fitted ? this.notes(areas, fitted.ground) : emptyNote(this.name);
  }

  /** Return a note on how the photograph was used. */
  notes(areas, ground) {
    const size = `${this.name}: ${this.bitmap.height} × ${this.bitmap.width} pixels (height × width)`;
    return [size, this.taken(areas), groundNote(ground)].filter(Boolean).join(", ");
  }

  /** Return a note on which part of the photograph was used. */
  taken({ left, top, wide, tall }) {
    if (left < 0 || top < 0) return "all of it, with black beside it";
    const [width, height] = [wide * this.columns, tall * this.rows].map(Math.round);
    if (left > 0 || top > 0) return `the middle ${height} × ${width} of it`;
    if (wide !== tall) return "all of it, stretched";
    return wide === 1 ? "taken pixel by pixel" : "all of it";
  }

  /** Show the photograph, with parts that are not used in pale colours. */
  preview({ left, top, wide, tall }) {
    const { width, height } = this.bitmap;
    const canvas = element("photograph");
    const scale = Math.min(1, PREVIEW / Math.max(width, height));
    canvas.width = Math.max(1, Math.round(width * scale));
    canvas.height = Math.max(1, Math.round(height * scale));
    const context = canvas.getContext("2d");
    const draw = () => context.drawImage(this.bitmap, 0, 0, canvas.width, canvas.height);
    context.fillStyle = "#fff";
    context.imageSmoothingQuality = "high";
    context.globalAlpha = 0.25;
    draw();
    context.globalAlpha = 1;
    context.beginPath();
    context.rect(left * scale, top * scale, wide * this.columns * scale, tall * this.rows * scale);
    context.clip();
    context.fillRect(0, 0, canvas.width, canvas.height);
    draw();
    canvas.hidden = false;
    canvas.setAttribute("aria-label", this.name);
    const button = element("choose");
    button.textContent = "Choose another";
    button.classList.remove("invitation");
  }

  paint(levels) {
    const image = new ImageData(this.columns, this.rows);
    const area = this.rows * this.columns;
    for (let pixel = 0; pixel < area; pixel += 1) {
      for (let colour = 0; colour < 3; colour += 1) {
        image.data[4 * pixel + colour] = levels[(colour % this.channels) * area + pixel];
      }
      image.data[4 * pixel + 3] = 255;
    }
    this.sees.getContext("2d").putImageData(image, 0, 0);
  }
}

new Photograph(model, answer);
