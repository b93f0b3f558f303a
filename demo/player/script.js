// Draws what demo/player/__init__.py tells, and follows the video frame by frame.
// In scope: tools.js, strip.js, and from Gradio element, props, watch, trigger.
// All texts are set as text, never as HTML.

const SEEK_MARGIN_S = 0.005; // a rounded time stamp may lie just before its frame

const video = $("video");

let record = null;
let chosen = 0; // which candidate is on show

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

const strip = filmStrip({
  onChosen(index) {
    video.pause();
    video.currentTime = record.frames[index].time_s + SEEK_MARGIN_S;
    paint(record.frames[index].time_s + SEEK_MARGIN_S);
  },
  onMotionWanted(algorithm) {
    trigger("motion", { look: record.look, algorithm });
  },
});

function paint(time_s) {
  if (record) strip.light(record.frames.findLastIndex((frame) => frame.time_s <= time_s + 0.001));
}

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

// --- a new message ------------------------------------------------------------------------

function hear() {
  const message = JSON.parse(props.value || "null");
  if (!message) return;
  if (message.no_motion) strip.giveUpMotion();
  else if (!message.motion) draw(message);
  else if (message.motion.look === record.look) strip.addMotion(message.motion);
}

function draw(next) {
  const isNewLook = !record || record.look !== next.look;
  const isNewVideo = !record || record.video !== next.video;
  record = next;
  chosen = 0;
  $(".player").hidden = false;
  $(".usage").textContent = record.usage;
  const looking = record.seconds
    ? `Reading took ${duration(record.seconds.read)}, features ${duration(record.seconds.features)}`
    : "Nothing had to be looked at again: the features were kept";
  $(".cost").textContent = `${looking}; writing took ${duration(record.seconds_to_write)}.`;
  drawCandidates();
  drawSentence();
  if (isNewLook) strip.draw(record.frames, record.preview_until_s);
  if (isNewLook || isNewVideo) drawVideo();
  if (isNewLook) bringIntoView();
}

function bringIntoView() {
  // On a phone the caption would appear below the visible part of the page.
  if ($(".caption").getBoundingClientRect().bottom > window.innerHeight) {
    element.scrollIntoView({ behavior: prefersCalm() ? "auto" : "smooth", block: "start" });
  }
}

watch("value", hear);
hear();
