"use strict";
// The sliders between clean and degraded, and the controls over a sheet of them. No library, no network.

function show(input, value) {
  input.value = value;
  const pair = input.parentElement;
  pair.style.setProperty("--at", input.value + "%");
  pair.classList.toggle("at-start", input.value < 18);
  pair.classList.toggle("at-end", input.value > 74);
  input.setAttribute("aria-valuetext", input.value + " % clean");
}

// A range input drags by its thumb only on some phones; so the whole picture is the handle, and the input keeps
// what it does well: focus, keys, and its name for screen readers.
function follow(pair) {
  const input = pair.querySelector("input");
  const place = (event) => {
    const box = pair.getBoundingClientRect();
    show(input, Math.round((100 * (event.clientX - box.left)) / box.width));
  };
  let start = null; // of the pointer that is down
  let follows = false; // a mouse at once; a finger once it goes sideways, for up and down scrolls the page
  pair.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    start = event;
    follows = event.pointerType === "mouse";
    pair.setPointerCapture(event.pointerId);
    input.focus({ preventScroll: true });
    if (follows) place(event);
    event.preventDefault();
  });
  pair.addEventListener("pointermove", (event) => {
    if (event.pointerId !== start?.pointerId) return;
    const [across, down] = [Math.abs(event.clientX - start.clientX), Math.abs(event.clientY - start.clientY)];
    follows ||= across > 5 && across > down;
    if (follows) place(event);
  });
  pair.addEventListener("click", place); // a tap; a finger that scrolls the page sends none
  for (const end of ["pointerup", "pointercancel"]) pair.addEventListener(end, () => (start = null));
  input.addEventListener("input", () => show(input, input.value));
}

function control(block) {
  const form = block.querySelector(".controls");
  if (!form) return;
  const sheet = block.querySelector(".sheet");
  const cards = [...sheet.children];
  const orders = { weak: (a, b) => a.dataset.rank - b.dataset.rank, strong: (a, b) => b.dataset.rank - a.dataset.rank };
  const choose = () => {
    const wanted = new FormData(form);
    const off = (card, name) => wanted.get(name) && wanted.get(name) !== card.dataset[name];
    for (const card of cards) card.hidden = Boolean(off(card, "degradation") || off(card, "origin"));
    const order = orders[wanted.get("order")];
    sheet.append(...(order ? [...cards].sort(order) : cards));
    form.querySelector(".count").value = cards.filter((card) => !card.hidden).length + " of " + cards.length;
  };
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", choose);
  form.elements.every.addEventListener("input", (event) => {
    for (const input of sheet.querySelectorAll(".pair input")) show(input, event.target.value);
  });
  choose(); // a browser may have kept the choice over a reload
}

for (const pair of document.querySelectorAll(".pair:not(.single)")) follow(pair);
for (const block of document.querySelectorAll(".sheet-block")) control(block);
for (const input of document.querySelectorAll(".pair input")) show(input, 50);
