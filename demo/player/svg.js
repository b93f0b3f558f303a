// Pictures as SVG nodes, with all colours written into them: a saved picture looks as it did on the page.
// In scope: tools.js.

const svg = (tag, attributes = {}, ...children) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
};

const label = (x, y, text, attributes = {}) =>
  svg("text", { x, y, "font-size": 12, fill: ink().text, "dominant-baseline": "central", ...attributes }, text);

/** The text, cut to about `width` px. */
const cut = (text, width) => {
  const letters = Math.max(Math.floor(width / 7), 1);
  return text.length > letters ? `${text.slice(0, Math.max(letters - 1, 1))}…` : text;
};
