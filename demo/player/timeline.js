// The time axis that all rows share: what is read stands at its true time, what is written follows after the end.
// In scope: tools.js, svg.js, palette.js, unpack.js.

const GAP = 14; // px between reading and writing
const TICK_STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600];

function timeAxis(trace, width) {
  const count = trace.words.length;
  const longest = Math.max(...trace.words.map(({ text }) => spoken(text).length));
  const gutter = clamp(longest * 7 + 12, 52, width < 560 ? 76 : 112);
  const margin = width < 560 ? 18 : 0; // for the last of the slanted words
  const room = width - gutter - margin;
  // Most of the room is to read in; a long sentence on a phone takes more than its share, but never all.
  const wordWidth = Math.min(clamp((room * 0.42) / count, 9, 72), (room * 0.7) / count);
  const right = width - margin - wordWidth * count; // where writing begins
  const start_s = trace.start_s;
  const end_s = start_s + trace.duration_s;
  const xOf = (time_s) => gutter + clamp((time_s - start_s) / (end_s - start_s), 0, 1) * (right - GAP - gutter);

  const wordBox = (word) => [right + word * wordWidth, wordWidth];
  const frameBox = ({ frames }, position) => {
    const { time_s, end_s: until_s } = frames[position];
    return [xOf(time_s), Math.max(xOf(until_s) - xOf(time_s), 0.5)];
  };
  const stepBox = (stream, step) =>
    step < stream.encoding_steps ? frameBox(stream, stream.reading_order[step]) : wordBox(step - stream.encoding_steps);

  /** The axis itself, `height` px above what it explains. */
  function head(word) {
    const isNarrow = wordWidth < 7 * longest + 6;
    const height = isNarrow ? 20 + Math.min(longest, 12) * 5.2 : 40;
    const { faint, text, line, accent } = ink();
    const base = height - 6;
    const step_s = TICK_STEPS_S.find((s) => ((right - gutter) * s) / (end_s - start_s) > 52) ?? 1200;
    const picture = svg("g");
    for (let t = Math.ceil(start_s / step_s) * step_s; t <= end_s; t += step_s) {
      if (xOf(t) > right - GAP - 14 && t < end_s - step_s / 2) continue;
      picture.append(
        svg("line", { x1: xOf(t), x2: xOf(t), y1: base, y2: base + 6, stroke: line }),
        label(xOf(t), base - 8, `${tidy(Math.round(t * 10) / 10)} s`, { fill: faint, "text-anchor": "middle" }),
      );
    }
    trace.words.forEach(({ text: written }, i) => {
      const [x, w] = wordBox(i);
      const isChosen = i === word;
      const look = { fill: isChosen ? accent : text, "font-weight": isChosen ? 700 : 400 };
      picture.append(
        isNarrow
          ? label(0, 0, cut(spoken(written), 80), { ...look, transform: `translate(${x + w / 2} ${base}) rotate(-58)` })
          : label(x + w / 2, base - 8, spoken(written), { ...look, "text-anchor": "middle" }),
      );
    });
    if (!isNarrow) {
      picture.append(
        label(gutter + 4, 8, "reads the film", { fill: faint, "font-size": 11 }),
        label(right, 8, "writes the sentence", { fill: faint, "font-size": 11 }),
      );
    }
    return { picture, height };
  }

  return { width, gutter, right, start_s, end_s, xOf, wordBox, frameBox, stepBox, head };
}

/** Which vector of a stream stands for this moment; -1 before the first. */
const positionAt = (stream, time_s) => stream.frames.findLastIndex((frame) => frame.time_s <= time_s + 0.001);
