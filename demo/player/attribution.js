// Which frame each word came from: the map of one method, word × frame, and beside it what a network gives
// that learned nothing, so that nobody over-reads it. In scope: tools.js … heatmap.js.

const ROW_PX = { wide: 22, narrow: 18 };

/** A method's map as it is painted. Log-probabilities of single frames are all negative: each word's least is 0. */
function paintable(method, matrix) {
  if (method.name !== "single_frame") return matrix;
  const values = upTo(matrix.rows).flatMap((row) => {
    const found = upTo(matrix.columns).map((column) => matrix.at(row, column));
    const least = Math.min(...found);
    return found.map((value) => value - least);
  });
  return { ...matrix, values, at: (row, column) => values[row * matrix.columns + column] };
}

const largest = (matrix) => matrix.values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

function mapScale(method, matrix) {
  const most = largest(matrix);
  return matrix.values.some((value) => value < 0) ? scale(-most, most, method.unit) : scale(0, most, method.unit);
}

/** Draws word × frame into `plot`; on the right, where each word is written; there its surprise, if that is wanted. */
function drawMap(plot, view, matrix, scaleOfMap, { describe, onPick, withSurprise = true }) {
  const { trace, axis, stream, word } = view;
  const rowHeight = axis.width < 560 ? ROW_PX.narrow : ROW_PX.wide;
  const { picture, height } = axis.head(word);
  const { text, faint, accent, page, above } = ink();
  const rows = trace.words.length;
  const frames = upTo(stream.frames.length).map((i) => axis.frameBox(stream, i));
  const parts = [picture];
  trace.words.forEach(({ text: written, log_prob }, row) => {
    const y = height + (row + 0.5) * rowHeight;
    const look = row === word ? { fill: accent, "font-weight": 700 } : { fill: text };
    const [x, width] = axis.wordBox(row);
    const share = clamp(-log_prob / SURPRISE_NAT, 0, 1);
    parts.push(
      label(axis.gutter - 8, y, cut(spoken(written), axis.gutter - 8), { ...look, "text-anchor": "end" }),
      svg("rect", {
        x,
        y: y - rowHeight / 2 + 1,
        width,
        height: rowHeight - 2,
        fill: above,
        "fill-opacity": withSurprise ? share : 0,
      }),
      svg("rect", {
        x,
        y: y - rowHeight / 2 + 1,
        width,
        height: rowHeight - 2,
        fill: "none",
        stroke: faint,
        "stroke-width": 0.5,
      }),
    );
    if (withSurprise && width > 40)
      parts.push(
        label(x + width / 2, y, percent(Math.exp(log_prob)), { fill: text, "text-anchor": "middle", "font-size": 11 }),
      );
  });
  const value = (row, column) => matrix.at(row, column);
  parts.push(cells({ rows, boxes: frames, top: height, rowHeight, scale: scaleOfMap, value }));
  if (word !== null) {
    const [first, last] = [frames[0][0], frames.at(-1)[0] + frames.at(-1)[1]];
    const place = { x: first, y: height + word * rowHeight, width: last - first, height: rowHeight };
    parts.push(svg("rect", { ...place, fill: "none", stroke: page, "stroke-width": 4 }));
    parts.push(svg("rect", { ...place, fill: "none", stroke: accent, "stroke-width": 2 }));
  }
  plot.draw(axis.width, height + rows * rowHeight + 4, parts, {
    rows,
    boxes: frames,
    top: height,
    rowHeight,
    describe,
    onPick,
  });
}

/** What one cell of a map says. */
const cellOf =
  ({ trace, stream, method }, matrix) =>
  (word, position) => {
    const { time_s, index, last_index } = stream.frames[position];
    const what = index === last_index ? "the frame" : "the frames from";
    return `${quoted(trace.words[word].text)} from ${what} at ${time_s.toFixed(2)} s: ${tidy(matrix.at(word, position))} ${method.unit}`;
  };

function attributionRow(view) {
  const plot = plotIn($(".attribution-map"), "Words by frames");
  const choice = $(".method");
  choice.addEventListener("change", () => view.choose({ methodIndex: Number(choice.value) }));

  return {
    get isEmpty() {
      return !view.map;
    },

    draw() {
      const { trace, stream, method, map } = view;
      choice.replaceChildren(
        ...trace.methods.map(({ title }, i) => {
          const option = make("option", "", title);
          option.value = i;
          return option;
        }),
      );
      choice.value = view.methodIndex;
      const found = stream.attribution[view.methodIndex];
      $(".definition").textContent = [
        method.definition,
        found.window > 1 ? `Here ${found.window} neighbouring frames are covered at a time.` : "",
        found.completeness_error
          ? `Its sums miss what they should add up to by ${tidy(Math.max(...found.completeness_error.map(Math.abs)))} nat at most.`
          : "",
      ]
        .filter(Boolean)
        .join(" ");
      const colours = mapScale(method, map);
      drawMap(plot, view, map, colours, {
        describe: cellOf(view, map),
        onPick: (word, position) => view.choose({ word, position }),
      });
      $(".attribution-key").replaceChildren(
        legend(colours, colours.limits[0] < 0 ? ["against the word,", "for it"] : undefined),
      );
    },
  };
}

/** The sanity check: the same method on shuffled weights, and how far the methods agree in the order of frames. */
function sanityRow(view) {
  const plot = plotIn($(".sanity-map"), "Words by frames, randomised network");

  function table() {
    const { trace, stream } = view;
    const grid = make("table", "");
    const head = make("tr", "");
    head.append(
      make("td", ""),
      ...trace.methods.map(({ title }) => make("th", "", title)),
      make("th", "", "randomised"),
    );
    const body = stream.attribution.map((found, i) => {
      const line = make("tr", "");
      line.append(make("th", "", trace.methods[i].title));
      for (const r of [...found.rank_correlations, found.randomised_correlation]) {
        const cell = make("td", "", r === null ? "–" : r.toFixed(2).replace("-", "−"));
        if (r !== null) cell.style.setProperty("--r", Math.abs(r).toFixed(2));
        line.append(cell);
      }
      return line;
    });
    grid.append(
      make(
        "caption",
        "",
        "Rank correlation over the frames (Spearman’s), mean over the words: 1 the same order, 0 no relation",
      ),
      head,
      ...body,
    );
    return grid;
  }

  return {
    get isEmpty() {
      return !view.map;
    },

    draw() {
      const { stream, method } = view;
      const found = stream.attribution[view.methodIndex];
      const matrix = paintable(method, found.randomised);
      const colours = mapScale(method, matrix);
      drawMap(plot, view, matrix, colours, {
        describe: cellOf(view, matrix),
        onPick: (word, position) => view.choose({ word, position }),
        withSurprise: false,
      });
      $(".sanity-key").replaceChildren(legend(colours));
      const r = found.randomised_correlation;
      $(".verdict").textContent =
        r === null
          ? "The two cannot be ranked against each other here."
          : `${method.title}: the order of frames agrees with that of the randomised network at ${r.toFixed(2)}. ` +
            (Math.abs(r) > 0.5
              ? "That is much: this map may show the film and the method rather than what was learned."
              : "The further from 1, the more of the map comes from what was learned.");
      $(".correlations").replaceChildren(table());
    },
  };
}
