// Draws the cards. In scope, from Gradio: element, props, trigger.

const cards = element.querySelector(".cards");

JSON.parse(props.value).forEach(({ title, credit, image }, index) => {
  const card = document.createElement("button");
  const picture = document.createElement("img");
  const name = document.createElement("b");
  const source = document.createElement("span");
  card.type = "button";
  picture.src = image;
  picture.alt = "";
  name.textContent = title;
  source.textContent = credit;
  card.append(picture, name, source);
  card.addEventListener("click", () => trigger("click", { index }));
  cards.append(card);
});
