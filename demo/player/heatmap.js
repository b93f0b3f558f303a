// A plot on the axis: an SVG, the one cursor's line, and cells that pointer and arrow keys can ask for their numbers.
// In scope: tools.js, svg.js, palette.js.

const HINT = "Point at a cell, or go there with the arrow keys, for its numbers.";

/** rows × boxes.length cells as one path a colour. boxes: [x, width] of each column. */
function cells({ rows, boxes, top, rowHeight, scale: { level, colour }, value }) {
  const paths = new Map();
  for (let row = 0; row < rows; row++) {
    boxes.forEach(([x, width], column) => {
      const found = value(row, column);
      if (found === null) return;
      const key = level(found);
      const cell = `M${x.toFixed(1)} ${top + row * rowHeight}h${width.toFixed(1)}v${rowHeight}h-${width.toFixed(1)}z`;
      paths.set(key, (paths.get(key) ?? "") + cell);
    });
  }
  const group = svg("g", { "shape-rendering": "crispEdges" });
  for (const [key, d] of paths) group.append(svg("path", { d, fill: colour(key) }));
  return group;
}

/** The box that holds a plot: `draw` fills it anew, `cells` makes it answer. */
function plotIn(box, name) {
  const readout = make("output", "readout");
  const say = (text) => {
    readout.textContent = text || HINT;
    readout.classList.toggle("hint", !text);
  };
  const frame = make("div", "plot");
  const cursor = make("i", "cursor");
  const mark = svg("rect", { fill: "none", "stroke-width": 2, visibility: "hidden" });
  let grid = null;
  let at = null; // [row, column] that is asked about

  frame.tabIndex = 0;
  frame.setAttribute("role", "application");
  frame.setAttribute("aria-label", `${name}. Arrow keys go from cell to cell, Enter chooses.`);
  box.replaceChildren(frame, readout);

  function ask(row, column) {
    at = [row, column];
    const [x, width] = grid.boxes[column];
    const place = { x, width, y: grid.top + row * grid.rowHeight, height: grid.rowHeight, stroke: ink().text };
    for (const [key, value] of Object.entries({ ...place, visibility: "visible" })) mark.setAttribute(key, value);
    say(grid.describe(row, column));
  }

  const cellAt = (event) => {
    const { left, top } = frame.getBoundingClientRect();
    const [x, y] = [event.clientX - left, event.clientY - top];
    const row = Math.floor((y - grid.top) / grid.rowHeight);
    const column = grid.boxes.findIndex(([from, width]) => x >= from && x < from + width);
    return row >= 0 && row < grid.rows && column >= 0 ? [row, column] : null;
  };

  frame.addEventListener("pointermove", (event) => {
    const cell = grid && cellAt(event);
    if (cell) ask(...cell);
  });
  frame.addEventListener("click", (event) => {
    const cell = grid && cellAt(event);
    if (cell) grid.onPick(...cell);
  });
  frame.addEventListener("keydown", (event) => {
    if (!grid) return;
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    if (step) {
      const [row, column] = at ?? [0, 0];
      const isFirst = at === null;
      ask(
        clamp(row + (isFirst ? 0 : step[0]), 0, grid.rows - 1),
        clamp(column + (isFirst ? 0 : step[1]), 0, grid.boxes.length - 1),
      );
      mark.scrollIntoView({ block: "nearest", inline: "nearest" }); // the tree is wider than the page
    } else if (event.key === "Enter" && at) grid.onPick(...at);
    else return;
    event.preventDefault();
  });

  return {
    /** parts: SVG nodes; asked: {rows, boxes, top, rowHeight, describe, onPick} of the cells, if there are any. */
    draw(width, height, parts, asked = null) {
      grid = asked;
      at = null;
      mark.setAttribute("visibility", "hidden");
      say("");
      const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" });
      picture.append(...parts, mark);
      frame.replaceChildren(picture, cursor);
    },
  };
}
