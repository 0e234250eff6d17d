// The page of gendeg play: a photo and a wish go to this page's own server, a pair of pictures comes back.

const desk = document.querySelector(".desk");
const stage = document.querySelector(".stage");
const wish = document.querySelector(".wish");
const pair = stage.querySelector(".pair");
const status = stage.querySelector(".status");
const trouble = stage.querySelector(".trouble");
const file = document.getElementById("file");
const save = wish.querySelector(".save");
const copy = wish.querySelector(".copy");
const code = wish.querySelector("code");

let photo = null; // {name, blob}
let running = false; // one request at a time; what changes meanwhile is asked for when it is done
let stale = false;
let shown = []; // addresses of the pictures on the page

function complain(line) {
  trouble.textContent = line;
  trouble.hidden = !line;
}

function asked() {
  const form = new FormData(wish);
  return new URLSearchParams({
    name: photo.name, type: form.getAll("kind").join("+"), intensity: form.get("intensity"),
    seed: form.get("seed") || "0", size: form.get("size"), model: form.get("model"),
  });
}

async function make() {
  if (!photo) return;
  if (running) { stale = true; return; }
  const query = asked();
  if (!query.get("type")) { complain("Choose a degradation."); return; }
  running = true;
  stale = false;
  stage.classList.add("busy");
  const began = performance.now();
  const clock = setInterval(() => (status.textContent = "Making it … " + Math.round((performance.now() - began) / 1000) + " s"), 250);
  try {
    const answer = await fetch("make?" + query, { method: "POST", body: photo.blob, headers: { "X-Gendeg-Play": "1" } });
    const made = await answer.json();
    if (made.error) throw new Error(made.error);
    complain("");
    await reveal(made);
    status.textContent = "Made in " + ((performance.now() - began) / 1000).toFixed(1) + " s. Drag the line over the picture.";
  } catch (error) {
    status.textContent = "";
    complain(error instanceof TypeError ? "The page's server does not answer; is gendeg play still running?" : error.message);
  } finally {
    clearInterval(clock);
    stage.classList.remove("busy");
    running = false;
    if (stale) make();
  }
}

function picture(coded) {
  const bytes = Uint8Array.from(atob(coded), (letter) => letter.charCodeAt(0));
  const url = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
  shown.push(url);
  return url;
}

async function reveal(made) {
  const before = shown;
  shown = [];
  const [clean, degraded] = [picture(made.clean), picture(made.degraded)];
  const { width, height } = made.record;
  const images = [pair.querySelector(".degraded"), pair.querySelector(".clean")];
  [images[0].src, images[1].src] = [degraded, clean];
  await Promise.all(images.map((image) => image.decode()));
  for (const url of before) URL.revokeObjectURL(url);
  pair.style.aspectRatio = width + "/" + height;
  pair.style.setProperty("--ratio", (width / height).toFixed(4));
  pair.hidden = false;
  stage.classList.add("filled");
  for (const part of wish.querySelectorAll("[data-of]")) {
    const number = made.record[part.dataset.of];
    const said = typeof number === "number" && number >= 0 ? number.toFixed(4) : "–";
    part.textContent = part.classList.contains("asked") ? "asked for " + said : said;
  }
  code.textContent = made.command;
  copy.disabled = false;
  save.href = degraded;
  save.download = made.name;
  save.setAttribute("aria-disabled", "false");
}

function take(blob, name) {
  const limit = Number(desk.dataset.megabytes);
  if (blob.size > limit * 1e6) {
    complain(name + ": the file has " + (blob.size / 1e6).toFixed(1) + " MB, more than the " + limit + " MB that are taken here (--max-megabytes)");
    return;
  }
  photo = { name, blob };
  make();
}

file.addEventListener("change", () => {
  if (file.files[0]) take(file.files[0], file.files[0].name);
  file.value = "";
});
for (const button of document.querySelectorAll(".sample")) {
  button.addEventListener("click", async () => {
    const answer = await fetch("sample/" + encodeURIComponent(button.dataset.name));
    take(await answer.blob(), button.dataset.name);
  });
}
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    stage.classList.toggle("over", name === "dragover");
    const dropped = name === "drop" && event.dataTransfer.files[0];
    if (dropped) take(dropped, dropped.name);
  });
}
document.addEventListener("paste", (event) => {
  const pasted = event.clipboardData?.files[0];
  if (pasted) take(pasted, pasted.name);
});
wish.addEventListener("submit", (event) => { event.preventDefault(); make(); });
wish.addEventListener("change", make);
wish.elements.intensity.addEventListener("input", (event) => {
  wish.elements.strength.value = Number(event.target.value).toFixed(2);
});
wish.querySelector(".dice").addEventListener("click", () => {
  wish.elements.seed.value = Number(wish.elements.seed.value || 0) + 1;
  make();
});
copy.addEventListener("click", async () => {
  const mark = document.createRange();
  mark.selectNodeContents(code);
  getSelection().removeAllRanges();
  getSelection().addRange(mark); // so that it can be copied by hand where the clipboard is closed (plain HTTP)
  try {
    await navigator.clipboard.writeText(code.textContent);
    copy.textContent = "Copied";
  } catch {
    copy.textContent = document.execCommand("copy") ? "Copied" : "Selected";
  }
  setTimeout(() => (copy.textContent = "Copy"), 1500);
});
