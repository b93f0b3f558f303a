// The colours of numbers, the same in all rows, safe for colour-blind eyes. In scope: tools.js, svg.js.
// From 0 up: cividis (Nuñez, Anderton & Renslow 2018). With a sign: blue below, orange above, the page's colour at 0.

const LEVELS = 32; // cells of one level are one path: a heat map is some forty nodes, not thousands
const CIVIDIS = [
  "#00224e",
  "#123570",
  "#3b496c",
  "#575d6d",
  "#707173",
  "#8a8678",
  "#a59c74",
  "#c3b369",
  "#e1cc55",
  "#fee838",
];
const BELOW = { light: "#1f5fa8", dark: "#6fb1f5" };
const ABOVE = { light: "#d1600a", dark: "#ffa24d" };

const isDark = () => element.closest(".dark") !== null || document.body.classList.contains("dark");

/** The page's own colours, as they are now. */
function ink() {
  const style = getComputedStyle(element);
  const of = (name) => style.getPropertyValue(name).trim();
  return {
    text: of("--body-text-color"),
    faint: of("--body-text-color-subdued"),
    line: of("--border-color-primary"),
    page: of("--body-background-fill"),
    accent: of("--color-accent"),
    below: BELOW[isDark() ? "dark" : "light"],
    above: ABOVE[isDark() ? "dark" : "light"],
  };
}

const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
const between = (a, b, t) =>
  `rgb(${channels(a)
    .map((x, i) => Math.round(x + (channels(b)[i] - x) * t))
    .join(",")})`;

/** Numbers -> levels 0 … LEVELS, and levels -> colours; what is beyond the limits gets the last colour. */
function scale(low, high, unit) {
  const isSigned = low < 0;
  const limit = Math.max(-low, high) || 1;
  const span = high - low || 1;
  const rest = isDark() ? "#10172a" : "#f6f7f9";
  const { below, above } = ink();
  return {
    unit,
    limits: isSigned ? [-limit, 0, limit] : [low, high],
    level: (value) => {
      const share = isSigned ? (value / limit + 1) / 2 : (value - low) / span;
      return Math.round(clamp(share, 0, 1) * LEVELS);
    },
    colour: (level) => {
      const share = level / LEVELS;
      if (isSigned) return share < 0.5 ? between(rest, below, 1 - 2 * share) : between(rest, above, 2 * share - 1);
      const at = share * (CIVIDIS.length - 1);
      const from = Math.min(Math.floor(at), CIVIDIS.length - 2);
      return between(CIVIDIS[from], CIVIDIS[from + 1], at - from);
    },
  };
}

/** The legend of a scale: a band of its colours between its limits. */
function legend({ limits, unit, colour }, [least, most] = ["", ""]) {
  const box = make("p", "key");
  const band = make("span", "band");
  for (const level of upTo(LEVELS + 1)) band.appendChild(make("i", "")).style.backgroundColor = colour(level);
  band.setAttribute("aria-hidden", "true");
  const written = (value) => `${tidy(value)}${unit ? ` ${unit}` : ""}`;
  const first = [least, written(limits[0])].filter(Boolean).join(" ");
  const last = [written(limits.at(-1)), most].filter(Boolean).join(", ");
  box.append(make("span", "", first), band, make("span", "", last));
  return box;
}

/** A number in as few digits as tell it. */
function tidy(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size >= 100 ? value.toFixed(0) : size >= 0.1 ? value.toFixed(2) : value.toPrecision(2);
  return text
    .replace("-", "−")
    .replace(/(\.\d*?)0+$/, "$1")
    .replace(/\.$/, "");
}
