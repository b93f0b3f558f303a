// The keyboard: space plays, arrows go from frame to frame, full stop and comma from picture to picture of the film.
// In scope: tools.js.

function listenToKeys({ video, togglePlay, stepFrame, stepPicture }) {
  const isNative = (target) => target.closest("input, select, textarea, summary, a");
  const isOwn = (target) => target === document.body || $(".player").contains(target);

  document.addEventListener(
    "keydown",
    (event) => {
      const { target, key } = event;
      if ($(".player").hidden || !isOwn(target) || event.ctrlKey || event.metaKey || event.altKey) return;
      if (target.closest(".strip, .plot") && key.startsWith("Arrow")) return; // they have their own
      if (isNative(target)) return;
      // Space on a button presses it, but for words and frames: these are chosen by Enter.
      if (key === " " && target.closest("button") && !target.closest(".words, .strip")) return;
      const act = {
        " ": togglePlay,
        ArrowRight: () => stepFrame(1),
        ArrowLeft: () => stepFrame(-1),
        ".": () => stepPicture(1),
        ",": () => stepPicture(-1),
      }[key];
      if (!act) return;
      event.preventDefault(); // or the video's own keys would act, too
      act();
    },
    true,
  );
  // A button's click comes with the key's release.
  document.addEventListener("keyup", (event) => {
    if (event.key === " " && event.target.closest?.(".words button, .strip button")) event.preventDefault();
  });
}
