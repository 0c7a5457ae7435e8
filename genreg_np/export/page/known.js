// What every page begins with: its elements by name, and the facts about the model.

const element = (id) => document.getElementById(id);

/** Return a new element with any text. */
function made(tag, text = "", className = "") {
  const node = document.createElement(tag);
  node.textContent = text;
  node.className = className;
  return node;
}

const model = JSON.parse(element("model").textContent);
for (const [term, text] of model.facts) element("facts").append(made("dt", term), made("dd", text));
