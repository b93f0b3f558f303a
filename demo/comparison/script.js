// Draws what demo/comparison/__init__.py tells. In scope: tools.js, and from Gradio element, props, watch.
// All texts are set as text, never as HTML.

const rows = $("ol");

function who({ name, about }, isChosen) {
  const box = make("div", "who");
  const title = make("p", "name", name);
  if (isChosen) title.append(make("small", "", "chosen"));
  box.append(title, make("p", "kind", about));
  return box;
}

function what({ caption, problem, note }) {
  const box = make("div", "what");
  if (problem) box.append(make("p", "problem", problem));
  else box.append(make("p", "caption", caption));
  if (note) box.append(make("p", "note", note));
  return box;
}

function numbers({ prob, seconds_to_write, seconds_to_look }) {
  const box = make("div", "numbers");
  const looking = seconds_to_look === null ? "features known" : `looking ${duration(seconds_to_look)}`;
  box.append(make("p", "prob", percent(prob)), make("p", "cost", `${looking}, writing ${duration(seconds_to_write)}`));
  return box;
}

function drawRow(row, isChosen) {
  const item = make("li", "");
  if (isChosen) item.setAttribute("aria-current", "true");
  item.append(who(row, isChosen), what(row));
  if (!row.problem) item.append(numbers(row));
  return item;
}

function draw() {
  const found = JSON.parse(props.value || "null");
  $(".comparison").hidden = !found?.rows.length;
  rows.replaceChildren(...(found?.rows ?? []).map((row) => drawRow(row, row.name === found.chosen)));
}

watch("value", draw);
draw();
