// The page of a generator: sliders for its input noise, the resulting image, and other images to choose from.

const OTHERS = 24;
const SETTLED_MS = 700; // after which an unchanged image is announced
const WIDEST = 2.5; // range of a slider for normal noise, in standard deviations

/** Return a random number of the kind of noise that the generator was trained on. */
function noisy({ kind, spread }) {
  if (kind === "uniform") return 2 * Math.random() - 1;
  const normal = Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  if (kind === "normal") return spread * normal;
  return Math.abs(normal) < spread ? normal : noisy({ kind, spread });
}

class Noise {
  constructor(network, { noise, image, classes }) {
    this.network = network;
    this.noise = noise;
    this.image = image; // channels, rows, columns
    this.classes = classes;
    const most = { uniform: 1, normal: WIDEST * noise.spread, truncated: noise.spread }[noise.kind];
    this.sliders = Array.from({ length: noise.size }, (_, index) => this.slider(index, most));
    element("noise").addEventListener("submit", (event) => event.preventDefault());
    element("another").addEventListener("click", () => this.set(this.drawn()));
    element("middle").addEventListener("click", () => this.set(this.sliders.map(() => 0)));
    element("others").addEventListener("click", () => this.others());
    this.chosen = element("class");
    if (this.chosen) this.chosen.addEventListener("change", () => this.show());
    this.set(this.drawn());
    this.others();
  }

  /** Return a new slider, from -most to most. */
  slider(index, most) {
    const label = made("label");
    const input = made("input");
    Object.assign(input, { type: "range", min: -most, max: most, step: most / 100 });
    input.setAttribute("aria-label", `Noise ${index + 1}`);
    input.addEventListener("input", () => {
      this.exact[index] = Number(input.value);
      this.show();
    });
    label.append(made("span", index + 1), input);
    element("noise").append(label);
    return input;
  }

  drawn() {
    return this.sliders.map(() => noisy(this.noise));
  }

  /** Move the sliders to some noise, and show its image. */
  set(noise) {
    this.sliders.forEach((slider, index) => (slider.value = noise[index]));
    this.exact = [...noise]; // a slider has steps and ends
    this.show();
  }

  /** Show the image of the noise that is set. */
  show() {
    const started = performance.now();
    this.draw(element("image"), this.exact, this.chosen ? this.chosen.selectedIndex : 0);
    element("time").textContent = `Drawn in ${(performance.now() - started).toFixed(1)} ms on this device.`;
    clearTimeout(this.settling);
    this.settling = setTimeout(() => (element("announcement").textContent = "A new image is shown."), SETTLED_MS);
  }

  /** Show other images, with classes in turn; a chosen one becomes the large image. */
  others() {
    const buttons = Array.from({ length: OTHERS }, (_, index) => {
      const noise = this.drawn();
      const asked = this.classes.length ? index % this.classes.length : 0;
      const button = made("button");
      const canvas = made("canvas");
      button.type = "button";
      button.setAttribute("aria-label", `Image ${index + 1}${this.classes.length ? `, ${this.classes[asked]}` : ""}`);
      [, canvas.height, canvas.width] = this.image;
      this.draw(canvas, noise, asked);
      button.append(canvas);
      button.addEventListener("click", () => {
        if (this.chosen) this.chosen.selectedIndex = asked;
        this.set(noise);
      });
      return button;
    });
    element("more").replaceChildren(...buttons);
  }

  /** Draw the image of some noise and a class on a canvas. */
  draw(canvas, noise, asked) {
    const [channels, rows, columns] = this.image;
    const input = Float32Array.from([...noise, ...this.classes.map((_, index) => Number(index === asked))]);
    const values = this.network.outputs(input);
    const pixels = new ImageData(columns, rows);
    for (let at = 0; at < rows * columns; at += 1) {
      for (let colour = 0; colour < 3; colour += 1) {
        const channel = channels === 3 ? colour : 0;
        pixels.data[4 * at + colour] = Math.round(255 * values[channel * rows * columns + at]);
      }
      pixels.data[4 * at + 3] = 255;
    }
    canvas.getContext("2d").putImageData(pixels, 0, 0);
  }
}

new Noise(new Network(model), model.generator);
