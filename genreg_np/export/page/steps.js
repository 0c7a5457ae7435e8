// The page of a model that remembers: what is in the fields is asked when a step is made, and steps follow each other.

class Steps extends Fields {
  constructor(model, answer, network) {
    super(model, answer);
    this.network = network;
    element("fields").addEventListener("submit", () => this.step()); // by its button, or the Enter key
    element("again").addEventListener("click", () => this.startAgain());
    this.startAgain();
  }

  /** Say whether a step can be made with what is in the fields. */
  ask() {
    element("step").disabled = this.values() === null;
  }

  /** Make a step: answer what is in the fields, after all that came before. */
  step() {
    const values = this.values();
    if (values === null) return;
    const before = this.state;
    this.answer.network = {
      prepare: (raw, range) => this.network.prepare(raw, range),
      outputs: (input) => { // as often as it is timed, each time from the same state
        const [after, outputs] = this.network.step(before, input);
        this.state = after;
        return outputs;
      },
    };
    this.answer.show(values, this.range);
    this.made += 1;
    element("count").textContent = `Steps so far: ${this.made}`;
  }

  /** Forget all that was seen. */
  startAgain() {
    this.state = this.network.start();
    this.made = 0;
    element("count").textContent = "No step yet";
    this.answer.clear();
  }
}

new Steps(model, answer, network);
