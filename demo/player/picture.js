// A row as one picture that explains itself elsewhere: its title, what it is about, and then what stands in it, one below
// the other, with its method and its legends. In scope: tools.js, svg.js, palette.js.

const IN_PICTURES = "h4, select, .definition, .verdict, .step-name, .chance, .body > .key, div > .key, .plot > svg";
const LINE_PX = 20;
const LETTER_PX = 6.4; // on average; in a file there is nothing to measure text with
const LEAST_PX = 640; // of width, for its texts
const BAR = { left: 112, width: 220, height: 12 };

/** The text of an SVG file, with its size, its font and the page's colour behind it. */
function pictureOf(section, about) {
  const title = section.querySelector("h3, summary b").textContent;
  const nodes = [...section.querySelectorAll(IN_PICTURES)].filter((node) => node.getClientRects().length); // on show
  const plots = nodes.filter((node) => node.matches("svg"));
  const width = Math.max(LEAST_PX, ...plots.map((plot) => plot.viewBox.baseVal.width));
  const content = [];
  let height = 6;
  const put = (tall, ...parts) => {
    content.push(svg("g", { transform: `translate(0 ${height})` }, ...parts));
    height += tall;
  };
  const write = (text, look) => {
    for (const line of linesOf(text, width)) put(LINE_PX, label(8, LINE_PX / 2, line, look));
  };

  write(title, { "font-size": 15, "font-weight": 600 });
  write(about);
  for (const node of nodes) {
    if (node.matches("svg"))
      put(node.viewBox.baseVal.height + 6, ...[...node.childNodes].map((part) => part.cloneNode(true)));
    else if (node.matches("select")) write(node.selectedOptions[0].textContent, { "font-weight": 600 });
    else if (node.matches(".chance")) put(LINE_PX, ...barLine(node));
    else if (node.querySelector(".band, .sign")) put(LINE_PX, ...legendLine(node));
    else write(node.innerText);
  }

  const file = svg("svg", {
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    "font-family": "IBM Plex Sans, system-ui, sans-serif",
  });
  file.append(svg("title", {}, title), svg("rect", { width, height, fill: ink().page }), ...content);
  return new XMLSerializer().serializeToString(file);
}

/** The words of a text, in lines that fit. */
function linesOf(text, width) {
  const lines = [""];
  for (const word of text.split(/\s+/)) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (longer.length * LETTER_PX < width - 16) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** One of the likeliest words: its bar and its numbers. */
function barLine(chance) {
  const textOf = (selector) => chance.querySelector(selector)?.textContent ?? "";
  const p = Number(chance.style.getPropertyValue("--p"));
  return [
    label(8, LINE_PX / 2, textOf("b"), { "font-weight": chance.hasAttribute("aria-current") ? 700 : 400 }),
    svg("rect", {
      x: BAR.left,
      y: (LINE_PX - BAR.height) / 2,
      width: Math.max(BAR.width * p, 1),
      height: BAR.height,
      fill: ink().accent,
    }),
    label(BAR.left + BAR.width + 8, LINE_PX / 2, [textOf("span"), textOf("small")].filter(Boolean).join(" · ")),
  ];
}

/** A legend: its texts, its signs and its band of colours, one beside the other. */
function legendLine(key) {
  let x = 8;
  return [...key.children].flatMap((part) => {
    if (part.matches(".band"))
      return [...part.children].map(({ style }) => {
        const cell = { x, y: 5, width: 4, height: 10, fill: style.backgroundColor };
        x += cell.width;
        return svg("rect", cell);
      });
    return [...part.childNodes].map((piece) => {
      const text = piece.textContent.trim();
      const look = piece.style ? { fill: piece.style.color } : {};
      x += 8;
      const written = label(x, LINE_PX / 2, text, look);
      x += text.length * LETTER_PX + 8;
      return written;
    });
  });
}
