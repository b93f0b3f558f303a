// The sentence: every word with its probability, shaded by its surprise; the chosen one; what the frame on show gave.
// In scope: tools.js, palette.js.

const SURPRISE_NAT = 4; // from here on the shade is full: a word of 2 %

function sentence({ onWord }) {
  const list = $(".words");

  list.addEventListener("click", (event) => {
    const item = event.target.closest("li");
    if (item) onWord([...list.children].indexOf(item));
  });

  return {
    /** end: the probability that it ended after these words; null where it was cut. */
    draw(words, end) {
      const all = words.map((word) => ({ ...word, name: "word" }));
      if (end !== null) all.push({ text: "(end)", prob: end, name: "word end" });
      list.replaceChildren(
        ...all.map(({ text, prob, name }) => {
          const chip = make("li", "");
          const button = makeButton(name, make("b", "", text), make("span", "", percent(prob)), make("i", "gave"));
          button.style.setProperty("--surprise", clamp(-Math.log(prob) / SURPRISE_NAT, 0, 1).toFixed(3));
          button.setAttribute("aria-pressed", "false");
          chip.append(button);
          return chip;
        }),
      );
    },

    choose(index) {
      [...list.children].forEach(({ firstChild }, i) => firstChild.setAttribute("aria-pressed", String(i === index)));
    },

    /** shares: -1 … 1 for each word, what the frame on show gave it; null where nothing is known. */
    show(shares) {
      const { above, below } = ink();
      [...list.children].forEach(({ firstChild }, i) => {
        const bar = firstChild.lastChild;
        const share = shares?.[i] ?? 0;
        bar.style.width = `${Math.abs(100 * share).toFixed(0)}%`;
        bar.style.background = share < 0 ? below : above;
      });
    },
  };
}
