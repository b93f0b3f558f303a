// The trace of the sentence on show: what is chosen in it, and the rows that show it. In scope: all files before.
// Rows of closed sections are not drawn; while the film plays only the cursor moves, and what follows it.

const NEGLIGIBLE = 0.05; // of the strongest frame's share
const FIRST_METHOD = "occlusion_replaced"; // it needs the fewest words

function tracePanel({ strip, words, isOnShow, onSeek, onOtherWord, canAsk }) {
  const panel = $(".trace");
  const streams = $(".streams");
  const sections = all(".row");
  let position = null; // of the frame on show, in the stream
  let original = null; // the trace of the film itself; `view.trace` may be a what-if's

  const view = {
    trace: null,
    axis: null,
    word: null,
    time_s: 0, // of the film
    slot_s: 0, // where that stands on the axis; null where an edit left it out
    streamIndex: 0,
    methodIndex: 0,
    map: null, // of the chosen stream and method, words × frames; null where no attribution was asked for
    get canAsk() {
      return canAsk();
    },
    get stream() {
      return view.trace.streams[view.streamIndex];
    },
    get method() {
      return view.trace.methods[view.methodIndex];
    },
    /** A word, a method, a frame by its position in the stream, or a moment of the axis. */
    choose({ position, slot_s, ...change }) {
      Object.assign(view, change);
      if (position !== undefined) slot_s = view.stream.frames[position].time_s;
      const time_s = slot_s === undefined ? null : filmTime(slot_s);
      if (time_s !== null) onSeek(time_s);
      redraw();
    },
    /** To be written on from: a word in the place of the chosen one. */
    askForWord(word) {
      onOtherWord([...view.trace.words.slice(0, view.word).map(({ text }) => text), word]);
    },
  };

  // --- an edited film's frames stand elsewhere than in the film that plays -----------------------

  /** Where the film on the axis shows what the film that plays shows now; null where it was left out. */
  function slotOf(time_s) {
    if (!view.trace.edits.length) return time_s;
    const source = original.streams[view.streamIndex];
    const playing = source.frames[positionAt(source, time_s)];
    const slot = playing && view.stream.frames.find(({ clip, index }) => clip === 0 && index === playing.index);
    return slot ? slot.time_s + clamp(time_s - playing.time_s, 0, slot.last_time_s - slot.time_s) : null;
  }

  /** The way back: when the film that plays shows what stands there on the axis; null where it never does. */
  function filmTime(slot_s) {
    if (!view.trace.edits.length) return slot_s;
    const slot = view.stream.frames[positionAt(view.stream, slot_s)];
    if (slot?.clip !== 0) return null;
    const shown = original.streams[view.streamIndex].frames.find(({ index }) => index === slot.index);
    return shown ? shown.time_s + slot_s - slot.time_s : null;
  }

  // --- drawing ----------------------------------------------------------------------------------

  const rows = {
    attribution: attributionRow(view),
    watching: watchingRow(view),
    chances: chancesRow(view),
    surprise: surpriseRow(view),
    sanity: sanityRow(view),
    gates: gatesRow(view),
    survival: survivalRow(view),
    beam: beamRow(view),
  };
  const isOpen = (section) => section.tagName !== "DETAILS" || section.open;

  function drawRow(section) {
    const row = rows[section.dataset.row];
    if (!row || !view.trace) return;
    section.hidden = Boolean(row.isEmpty); // also of closed ones, or opening one would make it vanish
    if (!section.hidden && isOpen(section)) row.draw();
  }

  /** Whether the words above, which may be another sentence's of the beam, are those of the trace that the rows show. */
  const isAbove = () => view.trace === original && isOnShow();

  function redraw() {
    const width = Math.floor(panel.clientWidth);
    if (!view.trace || !width) return; // nothing to show, or nowhere to show it
    view.axis = timeAxis(view.trace, width);
    const found = view.stream.attribution[view.methodIndex];
    view.map = found ? paintable(view.method, found.values) : null;
    position = null;
    speakOf(view.stream);
    sections.forEach(drawRow);
    words.choose(isAbove() ? view.word : null);
    light();
    follow(view.time_s);
  }

  /** Lights on the strip the frames that the chosen word came from. */
  function light() {
    const { map, word, stream, trace } = view;
    const isPlain = map && word !== null && !trace.edits.length && isOnShow();
    $(".came-from").hidden = !isPlain;
    if (!isPlain) return strip.weigh(null);
    const shares = upTo(map.columns).map((column) => map.at(word, column));
    const most = Math.max(...shares.map(Math.abs)) || 1;
    strip.weigh((time_s) => shares[Math.max(positionAt(stream, time_s), 0)] / most);
    const said = quoted(trace.words[word].text);
    const isFor = shares.some((share) => share > NEGLIGIBLE * most);
    const isAgainst = shares.some((share) => share < -NEGLIGIBLE * most);
    const telling = !isFor
      ? isAgainst
        ? `No frame speaks for ${said}: frames with a blue bar speak against it`
        : `No frame speaks for ${said} or against it`
      : isAgainst
        ? `The brighter a frame, the more it speaks for ${said}; frames with a blue bar speak against it`
        : `Bright frames are those that ${said} came from`;
    $(".came-from").textContent = `${telling} (${view.method.title.toLowerCase()}).`;
  }

  function follow(time_s) {
    view.time_s = time_s;
    if (!view.axis || !view.trace) return;
    const slot_s = (view.slot_s = slotOf(time_s));
    panel.style.setProperty("--cursor", slot_s === null ? "-9px" : `${view.axis.xOf(slot_s).toFixed(2)}px`);
    panel.dataset.cursor = slot_s ?? "";
    const next = slot_s === null ? -1 : positionAt(view.stream, slot_s);
    if (next !== position) tellWhatItGave((position = next));
    rows.watching.follow();
  }

  /** Under the words above: what the frame on show gave to each. */
  function tellWhatItGave(frame) {
    const { map } = view;
    const isKnown = map && frame >= 0 && isAbove();
    const most = isKnown && (largest(map) || 1);
    words.show(isKnown ? upTo(map.rows).map((row) => map.at(row, frame) / most) : null);
  }

  sections.forEach((section) => section.addEventListener("toggle", () => drawRow(section)));
  streams.addEventListener("change", (event) => view.choose({ streamIndex: Number(event.target.value) }));
  new ResizeObserver(() => {
    if (view.axis && Math.floor(panel.clientWidth) !== view.axis.width) redraw();
  }).observe(panel);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTimeout(redraw));

  function drawStreams() {
    const found = view.trace.streams;
    streams.hidden = found.length < 2;
    streams.replaceChildren(
      make("legend", "", "Stream"),
      ...found.map(({ name, alpha }, i) => {
        const choice = make("label", "");
        const radio = make("input", "");
        Object.assign(radio, { type: "radio", name: "trace-stream", value: i, checked: i === view.streamIndex });
        choice.append(radio, make("span", "", `${name} · α ${alpha.toFixed(2)}`));
        return choice;
      }),
    );
  }

  /** Whether more is to come. */
  function expect(isMore) {
    panel.setAttribute("aria-busy", String(isMore));
    $(".coming").hidden = !isMore || Boolean(original?.methods.length);
  }

  function take(trace) {
    const before = view.trace;
    view.trace = trace;
    view.streamIndex = Math.min(view.streamIndex, trace.streams.length - 1);
    const named = trace.methods.findIndex(
      ({ name }) => name === (before?.methods[view.methodIndex]?.name ?? FIRST_METHOD),
    );
    view.methodIndex = Math.max(named, 0);
    if (before?.caption !== trace.caption) view.word = mostSurprising(trace);
    panel.hidden = false;
    drawStreams();
    redraw();
  }

  return {
    view,
    redraw,
    follow,
    get original() {
      return original;
    },
    /** The trace of the film on show. */
    show(trace, isPartial) {
      original = trace;
      expect(isPartial);
      take(trace);
    },
    /** What the rows are about, in one line. */
    about(name) {
      const { caption, edits, streams } = view.trace;
      const stream = streams.length > 1 ? [`stream ${view.stream.name}`] : [];
      return [`${name}: “${caption}”`, ...edits, ...stream].join(" · ");
    },
    /** A what-if's trace in all rows, or the film's own again. */
    lookThrough(trace) {
      take(trace ?? original);
    },
    chooseWord(word) {
      if (view.trace && word < view.trace.words.length) view.choose({ word });
    },
    /** No trace will come. */
    giveUp() {
      expect(false);
    },
    /** A new sentence was written, and its trace is not there yet. */
    wait(isOther) {
      expect(true);
      if (!isOther) return;
      panel.hidden = true;
      view.trace = original = null;
      strip.weigh(null);
      $(".came-from").hidden = true;
    },
  };
}

/** Where to look first: the word that was hardest to foresee. */
function mostSurprising({ words }) {
  const costs = words.map(({ text, log_prob }) => (text === END ? -Infinity : -log_prob));
  return costs.indexOf(Math.max(...costs));
}
