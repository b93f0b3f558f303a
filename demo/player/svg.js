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

/** Pictures, one below the other, as the text of an SVG file: with its size, its font and the page's colour behind it. */
function svgFile(pictures) {
  const boxes = pictures.map((picture) => picture.viewBox.baseVal);
  const width = Math.max(...boxes.map((box) => box.width));
  const height = boxes.reduce((sum, box) => sum + box.height, 0);
  const file = svg("svg", {
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    "font-family": "IBM Plex Sans, system-ui, sans-serif",
  });
  file.append(svg("rect", { width, height, fill: ink().page }));
  let top = 0;
  pictures.forEach((picture, i) => {
    const part = svg("g", { transform: `translate(0 ${top})` });
    part.append(...[...picture.childNodes].map((node) => node.cloneNode(true)));
    file.append(part);
    top += boxes[i].height;
  });
  return new XMLSerializer().serializeToString(file);
}
