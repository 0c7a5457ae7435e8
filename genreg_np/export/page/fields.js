// The page of a model that takes numbers: a field for each, or one for all if there are many.

const MOST_FIELDS = 40;

class Fields {
  constructor(model, answer) {
    this.answer = answer;
    this.range = model.input_range;
    this.names = model.feature_names;
    this.count = model.start.length;
    const form = element("fields");
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => this.ask());
    if (this.count > MOST_FIELDS) {
      const text = made("textarea");
      text.rows = 12;
      text.value = model.start.join(", ");
      this.inputs = [text];
      const order = this.names.length ? `, in this order: ${this.names.join(", ")}` : "";
      this.add(form, `${this.count} numbers, separated by spaces, commas or line ends${this.bounds()}${order}`, text);
    } else {
      this.inputs = model.start.map((value, index) => {
        const field = made("input");
        field.type = "number";
        field.step = "any";
        field.value = value;
        this.add(form, `${this.name(index)}${this.bounds()}`, field);
        return field;
      });
    }
    this.ask();
  }

  /** Add a labelled field to the form. */
  add(form, text, field) {
    const label = made("label");
    label.append(made("span", text), field);
    form.append(label);
  }

  /** Return the name of a feature, or a default if it is empty. */
  name(index) {
    return this.names[index] || `Feature ${index + 1}`;
  }

  bounds() {
    return this.range ? `, ${this.range[0]} to ${this.range[1]}` : "";
  }

  /** Answer the values in the fields. */
  ask() {
    const values = this.values();
    if (values === null) this.answer.clear();
    else this.answer.show(values, this.range);
  }

  /** Return the values in the fields, or null with a notice if any is invalid. */
  values() {
    const texts = this.inputs.flatMap((field) => field.value.trim().split(/[\s,;]+/));
    const values = texts.map((text) => (text === "" ? NaN : Number(text)));
    const wrong = values.findIndex((value) => !this.fits(value));
    const fault = this.fault(texts, wrong);
    element("notice").textContent = fault;
    this.inputs.forEach((field, index) => {
      const faulty = fault !== "" && (this.inputs.length === 1 || index === wrong);
      field.setAttribute("aria-invalid", String(faulty));
    });
    return fault ? null : values;
  }

  fault(texts, wrong) {
    if (texts.length !== this.count) return `${this.count} numbers are needed, but there are ${texts.length}`;
    if (wrong < 0) return "";
    const what = texts[wrong] === "" ? "is empty" : `is not a valid number: ${texts[wrong]}`;
    return `${this.name(wrong)} ${what}${this.bounds()}`;
  }

  /** Whether a value is valid: finite in float32, and within the range. */
  fits(value) {
    if (!Number.isFinite(Math.fround(value))) return false;
    return !this.range || (value >= this.range[0] && value <= this.range[1]);
  }
}
