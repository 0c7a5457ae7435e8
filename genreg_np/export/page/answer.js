// The network's answer: the classes' probabilities as bars, or values as numbers.

const MOST_CLASSES = 10; // rows of classes: if there are more, the most probable are shown
const MOST_VALUES = 100;
const SETTLED_MS = 700; // after which an unchanged answer is announced and timed
const TIMING_MS = 20; // for all batches
const BATCH_MS = 5; // for one batch, as a browser's clock is coarse

class Answer {
  constructor(network, names, valueNames, outputCount, reject) {
    this.network = network;
    this.names = names; // of the classes; empty if outputs are values
    this.valueNames = valueNames; // of the values, if they have any
    this.reject = reject; // answers of lower probability are unsure
    this.settling = 0;
    element("outputs-caption").textContent = names.length ? "Probability of each class" : "Values";
    const count = Math.min(outputCount, names.length ? MOST_CLASSES : MOST_VALUES);
    this.rows = Array.from({ length: count }, () => this.addRow());
    this.all = count === outputCount;
    this.clear();
  }

  addRow() {
    const row = element("outputs").tBodies[0].insertRow();
    const name = made("th");
    name.scope = "row";
    const cell = made("td", "", "bar");
    const track = made("div");
    const bar = made("span");
    cell.setAttribute("aria-hidden", "true");
    cell.hidden = !this.names.length;
    track.append(bar);
    cell.append(track);
    const amount = made("td", "", "amount");
    row.append(name, cell, amount);
    return { row, name, bar, amount };
  }

  /** Show an empty answer. */
  clear() {
    clearTimeout(this.settling);
    element("announcement").textContent = "";
    this.rows.forEach((row, index) => this.fill(row, index, null, false));
    this.headline("–", "");
  }

  /** Answer raw input values in `range`; return the milliseconds it took. */
  show(raw, range) {
    const started = performance.now();
    const outputs = this.network.outputs(this.network.prepare(raw, range));
    const took = performance.now() - started;
    const said = this.names.length ? this.showClasses(Network.probabilities(outputs)) : this.showValues(outputs);
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.settle(said, raw, range), SETTLED_MS);
    return took;
  }

  showClasses(probabilities) {
    // A stable sort: of ties, the lowest class is first.
    const order = Array.from(probabilities.keys()).sort((a, b) => probabilities[b] - probabilities[a]);
    const best = order[0];
    this.rows.forEach((row, place) => {
      const index = this.all ? place : order[place];
      this.fill(row, index, probabilities[index], index === best);
    });
    const unsure = probabilities[best] < this.reject;
    const said = unsure ? `Unsure: perhaps ${this.names[best]}` : this.names[best];
    const certainty = percent(probabilities[best]) + (unsure ? `, below ${number(100 * this.reject)} %` : "");
    this.headline(said, certainty);
    return `${said}, ${certainty}`;
  }

  showValues(values) {
    this.rows.forEach((row, index) => this.fill(row, index, values[index], false));
    return Array.from(values.subarray(0, this.rows.length), number).join(", ");
  }

  /** Fill a row with an output, or with a dash for null. */
  fill({ row, name, bar, amount }, index, value, isBest) {
    const form = this.names.length ? percent : number;
    row.classList.toggle("best", isBest);
    name.textContent = this.names[index] ?? this.valueNames[index] ?? `Output ${index + 1}`;
    name.title = name.textContent; // in full, as the row may cut it
    bar.style.transform = `scaleX(${value ?? 0})`;
    amount.textContent = value === null ? "–" : form(value);
  }

  headline(name, certainty) {
    if (!this.names.length) return;
    element("best").textContent = name;
    element("best").classList.toggle("long", name.length > 3);
    element("certainty").textContent = certainty;
  }

  /** Announce an answer that has settled, and show how long the network takes for it. */
  settle(said, raw, range) {
    element("announcement").textContent = said;
    const each = Number(this.timed(raw, range).toPrecision(2));
    element("time").textContent = `${each} ms per prediction, in JavaScript on this device`;
  }

  /** Return the milliseconds per prediction: the least of several batches, to exclude other work of the device. */
  timed(raw, range) {
    const began = performance.now();
    let least = Infinity;
    do {
      const started = performance.now();
      let runs = 0;
      do {
        this.network.outputs(this.network.prepare(raw, range));
        runs += 1;
      } while (performance.now() - started < BATCH_MS);
      least = Math.min(least, (performance.now() - started) / runs);
    } while (performance.now() - began < TIMING_MS);
    return least;
  }
}

const percent = (fraction) => `${(100 * fraction).toFixed(1)} %`;
const number = (value) => String(Number(value.toPrecision(6)));

const network = new Network(model);
const answer = new Answer(network, model.class_names, model.value_names, model.output_count, model.reject);
