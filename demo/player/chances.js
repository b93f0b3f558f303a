// What else could have been written: the likeliest words of one step, and how surprising each word was.
// In scope: tools.js … heatmap.js.

const BAR_PX = 72;

function chancesRow(view) {
  const list = $(".candidates");
  const form = $(".own-word");

  list.addEventListener("click", (event) => {
    const item = event.target.closest("li");
    if (!item || !view.canAsk) return;
    const at = [...list.children].indexOf(item);
    view.askForWord(view.trace.words[view.word].candidates[at].text);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const word = form.elements.word.value.trim();
    if (word) view.askForWord(word);
  });

  return {
    draw() {
      const { trace, word } = view;
      if (word === null) return;
      const { text, candidates, entropy, p_end, streams } = trace.words[word];
      const names = trace.streams.map(({ name }) => name);
      $(".step-name").textContent =
        `Word ${word + 1}, ${quoted(text)}. The distribution is as undecided as one over ${tidy(Math.exp(entropy))} equally likely words ` +
        `(entropy ${tidy(entropy)} nat); the end of the sentence had ${percent(p_end)}.`;
      list.replaceChildren(
        ...candidates.map(({ text: other, p, streams: own }) => {
          const item = make("li", "");
          const button = makeButton(
            "chance",
            make("b", "", spoken(other)),
            make("i", "bar"),
            make("span", "", percent(p)),
          );
          button.style.setProperty("--p", p.toFixed(4));
          button.disabled = !view.canAsk || other === END || other === text;
          if (other === text) button.setAttribute("aria-current", "true");
          if (own.length > 1)
            button.append(make("small", "", own.map((q, i) => `${names[i]} ${percent(q)}`).join(" · ")));
          item.append(button);
          return item;
        }),
      );
      form.hidden = !view.canAsk;
    },
  };
}

function surpriseRow(view) {
  const plot = plotIn($(".surprise-map"), "Surprise of each word");

  return {
    draw() {
      const { trace, axis, word } = view;
      const { picture, height } = axis.head(word);
      const { text, faint, line, above, accent } = ink();
      const most = Math.max(...trace.words.map(({ log_prob, entropy }) => Math.max(-log_prob, entropy)), 1);
      const y = (nat) => height + 4 + BAR_PX * (1 - nat / most);
      const boxes = upTo(trace.words.length).map(axis.wordBox);
      const bars = trace.words.flatMap(({ log_prob, entropy }, i) => {
        const [x, w] = boxes[i];
        const inset = Math.min(w * 0.15, 6);
        return [
          svg("rect", {
            x: x + inset,
            width: w - 2 * inset,
            y: y(-log_prob),
            height: Math.max(y(0) - y(-log_prob), 1),
            fill: above,
          }),
          svg("line", {
            x1: x,
            x2: x + w,
            y1: y(entropy),
            y2: y(entropy),
            stroke: text,
            "stroke-width": 2,
            "stroke-dasharray": "3 2",
          }),
        ];
      });
      const scaleText = [0, most / 2, most].map((nat) =>
        label(axis.right - 8, y(nat), `${tidy(nat)} nat`, { "text-anchor": "end", fill: faint, "font-size": 11 }),
      );
      const lines = [0, most / 2, most].map((nat) =>
        svg("line", { x1: axis.right, x2: axis.width, y1: y(nat), y2: y(nat), stroke: line }),
      );
      const none = label(
        (axis.gutter + axis.right) / 2 - 30,
        y(most / 2),
        axis.width < 560 ? "" : "nothing is written yet",
        { fill: faint, "text-anchor": "middle" },
      );
      plot.draw(axis.width, height + BAR_PX + 14, [picture, none, ...lines, ...scaleText, ...bars], {
        rows: 1,
        boxes,
        top: height,
        rowHeight: BAR_PX + 8,
        describe: (_, i) =>
          `${quoted(trace.words[i].text)}: surprise ${tidy(-trace.words[i].log_prob)} nat (${percent(Math.exp(trace.words[i].log_prob))}), entropy ${tidy(trace.words[i].entropy)} nat`,
        onPick: (_, i) => view.choose({ word: i }),
      });
      $(".surprise-key").replaceChildren(
        legendOf([
          ["▮", above, "surprise, −ln p of the word"],
          ["┅", text, "entropy: the surprise to expect"],
        ]),
      );
    },
  };
}

/** A legend of marks: [sign, colour, meaning]. */
function legendOf(marks) {
  const box = make("p", "key");
  for (const [sign, colour, meaning] of marks) {
    const mark = make("span", "sign", sign);
    mark.style.color = colour;
    mark.setAttribute("aria-hidden", "true");
    const item = make("span", "");
    item.append(mark, ` ${meaning}`);
    box.append(item);
  }
  return box;
}
