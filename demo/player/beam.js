// The beam's tree: what was looked at, what went on, what was dropped. Steps stand one beside the other.
// In scope: tools.js … heatmap.js.

const STEP_PX = 132;
const NODE_PX = 24;

function beamRow(view) {
  const plot = plotIn($(".beam-map"), "The beam’s tree");

  return {
    /** Greedy search and sampling have none. */
    get isEmpty() {
      return !view.trace.beam.length;
    },

    draw() {
      const { trace } = view;
      const { text, faint, line, page, accent } = ink();
      const halo = { stroke: page, "stroke-width": 5, "paint-order": "stroke" }; // others' curves pass behind a score
      const steps = [];
      const places = trace.beam.map((node) => {
        const column = (steps[node.step] ??= []);
        column.push(node);
        return [12 + node.step * STEP_PX, 14 + (column.length - 1) * NODE_PX];
      });
      const rows = Math.max(...steps.map((column) => column.length));
      const width = steps.length * STEP_PX + 12;
      const edges = [];
      const names = [];
      trace.beam.forEach((node, i) => {
        const [x, y] = places[i];
        const isAlive = node.fate !== "dropped";
        if (node.parent !== null) {
          const [from_x, from_y] = places[node.parent];
          const start = from_x + STEP_PX - 34;
          const look = {
            fill: "none",
            stroke: node.chosen ? accent : isAlive ? faint : line,
            "stroke-width": node.chosen ? 2.5 : 1,
          };
          const edge = svg("path", {
            d: `M${start} ${from_y}C${start + 20} ${from_y} ${x - 26} ${y} ${x - 4} ${y}`,
            ...look,
          });
          if (node.chosen) edges.push(edge);
          else edges.unshift(edge); // the chosen path lies on top
        }
        const look = { fill: isAlive ? text : faint, "font-weight": node.chosen ? 700 : 400 };
        const name = cut(spoken(node.text), STEP_PX - 66);
        names.push(label(x, y, name, look));
        names.push(
          label(x + STEP_PX - 38, y, percent(Math.exp(node.log_prob)), {
            "text-anchor": "end",
            fill: faint,
            "font-size": 10,
          }),
        );
        if (node.fate === "dropped")
          names.push(
            svg("line", { x1: x, x2: x + Math.min(name.length * 6.8, STEP_PX - 66), y1: y, y2: y, stroke: faint }),
          );
        if (node.fate === "finished")
          names.push(
            svg("circle", { cx: x - 6, cy: y, r: 3, fill: node.chosen ? accent : text }),
            label(x + STEP_PX - 34, y, tidy(node.score), { ...look, ...halo, "font-size": 10 }), // nothing goes on from here
          );
      });
      const score = (node) =>
        `score ${tidy(node.score)} = ${tidy(node.total)} nat ÷ ${node.step + 1} words to the power of ${trace.decoding.length_exponent}`;
      const fates = { kept: "went on", finished: "a finished sentence", dropped: "dropped" };
      plot.draw(width, rows * NODE_PX + 10, [...edges, ...names], {
        rows,
        boxes: steps.map((_, step) => [6 + step * STEP_PX, STEP_PX]),
        top: 2,
        rowHeight: NODE_PX,
        describe(row, step) {
          const node = steps[step][row];
          return node
            ? `${quoted(node.text)}, ${percent(Math.exp(node.log_prob))}: ${fates[node.fate]}; ${score(node)}`
            : "";
        },
        onPick: (_, step) => view.choose({ word: Math.min(step, trace.words.length - 1) }),
      });
    },
  };
}
