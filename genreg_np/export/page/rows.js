// The page of a model that takes a row of a table: a field for each column, empty for a missing value.

const MISSING = ""; // the choice for a missing value
const OTHER = "other"; // the choice for any other word

class Rows {
  constructor(model, answer) {
    this.answer = answer;
    this.columns = model.columns;
    const form = element("fields");
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => this.ask());
    this.fields = this.columns.map((column) => {
      const field = this.field(column);
      const label = made("label");
      label.append(made("span", column.name), field);
      form.append(label);
      return field;
    });
    this.ask();
  }

  /** Return the field of a column, initialised with a typical value. */
  field(column) {
    if (column.kind === "words") {
      const places = column.words.map((word, place) => [word, place]);
      return this.choice([...places, [`any ${OTHER}`, column.words.length]], column.start);
    }
    if (column.kind === "flags") return this.choice([["yes", 1], ["no", 0]], column.start);
    const field = made("input");
    if (column.kind === "dates") {
      field.type = column.parts.includes("hour") ? "datetime-local" : "date";
      return field;
    }
    field.type = "number";
    field.step = "any";
    field.placeholder = "missing";
    field.value = column.start;
    return field;
  }

  choice(options, start) {
    const field = made("select");
    for (const [text, value] of [...options, ["(missing)", MISSING]]) {
      const option = made("option", text);
      option.value = value;
      option.selected = value === start;
      field.append(option);
    }
    return field;
  }

  /** Answer the values in the fields, or show which one is invalid. */
  ask() {
    const numbers = this.columns.map((column, index) => this.numbers(column, this.fields[index]));
    const wrong = this.fields.findIndex((field, index) => field.validity.badInput || numbers[index] === null);
    this.fields.forEach((field, index) => field.setAttribute("aria-invalid", String(index === wrong)));
    element("notice").textContent = wrong < 0 ? "" : `${this.columns[wrong].name} is not a valid number`;
    if (wrong < 0) this.answer.show(numbers.flat(), null);
    else this.answer.clear();
  }

  /** Return the numbers of a field: one, or those of a date's parts; null for one that is too large. */
  numbers(column, field) {
    if (column.kind !== "dates") {
      if (field.value === MISSING) return [NaN];
      const value = Number(field.value);
      return Number.isFinite(Math.fround(value)) ? [value] : null;
    }
    const date = new Date(field.value.length > 10 ? `${field.value}Z` : `${field.value}T00:00Z`);
    const parts = {
      year: date.getUTCFullYear(),
      month: date.getUTCMonth() + 1,
      day: date.getUTCDate(),
      weekday: (date.getUTCDay() + 6) % 7,
      hour: date.getUTCHours() + date.getUTCMinutes() / 60 + date.getUTCSeconds() / 3600,
    };
    return column.parts.map((part) => parts[part]); // all NaN if there is no date
  }
}

new Rows(model, answer);
