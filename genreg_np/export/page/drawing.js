// The page of a model that takes grey images: the content of the pad becomes the network's input.

class Drawing {
  constructor(model, answer) {
    this.answer = answer;
    this.settings = model.drawing;
    this.pad = new Pad(model.input_shape, this.settings.light, () => this.drawn());
    this.picture = null; // the picture on the pad, until something is drawn over it: { bitmap, name, reversed }
    this.centring = element("mnist"); // a switch, for models of MNIST's kind
    this.sees = element("sees");
    [this.sees.height, this.sees.width] = model.input_shape;
    this.timer = null;
    this.pause = 0; // milliseconds from a change to the answer
    element("clear").addEventListener("click", () => this.clear());
    element("swap").addEventListener("click", () => this.swap());
    this.centring?.addEventListener("change", () => (this.picture ? this.place() : this.ask()));
    onPicture((bitmap, name) => {
      this.picture = { bitmap, name, reversed: false };
      this.place();
    });
    this.ask();
  }

  /** Answer soon, but let the network take at most half of the time, so that drawing stays fluent. */
  drawn() {
    this.forget();
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.ask();
    }, this.pause);
  }

  clear() {
    this.pad.clear();
    this.forget();
    this.ask();
  }

  forget() {
    this.picture = null;
    element("swap").hidden = true;
    element("notice").textContent = "";
  }

  swap() {
    this.picture.reversed = !this.picture.reversed;
    this.place();
  }

  /** Put the picture on the pad and answer. */
  place() {
    const { bitmap, name } = this.picture;
    const { background, fit } = this.settings;
    const whole = this.pad.matches(bitmap);
    const placed =
      fit && !this.isCentred()
        ? placeFitted(this.pad, this.picture, this.settings)
        : { swapped: placePicture(this.pad, this.picture, background, this.isCentred()) };
    if (!placed) {
      this.clear();
      element("notice").textContent = emptyNote(name);
      return;
    }
    const { swapped, note } = placed;
    const notes = [name, whole ? "taken pixel by pixel" : "", note, swapped ? "black and white swapped" : ""];
    element("swap").hidden = false;
    this.ask();
    element("notice").textContent = notes.filter(Boolean).join(", ");
  }

  /** Whether ink is centred and scaled; a picture of the input's own size is used as it is. */
  isCentred() {
    return Boolean(this.centring?.checked) && !(this.picture && this.pad.matches(this.picture.bitmap));
  }

  /** Show the input made from the pad, and the network's answer. */
  ask() {
    const { pad } = this;
    const levels = pad.levels();
    const squares = this.isCentred() ? mnistSquares(levels, pad.canvas.width) : null;
    const input = squares ? squareMeans(levels, pad.canvas.width, squares) : pad.whole(levels);
    const image = new ImageData(pad.columns, pad.rows);
    paint(image, input);
    this.sees.getContext("2d").putImageData(image, 0, 0);
    const empty = input.every((level) => level === (this.settings.light ? 255 : 0));
    if (empty) this.answer.clear();
    else this.pause = this.answer.show(input, [0, 255]);
  }
}

new Drawing(model, answer);
