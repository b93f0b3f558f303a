// What the other scripts share, and the comparison's script.js. In scope, from Gradio: element.

const $ = (selector) => element.querySelector(selector);
const all = (selector) => [...element.querySelectorAll(selector)];

const make = (tag, className, text) => {
  const node = document.createElement(tag);
  node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
};

const makeButton = (className, ...content) => {
  const button = make("button", className);
  button.type = "button";
  button.append(...content);
  return button;
};

const percent = (p) => {
  if (p > 0.99 && p < 1) return "> 99 %";
  if (p < 0.01) return p < 0.0001 ? "< 0.01 %" : `${(100 * p).toFixed(2)} %`;
  return `${Math.round(100 * p)} %`;
};

const duration = (seconds) => (seconds < 1 ? `${Math.round(1000 * seconds)} ms` : `${seconds.toFixed(1)} s`);

const prefersCalm = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

const clamp = (x, least, most) => Math.min(Math.max(x, least), most);
const upTo = (count) => Array.from({ length: count }, (_, i) => i);
