// Two streams share one slider, more have one each. In scope, from Gradio: element, props, watch, trigger.

const box = element.querySelector(".shares");
const sliders = element.querySelector(".sliders");

const STEP = 0.05;

let names = [];
let heard = null; // the server says things twice: that must not undo a move

const written = (share) => share.toFixed(2);

function make(tag, className, ...children) {
  const node = document.createElement(tag);
  node.className = className;
  node.append(...children);
  return node;
}

function slider(label, value) {
  const input = make("input", "");
  input.type = "range";
  input.min = 0;
  input.max = 1;
  input.step = STEP;
  input.value = value;
  input.setAttribute("aria-label", label);
  return input;
}

const inputs = () => [...sliders.querySelectorAll("input")];

/** What the sliders say, brought to a sum of 1; all alike where all are at nothing. */
function shares() {
  const values = inputs().map((input) => Number(input.value));
  if (names.length === 2) return [1 - values[0], values[0]]; // to the right is more of the right one
  const sum = values.reduce((a, b) => a + b, 0);
  return values.map((value) => (sum ? value / sum : 1 / values.length));
}

function write(found) {
  sliders.querySelectorAll(".share").forEach((text, i) => (text.textContent = written(found[i])));
  inputs().forEach((input, i) => {
    const all = names.map((name, j) => `${name} ${written(found[j])}`).join(", ");
    input.setAttribute("aria-valuetext", names.length === 2 ? all : `${names[i]} ${written(found[i])}`);
  });
}

function label(name, className = "") {
  return make("span", className, make("b", "", name), " ", make("span", "share"));
}

function draw() {
  if (props.value === heard) return;
  heard = props.value;
  const alpha = JSON.parse(props.value || "null");
  box.hidden = !alpha;
  if (!alpha) return;
  const next = Object.keys(alpha);
  if (next.join() === names.join()) {
    const isMoved = shares().some((share, i) => Math.abs(share - alpha[next[i]]) > STEP / 2);
    if (!isMoved) return; // it is what this slider has just said
  }
  names = next;
  if (names.length === 2) {
    const [left, right] = names;
    const input = slider(`Share of ${right}, the rest is ${left}'s`, alpha[right]);
    sliders.replaceChildren(make("div", "slider", label(left), input, label(right)));
  } else {
    sliders.replaceChildren(
      ...names.map((name) => make("div", "slider", label(name, "name"), slider(`Share of ${name}`, alpha[name]))),
    );
  }
  write(Object.values(alpha));
}

sliders.addEventListener("input", () => {
  const found = shares();
  write(found);
  props.value = JSON.stringify(Object.fromEntries(names.map((name, i) => [name, found[i]])));
  trigger("input");
});

watch("value", draw);
draw();
