// Draws the record that demo/player/__init__.py builds, and follows the video frame by frame.
// In scope, from Gradio: element, props, watch, trigger. All texts are set as text, never as HTML.

const SEEK_MARGIN_S = 0.005; // a rounded time stamp may lie just before its frame

const $ = (selector) => element.querySelector(selector);
const video = $("video");
const strip = $(".strip");

let record = null;
let chosen = 0; // which candidate is on show
let current = -1; // which frame is

const make = (tag, className, text) => {
  const node = document.createElement(tag);
  node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
};

const percent = (p) => {
  if (p > 0.99 && p < 1) return "> 99 %";
  if (p < 0.01) return p < 0.0001 ? "< 0.01 %" : `${(100 * p).toFixed(2)} %`;
  return `${Math.round(100 * p)} %`;
};

const duration = (seconds) => (seconds < 1 ? `${Math.round(1000 * seconds)} ms` : `${seconds.toFixed(1)} s`);

const prefersCalm = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

const urlOf = (path) => {
  const { root, api_prefix } = window.gradio_config;
  return `${root}${api_prefix}/file=${path.split("/").map(encodeURIComponent).join("/")}`;
};

// --- the sentence -------------------------------------------------------------------------

function drawSentence() {
  const sentence = record.candidates[chosen];
  $(".caption").textContent = sentence.text + (sentence.finished ? "" : " …");
  $(".eyebrow").textContent = `The caption · ${record.method}`;
  $(".words").replaceChildren(
    ...sentence.words.map(({ text, prob }) => {
      const chip = make("li", "word");
      chip.style.setProperty("--share", prob.toFixed(3));
      chip.append(make("b", "", text), make("span", "", percent(prob)));
      return chip;
    }),
  );
  $(".others ol").querySelectorAll("button").forEach((button, i) => {
    button.setAttribute("aria-pressed", String(i === chosen));
  });
}

function drawCandidates() {
  const others = $(".others");
  others.hidden = record.candidates.length < 2;
  $(".others h3").textContent = `${record.candidates.length} sentences the beam ended with`;
  $(".others ol").replaceChildren(
    ...record.candidates.map(({ text, prob }) => {
      const item = make("li", "");
      const button = make("button", "candidate");
      button.type = "button";
      button.append(make("span", "text", text), make("span", "prob", percent(prob)));
      item.append(button);
      return item;
    }),
  );
}

$(".others ol").addEventListener("click", (event) => {
  const item = event.target.closest("li");
  if (!item) return;
  chosen = [...item.parentNode.children].indexOf(item);
  drawSentence();
});

// --- the frames ---------------------------------------------------------------------------

function drawFrames() {
  current = -1;
  strip.replaceChildren(
    ...record.frames.map(({ time_s, image }, i) => {
      const item = make("li", "");
      const button = make("button", "frame");
      const picture = make("img", "");
      const beyond = record.preview_until_s !== null && time_s > record.preview_until_s;
      const label = `Frame ${i + 1} of ${record.frames.length}, at ${time_s.toFixed(2)} seconds`;
      picture.src = image;
      picture.alt = "";
      button.type = "button";
      button.disabled = beyond;
      button.tabIndex = i === 0 ? 0 : -1;
      button.setAttribute("aria-label", beyond ? `${label}; the preview ends before it` : label);
      button.append(picture, make("span", "", `${time_s.toFixed(2)} s`));
      item.append(button);
      return item;
    }),
  );
  strip.scrollLeft = 0;
}

function goTo(index, withFocus) {
  const buttons = strip.querySelectorAll("button");
  if (!buttons[index] || buttons[index].disabled) return;
  buttons.forEach((button, i) => (button.tabIndex = i === index ? 0 : -1));
  if (withFocus) buttons[index].focus();
  video.pause();
  video.currentTime = record.frames[index].time_s + SEEK_MARGIN_S;
  paint(record.frames[index].time_s + SEEK_MARGIN_S);
}

function paint(time_s) {
  if (!record) return;
  const index = record.frames.findLastIndex((frame) => frame.time_s <= time_s + 0.001);
  if (index === current) return;
  current = index;
  strip.querySelectorAll("button").forEach((button, i) => {
    if (i === index) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  });
  const item = strip.children[index];
  if (item) {
    // Not scrollIntoView: that would also scroll the page.
    strip.scrollTo({ left: item.offsetLeft - (strip.clientWidth - item.clientWidth) / 2, behavior: prefersCalm() ? "auto" : "smooth" });
  }
}

strip.addEventListener("click", (event) => {
  const item = event.target.closest("li");
  if (item) goTo([...strip.children].indexOf(item), false);
});

strip.addEventListener("keydown", (event) => {
  const at = [...strip.children].indexOf(event.target.closest("li"));
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: strip.children.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  goTo(to, true);
});

// --- the video ----------------------------------------------------------------------------

function drawVideo() {
  $(".name").textContent = record.name;
  const ends = record.preview_until_s === null ? "" : ` of its first ${Math.floor(record.preview_until_s)} s`;
  $(".note").textContent = record.is_preview
    ? `Shown as a small, silent preview${ends}: browsers do not play this format. The model saw the original.`
    : "";
  const url = urlOf(record.video);
  if (video.getAttribute("src") !== url) video.src = url;
  video.currentTime = record.frames[0].time_s;
  if (!prefersCalm()) {
    video.play().catch(() => {}); // where a browser forbids it, the visitor presses play
  }
}

function onUnplayable() {
  if (!record) return;
  if (record.is_preview) $(".note").textContent = "This browser plays neither the video nor its preview.";
  else trigger("input", { unplayable: record.video });
}

video.addEventListener("error", onUnplayable);
video.addEventListener("loadeddata", () => video.videoWidth === 0 && onUnplayable()); // it plays the sound only
video.addEventListener("timeupdate", () => paint(video.currentTime));
video.addEventListener("seeked", () => paint(video.currentTime));
if (video.requestVideoFrameCallback) {
  const onFrame = (_now, { mediaTime }) => {
    paint(mediaTime);
    video.requestVideoFrameCallback(onFrame);
  };
  video.requestVideoFrameCallback(onFrame);
}

// --- a new record -------------------------------------------------------------------------

function draw() {
  const next = JSON.parse(props.value || "null");
  if (!next) return;
  const isNewLook = !record || record.look !== next.look;
  const isNewVideo = !record || record.video !== next.video;
  record = next;
  chosen = 0;
  $(".player").hidden = false;
  $(".usage").textContent = record.usage;
  $(".cost").textContent =
    `Reading took ${duration(record.seconds.read)}, features ${duration(record.seconds.features)}, ` +
    `writing ${duration(record.seconds_to_write)}.`;
  drawCandidates();
  drawSentence();
  if (isNewLook) drawFrames();
  if (isNewLook || isNewVideo) drawVideo();
  if (isNewLook) bringIntoView();
}

function bringIntoView() {
  // On a phone the caption would appear below the visible part of the page.
  if ($(".caption").getBoundingClientRect().bottom > window.innerHeight) {
    element.scrollIntoView({ behavior: prefersCalm() ? "auto" : "smooth", block: "start" });
  }
}

watch("value", draw);
draw();
