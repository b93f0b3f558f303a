// The strip: the sampled frames in a row, as they are, as their motion, or as a CNN is fed that motion.
// In scope: tools.js, palette.js. Motion is asked for when it is first looked at, and then kept until the next look.

function filmStrip({ onChosen, onMotionWanted }) {
  const list = $(".strip");
  const algorithms = $(".algorithms");
  const firstChoice = { view: "frames", algorithm: "farneback" };

  let frames = [];
  let current = -1; // which frame is lit
  let measured = {}; // algorithm -> the message about it
  let asked = null; // the algorithm that is being waited for
  let shown = firstChoice; // what the pictures on the strip are
  let weight = null; // a frame's time -> how much of the chosen word came from it, -1 … 1

  const radios = (name) => [...element.querySelectorAll(`input[name="strip-${name}"]`)];
  const valueOf = (name) => radios(name).find((radio) => radio.checked).value;
  const buttons = () => [...list.querySelectorAll("button")];

  function choose(choice) {
    for (const name of ["view", "algorithm"]) {
      for (const radio of radios(name)) radio.checked = radio.value === choice[name];
    }
    show();
  }

  // --- frames -----------------------------------------------------------------------------

  function draw(newFrames, previewEnd_s) {
    frames = newFrames;
    current = -1;
    measured = {};
    asked = null;
    list.replaceChildren(
      ...frames.map(({ time_s }, i) => {
        const item = make("li", "");
        const button = make("button", "frame");
        const picture = make("img", "");
        const beyond = previewEnd_s !== null && time_s > previewEnd_s;
        const label = `Frame ${i + 1} of ${frames.length}, at ${time_s.toFixed(2)} seconds`;
        picture.alt = "";
        button.type = "button";
        button.disabled = beyond;
        button.tabIndex = i === 0 ? 0 : -1;
        button.setAttribute("aria-label", beyond ? `${label}; the preview ends before it` : label);
        button.append(picture, make("i", "weight"), make("span", "", `${time_s.toFixed(2)} s`));
        item.append(button);
        return item;
      }),
    );
    list.scrollLeft = 0;
    choose(firstChoice);
    weigh(weight);
  }

  /** Brightens the frames that speak for a word, and puts every weight under its frame as a bar; null: all alike. */
  function weigh(newWeight) {
    weight = newWeight;
    const { above, below } = ink();
    list.classList.toggle("weighed", weight !== null);
    buttons().forEach((button, i) => {
      const share = weight?.(frames[i].time_s) ?? 0;
      button.style.setProperty("--weight", Math.abs(share).toFixed(3));
      button.style.setProperty("--light", Math.max(share, 0).toFixed(3));
      button.style.setProperty("--weight-colour", share < 0 ? below : above);
    });
  }

  function light(index) {
    if (index === current) return;
    current = index;
    buttons().forEach((button, i) => {
      if (i === index) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    });
    const item = list.children[index];
    if (item) {
      // Not scrollIntoView: that would also scroll the page.
      const left = item.offsetLeft - (list.clientWidth - item.clientWidth) / 2;
      list.scrollTo({ left, behavior: prefersCalm() ? "auto" : "smooth" });
    }
  }

  function goTo(index, withFocus) {
    const all = buttons();
    if (!all[index] || all[index].disabled) return;
    all.forEach((button, i) => (button.tabIndex = i === index ? 0 : -1));
    if (withFocus) all[index].focus();
    onChosen(index);
  }

  list.addEventListener("click", (event) => {
    const item = event.target.closest("li");
    if (item) goTo([...list.children].indexOf(item), false);
  });

  list.addEventListener("keydown", (event) => {
    const at = [...list.children].indexOf(event.target.closest("li"));
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: list.children.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    goTo(to, true);
  });

  // --- views ------------------------------------------------------------------------------

  function show() {
    const wanted = { view: valueOf("view"), algorithm: valueOf("algorithm") };
    const motion = wanted.view === "frames" ? null : measured[wanted.algorithm];
    const isMissing = motion === undefined;
    if (!isMissing) shown = wanted;
    algorithms.hidden = wanted.view === "frames";
    list.setAttribute("aria-busy", String(isMissing));
    buttons().forEach((button, i) => {
      const picture = button.firstChild;
      picture.src = motion ? motion[wanted.view].images[i] : frames[i].image;
      picture.dataset.view = motion ? wanted.view : "frames";
    });
    explain(motion, wanted);
  }

  function explain(motion, { view }) {
    for (const text of element.querySelectorAll(".reading")) text.hidden = !motion || text.dataset.view !== view;
    if (!motion) return;
    for (const disc of element.querySelectorAll(".disc")) disc.src = motion[disc.dataset.view].legend;
    $(".radius").textContent = `${motion.radius_px} px`;
    for (const size of element.querySelectorAll(".size")) size.textContent = `${motion.size_px.join("×")} px`;
    for (const cost of element.querySelectorAll(".motion-cost")) cost.textContent = duration(motion.seconds);
  }

  function onChoice() {
    show();
    const algorithm = valueOf("algorithm");
    if (list.getAttribute("aria-busy") === "false" || asked === algorithm) return;
    asked = algorithm;
    onMotionWanted(algorithm);
  }

  for (const radio of [...radios("view"), ...radios("algorithm")]) radio.addEventListener("change", onChoice);

  /** Motion is measured from what was watched: of a stored example there is nothing yet. */
  function offerMotion(isOffered) {
    for (const radio of radios("view")) radio.disabled = radio.value !== "frames" && !isOffered;
  }

  function addMotion(motion) {
    measured[motion.algorithm] = motion;
    if (asked === motion.algorithm) asked = null;
    show();
  }

  /** The measurement was stopped or failed: back to what can be shown. */
  function giveUpMotion() {
    asked = null;
    if (list.getAttribute("aria-busy") === "true") choose(shown);
  }

  return { draw, light, weigh, offerMotion, addMotion, giveUpMotion };
}
