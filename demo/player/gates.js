// What the memory did: gates and states of both layers at every step, and how much of each frame survives
// up to each word. In scope: tools.js … heatmap.js.

const QUANTITIES = {
  i: "input gate i: how much is let in",
  f: "forget gate f: how much of the cell stays",
  o: "output gate o: how much of the cell shows",
  g: "candidate g: what would be written into the cell",
  c: "cell state c: the memory itself",
  h: "output h: what the layer says",
  r: "reset gate r: how much of the old state the candidate sees",
  z: "update gate z: how much of the old state stays",
  n: "candidate n: what would be written",
};
const SUMMARY_PX = 40;

/** The page's words for what a cell has: of each [data-cell] text the one of this cell; and for whether it reads. */
function speakOf({ cell, encoding_steps }) {
  for (const text of all("[data-cell]")) text.hidden = text.dataset.cell !== cell;
  $("[data-reads]").hidden = !encoding_steps; // mean pooling has no reading stage
}

function gatesRow(view) {
  const kinds = $(".quantity");
  const zoom = $(".zoom");
  let chosen = "f";

  kinds.addEventListener("change", () => {
    chosen = kinds.value;
    draw();
  });
  zoom.addEventListener("change", draw);

  const meaning = (quantity) => (quantity.low ? "0 shut, 1 open" : "");

  function summary(axis, stream, quantity, boxes, top) {
    const { text, faint, line, above, below } = ink();
    const [low, high] = quantity.low ? [0, 1] : [Math.min(...quantity.mean, 0), Math.max(...quantity.mean, 0)];
    const y = (value) => top + SUMMARY_PX * (1 - (value - low) / (high - low || 1));
    const group = svg("g");
    const bars = (shares, fill, at) =>
      boxes.map(([x, w], step) =>
        svg("rect", {
          x,
          width: w,
          y: at(shares[step]),
          height: SUMMARY_PX * shares[step],
          fill,
          "fill-opacity": 0.45,
        }),
      );
    if (quantity.low) {
      group.append(
        ...bars(quantity.high, above, () => top),
        ...bars(quantity.low, below, (share) => top + SUMMARY_PX * (1 - share)),
      );
    }
    group.append(
      svg("rect", {
        x: axis.gutter,
        y: top,
        width: axis.width - axis.gutter,
        height: SUMMARY_PX,
        fill: "none",
        stroke: line,
      }),
      ...boxes.map(([x, w], step) =>
        svg("line", {
          x1: x,
          x2: x + w,
          y1: y(quantity.mean[step]),
          y2: y(quantity.mean[step]),
          stroke: text,
          "stroke-width": 2,
        }),
      ),
      label(axis.gutter - 8, top + 6, tidy(high), { "text-anchor": "end", fill: faint, "font-size": 11 }),
      label(axis.gutter - 8, top + SUMMARY_PX - 6, tidy(low), { "text-anchor": "end", fill: faint, "font-size": 11 }),
      label(axis.gutter - 8, top + SUMMARY_PX / 2, "mean", { "text-anchor": "end", "font-size": 11 }),
    );
    return group;
  }

  function drawLayer(plot, layer, colours) {
    const { trace, axis, stream } = view;
    const quantity = layer.quantities[chosen];
    const rowHeight = zoom.checked ? 13 : 3;
    const steps = upTo(quantity.mean.length).filter((step) => step < stream.encoding_steps + trace.words.length);
    const boxes = steps.map((step) => axis.stepBox(stream, step));
    const { picture, height } = axis.head(view.word);
    const top = height + SUMMARY_PX + 10;
    const rows = layer.units.length;
    const parts = [picture, summary(axis, stream, quantity, boxes, height)];
    const every = zoom.checked ? 1 : 16;
    layer.units.forEach((unit, row) => {
      if (row % every) return;
      parts.push(
        label(axis.gutter - 8, top + (row + 0.5) * rowHeight, `unit ${unit}`, {
          "text-anchor": "end",
          fill: ink().faint,
          "font-size": 10,
        }),
      );
    });
    parts.push(
      cells({ rows, boxes, top, rowHeight, scale: colours, value: (row, step) => quantity.units.at(step, row) }),
    );
    const when = (step) =>
      step < stream.encoding_steps
        ? `reading the frame at ${stream.frames[stream.reading_order[step]].time_s.toFixed(2)} s`
        : `writing ${quoted(trace.words[step - stream.encoding_steps].text)}`;
    plot.draw(axis.width, top + rows * rowHeight + 4, parts, {
      rows,
      boxes,
      top,
      rowHeight,
      describe(row, step) {
        const text = `unit ${layer.units[row]} of ${nameOf(layer)}, ${when(step)}: ${chosen} = ${tidy(quantity.units.at(step, row))}`;
        const last = stream.encoding_steps + (view.word ?? trace.words.length - 1);
        if (!layer.log_survival || step >= last) return text;
        const left = Math.exp(layer.log_survival.at(last, row) - layer.log_survival.at(step, row));
        return `${text}; of what it took in here ${percent(left)} is left at ${quoted(trace.words[last - stream.encoding_steps].text)}`;
      },
      onPick(row, step) {
        if (step < stream.encoding_steps) view.choose({ position: stream.reading_order[step] });
        else view.choose({ word: step - stream.encoding_steps });
      },
    });
  }

  const plots = all(".layer .map").map((place, i) => plotIn(place, `Layer ${i + 1}: units by steps`));
  const nameOf = (layer) => `${view.stream.cell.toUpperCase()} ${view.stream.layers.indexOf(layer) + 1}`;

  function draw() {
    const { stream } = view;
    const names = Object.keys(stream.layers[0].quantities);
    if (!names.includes(chosen)) chosen = names.includes("z") ? "z" : "h";
    kinds.replaceChildren(
      ...names.map((name) => {
        const option = make("option", "", QUANTITIES[name]);
        option.value = name;
        return option;
      }),
    );
    kinds.value = chosen;
    const found = stream.layers.map((layer) => layer.quantities[chosen]);
    const most = Math.max(...found.map(({ units }) => largest(units)));
    const colours = found[0].low ? scale(0, 1, "") : scale(-most, most, "");
    stream.layers.forEach((layer, i) => {
      $(`.layer:nth-of-type(${i + 1}) h4`).textContent =
        `${nameOf(layer)}: ${layer.units.length} of its ${layer.size} units`;
      drawLayer(plots[i], layer, colours);
    });
    $(".gates-key").replaceChildren(legend(colours, found[0].low ? ["shut", "open"] : undefined));
    $(".saturation").hidden = !found[0].low;
  }

  return { draw };
}

function survivalRow(view) {
  const plots = all(".survival-map").map((place, i) => plotIn(place, `Survival in layer ${i + 1}: words by frames`));

  return {
    get isEmpty() {
      return !view.stream.layers.some(({ survival }) => survival);
    },

    draw() {
      const { stream, trace } = view;
      const colours = scale(0, 1, "");
      stream.layers.forEach(({ survival }, i) => {
        const order = stream.reading_order;
        const step = order.map((_, position) => order.indexOf(position));
        const matrix = { at: (row, position) => survival.at(step[position], row) };
        drawMap(plots[i], view, matrix, colours, {
          describe: (word, position) =>
            `Of what the frame at ${stream.frames[position].time_s.toFixed(2)} s wrote, ${percent(matrix.at(word, position))} is left at ${quoted(trace.words[word].text)}`,
          onPick: (word, position) => view.choose({ word, position }),
          withSurprise: false,
        });
      });
      $(".survival-key").replaceChildren(legend(colours, ["forgotten", "kept"]));
    },
  };
}
