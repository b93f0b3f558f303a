// Draws what demo/player/__init__.py tells, and follows the video frame by frame.
// In scope: all other scripts, and from Gradio element, props, watch, trigger; in a saved page ../offline gives these.
// All texts are set as text, never as HTML.

const SEEK_MARGIN_S = 0.005; // a rounded time stamp may lie just before its frame

const video = $("video");

let record = null;
let chosen = 0; // which candidate is on show

const urlOf = (path) => {
  if (path.startsWith("blob:")) return path; // in a saved page
  const { root, api_prefix } = window.gradio_config;
  return `${root}${api_prefix}/file=${path.split("/").map(encodeURIComponent).join("/")}`;
};

// --- the sentence -------------------------------------------------------------------------

function drawSentence() {
  const sentence = record.candidates[chosen];
  $(".caption").textContent = sentence.text + (sentence.finished ? "" : " …");
  $(".eyebrow").textContent = `The caption · ${record.method}`;
  words.draw(sentence.words, sentence.end);
  $(".untraced").hidden = !panel.original || chosenIsTraced();
  panel.redraw();
  $(".others ol")
    .querySelectorAll("button")
    .forEach((button, i) => {
      button.setAttribute("aria-pressed", String(i === chosen));
    });
}

function drawCandidates() {
  const others = $(".others");
  others.hidden = record.candidates.length < 2;
  $(".others h3").textContent = `${record.candidates.length} sentences the beam ended with`;
  $(".ranking").textContent = record.ranking;
  $(".others ol").replaceChildren(
    ...record.candidates.map(({ text, prob }) => {
      const item = make("li", "");
      item.append(makeButton("candidate", make("span", "text", text), make("span", "prob", percent(prob))));
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

const goTo = (time_s) => {
  video.pause();
  video.currentTime = time_s + SEEK_MARGIN_S;
  paint(time_s + SEEK_MARGIN_S);
};

const strip = filmStrip({
  onChosen: (index) => goTo(record.frames[index].time_s),
  onMotionWanted: (algorithm) => trigger("motion", { look: record.look, algorithm }),
});

const frameAt = (time_s) => record.frames.findLastIndex((frame) => frame.time_s <= time_s + 0.001);

function paint(time_s) {
  if (!record) return;
  strip.light(frameAt(time_s));
  panel.follow(time_s);
}

listenToKeys({
  video,
  togglePlay: () => (video.paused ? play() : video.pause()),
  stepFrame(by) {
    const to = record.frames[clamp(frameAt(video.currentTime) + by, 0, record.frames.length - 1)];
    if (!(record.preview_until_s !== null && to.time_s > record.preview_until_s)) goTo(to.time_s);
  },
  stepPicture: (by) => goTo(Math.max(video.currentTime - SEEK_MARGIN_S + by * pictureGap_s(), 0)),
});

/** Where a browser forbids it, the visitor presses play; where a pause comes first, that is what was wished. */
function play() {
  video.play().catch(() => {});
}

/** Between two pictures of the film, as the frames' numbers in the trace tell; else that of 25 a second. */
function pictureGap_s() {
  const frames = panel.original?.streams[0].frames ?? [];
  const [first, last] = [frames[0], frames.at(-1)];
  return frames.length > 1 ? (last.time_s - first.time_s) / (last.index - first.index) : 0.04;
}

// --- the trace ----------------------------------------------------------------------------

const isSavedPage = Boolean(props.saved);
const words = sentence({ onWord: (index) => chosenIsTraced() && panel.chooseWord(index) });
const panel = tracePanel({
  strip,
  words,
  isOnShow: () => chosenIsTraced(),
  onSeek: goTo,
  onOtherWord: (words) => wonder.askForWords(words),
  canAsk: () => !isSavedPage && !record.is_stored,
});
const wonder = whatIf(panel, { onAsk: (change) => trigger("what_if", { look: record.look, change }) });
const chosenIsTraced = () => panel.original?.caption === record.candidates[chosen].text;
let isToldStored = false;
let told = null; // the message about the trace: what can be taken away

takeaway({
  stem: () => record.name.replace(/\.[^.]*$/, ""),
  about: () => panel.about(record.name),
  json: () => JSON.stringify(told.trace),
  subtitles: () => told.subtitles,
  onPage: () => trigger("save_page", { record: { ...record, trace: undefined }, told }),
});

function hearTrace(message) {
  // An example's stored trace says more than the first part of the same.
  if (message.is_partial && isToldStored && told.trace.caption === message.trace.caption) return;
  isToldStored = Boolean(message.is_stored);
  told = { trace: message.trace, subtitles: message.subtitles };
  wonder.forget();
  panel.show(unpackTrace(message.trace), Boolean(message.is_partial));
  $(".untraced").hidden = chosenIsTraced();
}

// --- the video ----------------------------------------------------------------------------

function drawVideo() {
  $(".name").textContent = record.name;
  $(".screen").hidden = !record.video;
  if (!record.video) return; // a saved trace without its film
  const ends = record.preview_until_s === null ? "" : ` of its first ${Math.floor(record.preview_until_s)} s`;
  $(".note").textContent = record.is_preview
    ? `Shown as a small, silent preview${ends}: browsers do not play this format. The model saw the original.`
    : "";
  const url = urlOf(record.video);
  if (video.getAttribute("src") !== url) video.src = url;
  video.currentTime = record.frames[0].time_s;
  if (!prefersCalm()) {
    play();
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
  const isOfThisLook = message.look === record?.look;
  if (message.candidates) draw(message);
  else if (message.no_motion) strip.giveUpMotion();
  else if (message.ended === "trace") panel.giveUp();
  else if (message.ended === "what_if") wonder.giveUp();
  else if (message.motion) message.motion.look === record.look && strip.addMotion(message.motion);
  else if (message.trace) isOfThisLook && hearTrace(message);
  else if (message.what_if)
    isOfThisLook && wonder.answer({ ...message.what_if, trace: unpackTrace(message.what_if.trace) });
  else if (message.page) isOfThisLook && fetchPage(message.page);
}

async function fetchPage({ path, name }) {
  save(name, "text/html", await (await fetch(urlOf(path))).blob());
}

const when = ({ time_s }) => time_s;

function draw(next) {
  // The model itself may have caught up with an example's stored caption: the same frames, the film goes on.
  const isCaughtUp =
    record?.is_stored &&
    record.video === next.video &&
    String(record.frames.map(when)) === String(next.frames.map(when));
  const isNewLook = !record || (record.look !== next.look && !isCaughtUp);
  const isNewVideo = !record || record.video !== next.video;
  record = next;
  chosen = 0;
  $(".player").hidden = false;
  $(".player").toggleAttribute("data-stored", Boolean(record.is_stored));
  wonder.forget();
  panel.wait(isNewLook || panel.original?.caption !== record.candidates[0].text);
  wonder.offer(record.endings);
  strip.offerMotion(!record.is_stored);
  $(".usage").textContent = record.usage;
  const looking = record.is_stored
    ? "Stored with the page"
    : record.seconds
      ? `Reading took ${duration(record.seconds.read)}, features ${duration(record.seconds.features)}`
      : "Nothing had to be looked at again: the features were kept";
  $(".cost").textContent =
    record.seconds_to_write === null ? `${looking}.` : `${looking}; writing took ${duration(record.seconds_to_write)}.`;
  drawCandidates();
  drawSentence();
  if (isNewLook) {
    strip.draw(record.frames, record.preview_until_s);
    wonder.suggest(record.frames);
  }
  if (isNewLook || isNewVideo) drawVideo();
  if (record.trace) hearTrace(record);
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
