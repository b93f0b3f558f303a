// What if: another word, or another film for the same network; before and after, side by side.
// In scope: all files before. The server answers with a trace of what became of it.

function whatIf(panel, { onAsk }) {
  const { view } = panel;
  const box = $(".what-if");
  const pair = $(".pair");
  const edits = $(".edits");
  const back = $(".back");
  let after = null; // the answer: {title, change, trace}
  let shown = null; // the answer that all rows show; null where they show the film's own trace

  const field = (name) => box.querySelector(`input[name=${name}]`);

  function ask(change) {
    box.setAttribute("aria-busy", "true");
    onAsk(change);
  }

  box.addEventListener("click", (event) => {
    const edit = event.target.closest("[data-edit]")?.dataset.edit;
    if (!edit) return;
    const seconds = (name) => Number(field(name).value);
    if (edit === "drop") ask({ edit, from_s: seconds("from"), to_s: seconds("to") });
    else if (edit === "ending")
      ask({ edit, example: Number($(".endings").value), from_s: seconds("ending-from") });
    else ask({ edit });
  });
  box.addEventListener("toggle", draw);
  back.addEventListener("click", () => lookThrough(null));

  function lookThrough(answer) {
    shown = answer;
    panel.lookThrough(shown ? shown.trace : null);
    $(".looking").hidden = !shown;
    $(".looking-at").textContent = shown ? `All rows below show the what-if “${shown.title}”.` : "";
  }

  function side(title, trace, other) {
    const article = make("article", "side");
    const list = make("ol", "before-after");
    const old = new Set(other.words.map(({ text }) => text));
    list.append(
      ...trace.words.map(({ text, log_prob, forced }, i) => {
        const isSet = forced && !trace.words[i + 1]?.forced; // those before it are the sentence's own
        const item = make("li", isSet ? "forced" : old.has(text) ? "" : "new");
        item.append(make("b", "", spoken(text)), make("span", "", percent(Math.exp(log_prob))));
        return item;
      }),
    );
    const map = make("div", "side-map");
    article.append(
      make("h4", "", title),
      list,
      make("p", "total", `${percent(Math.exp(trace.log_prob))} for the whole, ${tidy(trace.log_prob)} nat`),
      map,
    );
    return { article, place: map, trace };
  }

  /** Both maps by the chosen method, in colours that mean the same on both sides. */
  function drawMaps(sides) {
    const found = sides.map(({ trace }) => {
      const stream = trace.streams[Math.min(view.streamIndex, trace.streams.length - 1)];
      const methodIndex = trace.methods.findIndex(({ name }) => name === view.method?.name);
      const method = trace.methods[methodIndex];
      return {
        trace,
        stream,
        method,
        word: null,
        map: method && paintable(method, stream.attribution[methodIndex].values),
      };
    });
    if (found.some(({ map }) => !map)) return; // the film's own maps are still to come
    const colours = mapScale(found[0].method, { values: found.flatMap(({ map }) => [...map.values]) });
    sides.forEach(({ place }, i) => {
      if (!place.clientWidth) return; // the section is shut
      const own = { ...found[i], axis: timeAxis(found[i].trace, Math.floor(place.clientWidth)) };
      const plot = plotIn(place, `Words by frames, ${own.method.title}`);
      drawMap(plot, own, own.map, colours, { describe: cellOf(own, own.map), onPick() {} });
      place.append(legend(colours));
    });
  }

  function draw() {
    if (!after || !panel.original) return;
    const sides = [
      side("Before", panel.original, after.trace),
      side(`After: ${after.title}`, after.trace, panel.original),
    ];
    pair.replaceChildren(...sides.map(({ article }) => article));
    pair.hidden = false;
    drawMaps(sides);
    const through = makeButton("plain", "Show this one in all rows");
    through.addEventListener("click", () => lookThrough(after));
    sides[1].article.append(through);
  }

  return {
    /** The clips whose endings there are. */
    offer(endings) {
      edits.disabled = !endings.length;
      $(".endings").replaceChildren(
        ...endings.map(({ title }, i) => {
          const option = make("option", "", title);
          option.value = i;
          return option;
        }),
      );
      $(".endings").selectedIndex = endings.findIndex(({ is_on_show }) => !is_on_show); // its own would change nothing
    },
    /** Times to begin with: the part that was read is left out, or ends, at its middle frame. */
    suggest(frames) {
      const written = ({ time_s }) => String(Math.floor(100 * time_s) / 100);
      field("from").value = written(frames[0]);
      for (const name of ["to", "ending-from"]) field(name).value = written(frames[frames.length >> 1]);
    },
    answer(found) {
      after = found;
      box.open = true;
      box.setAttribute("aria-busy", "false");
      draw();
      box.scrollIntoView({ block: "nearest", behavior: prefersCalm() ? "auto" : "smooth" });
    },
    /** It was stopped, or failed. */
    giveUp() {
      box.setAttribute("aria-busy", "false");
    },
    /** Another sentence, another film: what was found belongs to the old one. */
    forget() {
      if (shown) lookThrough(null);
      after = null;
      box.setAttribute("aria-busy", "false");
      pair.replaceChildren();
      pair.hidden = true;
    },
    /** How the sentence that the rows show shall begin; a film that was changed for it stays so. */
    askForWords(words) {
      ask({ ...shown?.change, words });
    },
  };
}
