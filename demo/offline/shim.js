// What Gradio gives the player, in a saved page: its element, its value, and nobody to ask.

function gradio(run) {
  const read = (id) => document.getElementById(id).textContent;
  const value = JSON.parse(read("value"));
  const clip = JSON.parse(read("clip"));
  if (clip) {
    const bytes = Uint8Array.from(atob(clip.data), (letter) => letter.charCodeAt(0));
    value.video = URL.createObjectURL(new Blob([bytes], { type: clip.type }));
  }

  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const adapt = () => document.body.classList.toggle("dark", dark.matches);
  dark.addEventListener("change", adapt);
  adapt();

  const element = document.getElementById("player");
  element.firstElementChild.classList.add("saved");
  const silence = () => {};
  run(element, { value: JSON.stringify(value), saved: true }, silence, silence);
}
