// Draws what demo/status/__init__.py says. In scope, from Gradio: element, props, watch.

const items = [...element.querySelectorAll(".stages li")];
const box = element.querySelector(".status");
const message = element.querySelector(".message");
let stage = null;

function draw() {
  const state = JSON.parse(props.value || "null");
  box.hidden = !state;
  stage = state?.stage;
  if (!state) return;
  box.dataset.kind = state.kind;
  message.textContent = state.message;
  message.setAttribute("role", state.kind === "problem" ? "alert" : "status");
  // The stages before the first and after the last one (loading, waiting, the preview) have no bar.
  const at = state.stage === "preview" ? 2 : items.findIndex((item) => item.dataset.stage === state.stage);
  items.forEach((item, i) => {
    const isCurrent = item.dataset.stage === state.stage;
    item.dataset.state = i < at ? "done" : isCurrent ? "current" : "ahead";
    item.classList.toggle("endless", isCurrent && state.fraction === null);
    const share = i < at ? 1 : isCurrent ? state.fraction ?? 1 : 0;
    item.querySelector("i").style.width = `${100 * share}%`;
  });
}

// Gradio's queue shows "queue: 2/3" in its own overlay, which page/style.css hides: say it in words.
const block = element.closest(".block");
new MutationObserver(() => {
  const place = block.querySelector('[data-testid="status-tracker"]')?.textContent.match(/queue: (\d+)\//);
  if (!place || stage !== "wait") return;
  const ahead = Number(place[1]);
  const sentence = ahead === 1 ? "1 video is ahead of yours" : `${ahead} videos are ahead of yours`;
  if (message.textContent !== sentence) message.textContent = sentence;
}).observe(block, { subtree: true, childList: true, characterData: true });

watch("value", draw);
draw();
