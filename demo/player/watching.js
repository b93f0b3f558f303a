// As it watches: the sentence it would write had the film ended at each moment. In scope: tools.js … heatmap.js.

const CONFIDENCE_PX = 56;

function watchingRow(view) {
  const plot = plotIn($(".watching-map"), "As it watches");
  const list = $(".forming");
  let spans = []; // runs of one caption: {caption, from, until} positions in trace.watching
  let current = -1;

  const likelihood = ({ caption, log_prob }) => Math.exp(log_prob / (caption.split(" ").length + 1));

  list.addEventListener("click", (event) => {
    const item = event.target.closest("li");
    if (item) view.choose({ slot_s: view.trace.watching[spans[[...list.children].indexOf(item)].from].time_s });
  });

  /** The caption with the words that differ from the one before in bold. */
  function compared(caption, before) {
    const text = make("span", "text");
    const old = new Set(before.split(" "));
    caption
      .split(" ")
      .forEach((word, i) => text.append(i ? " " : "", before && !old.has(word) ? make("b", "", word) : word));
    return text;
  }

  return {
    get isEmpty() {
      return !view.trace.watching.length;
    },

    draw() {
      const { trace, axis, word } = view;
      const { watching } = trace;
      spans = [];
      watching.forEach(({ caption }, i) => {
        if (spans.at(-1)?.caption === caption) spans.at(-1).until = i;
        else spans.push({ caption, from: i, until: i });
      });
      const { picture, height } = axis.head(word);
      const { faint, line, accent, text } = ink();
      const boxes = watching.map(({ time_s }, i) => {
        const x = axis.xOf(time_s);
        const next = watching[i + 1] ? axis.xOf(watching[i + 1].time_s) : axis.xOf(axis.end_s);
        return [x, next - x];
      });
      const top = height + 2;
      const y = (p) => top + CONFIDENCE_PX * (1 - p);
      const blocks = spans.map(({ from, until }, i) => {
        const [x] = boxes[from];
        const end = boxes[until][0] + boxes[until][1];
        return svg("rect", {
          x,
          width: end - x,
          y: top,
          height: CONFIDENCE_PX,
          fill: accent,
          "fill-opacity": i % 2 ? 0.07 : 0.18,
        });
      });
      const starts = spans.map(({ from }, i) =>
        label(boxes[from][0] + 4, top + CONFIDENCE_PX + 9, String(i + 1), { fill: faint, "font-size": 11 }),
      );
      const curve = boxes.map(([x, w], i) =>
        svg("line", {
          x1: x,
          x2: x + w,
          y1: y(likelihood(watching[i])),
          y2: y(likelihood(watching[i])),
          stroke: text,
          "stroke-width": 2,
        }),
      );
      const marks = [0, 1].map((p) =>
        label(axis.gutter - 8, clamp(y(p), top + 6, top + CONFIDENCE_PX - 6), p ? "100 %" : "0 %", {
          "text-anchor": "end",
          fill: faint,
          "font-size": 11,
        }),
      );
      plot.draw(axis.width, top + CONFIDENCE_PX + 18, [picture, ...blocks, ...curve, ...starts, ...marks], {
        rows: 1,
        boxes,
        top,
        rowHeight: CONFIDENCE_PX,
        describe: (_, i) =>
          `Ending at ${watching[i].time_s.toFixed(2)} s: “${watching[i].caption}”, ${percent(likelihood(watching[i]))} a word`,
        onPick: (_, i) => view.choose({ slot_s: watching[i].time_s }),
      });
      list.replaceChildren(
        ...spans.map(({ caption, from, until }, i) => {
          const item = make("li", "");
          const [first, next] = [watching[from].time_s, watching[until + 1]?.time_s ?? axis.end_s];
          const when = `${first.toFixed(1)}–${next.toFixed(1)} s`;
          item.append(
            makeButton("moment", make("span", "when", when), compared(caption, i ? spans[i - 1].caption : "")),
          );
          return item;
        }),
      );
      current = -1;
      this.follow();
    },

    follow() {
      const { trace, slot_s } = view;
      const at = slot_s === null ? -1 : trace.watching.findLastIndex((prefix) => prefix.time_s <= slot_s + 0.001);
      const now = spans.findIndex(({ from, until }) => from <= at && at <= until);
      $(".so-far").textContent = at < 0 ? "…" : trace.watching[at].caption;
      if (now === current) return;
      current = now;
      [...list.children].forEach(({ firstChild }, i) => {
        if (i === now) firstChild.setAttribute("aria-current", "true");
        else firstChild.removeAttribute("aria-current");
      });
    },
  };
}
