// The page of a recurrent model: the values in the fields are answered step by step.

class Steps extends Fields {
  constructor(model, answer, network) {
    super(model, answer);
    this.network = network;
    element("fields").addEventListener("submit", () => this.step()); // by its button, or the Enter key
    element("again").addEventListener("click", () => this.startAgain());
    this.startAgain();
  }

  /** Enable the button if a step can be made with the values in the fields. */
  ask() {
    element("step").disabled = this.values() === null;
  }

  /** Make a step: answer the values in the fields, given all steps before. */
  step() {
    const values = this.values();
    if (values === null) return;
    const before = this.state;
    this.answer.network = {
      prepare: (raw, range) => this.network.prepare(raw, range),
      outputs: (input) => { // called repeatedly for timing, always from the same state
        const [after, outputs] = this.network.step(before, input);
        this.state = after;
        return outputs;
      },
    };
    this.answer.show(values, this.range);
    this.made += 1;
    element("count").textContent = `Steps so far: ${this.made}`;
  }

  /** Reset the state. */
  startAgain() {
    this.state = this.network.start();
    this.made = 0;
    element("count").textContent = "No step yet";
    this.answer.clear();
  }
}

new Steps(model, answer, network);
