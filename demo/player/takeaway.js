// Take it away: the trace, the subtitles, a row as a picture, the page as one file. In scope: all files before.

function save(name, type, ...parts) {
  const link = make("a", "");
  link.href = URL.createObjectURL(new Blob(parts, { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function takeaway({ stem, about, json, subtitles, onPage }) {
  $(".take").addEventListener("click", (event) => {
    const kind = event.target.closest("[data-take]")?.dataset.take;
    if (kind === "json") save(`${stem()}.trace.json`, "application/json", json());
    else if (kind === "srt") save(`${stem()}.srt`, "application/x-subrip", subtitles().srt);
    else if (kind === "vtt") save(`${stem()}.vtt`, "text/vtt", subtitles().vtt);
    else if (kind === "page") onPage();
  });

  for (const section of all(".row")) {
    const body = section.querySelector(".body");
    if (!body?.querySelector("[data-plot], .candidates")) continue;
    const button = makeButton("plain svg", "Save as SVG");
    button.setAttribute("aria-label", `Save “${section.querySelector("h3, summary b").textContent}” as SVG`);
    button.addEventListener("click", () => {
      save(`${stem()}.${section.dataset.row}.svg`, "image/svg+xml", pictureOf(section, about()));
    });
    body.append(button);
  }
}
