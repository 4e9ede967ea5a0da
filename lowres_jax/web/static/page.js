"use strict";
// No library: three forms, each of which asks the server and shows its answer.

const byId = (id) => document.getElementById(id);
const limits = {};

function element(tag, text, properties = {}) {
  const made = Object.assign(document.createElement(tag), properties);
  if (text !== undefined && text !== null) made.textContent = text;
  return made;
}

function say(section, text, wrong = false) {
  const status = section.querySelector(".status");
  status.textContent = text;
  status.classList.toggle("wrong", wrong);
}

async function ask(address, options = {}) {
  let answer;
  try {
    answer = await fetch(address, options);
  } catch {
    throw new Error("the server does not answer: is it still running?");
  }
  if (answer.ok) return answer;
  let detail = `the server refuses (${answer.status})`;
  try {
    const told = (await answer.json()).detail;
    detail = typeof told === "string" ? told : detail;
  } catch { /* no JSON */ }
  throw new Error(detail);
}

function checked(file) {
  if (!file) throw new Error("choose a file first");
  if (limits.most_megabytes && file.size > limits.most_megabytes * 1e6) {
    throw new Error(`${file.name} has ${(file.size / 1e6).toFixed(0)} MB, over the ${limits.most_megabytes} MB that are taken`);
  }
  return file;
}

function form(id, work) {
  const section = byId(id), own = section.querySelector("form"), button = own.querySelector("button");
  const input = own.querySelector("input[type=file]");
  own.addEventListener("submit", async (event) => {
    event.preventDefault();
    const result = section.querySelector(".result");
    button.disabled = true;
    result.hidden = true;
    result.replaceChildren();
    try {
      await work(section, result);
      result.hidden = false;
    } catch (error) {
      say(section, error.message, true);
    }
    button.disabled = false;
  });
  own.addEventListener("dragover", (event) => { event.preventDefault(); own.classList.add("over"); });
  own.addEventListener("dragleave", () => own.classList.remove("over"));
  own.addEventListener("drop", (event) => {
    event.preventDefault();
    own.classList.remove("over");
    take(input, event.dataTransfer.files);
  });
  return input;
}

function take(input, files) {
  if (!files.length) return;
  const one = new DataTransfer();
  one.items.add(files[0]);
  input.files = one.files;
  input.form.requestSubmit();
}

function photograph(file, width, height, faces) {
  const figure = element("div", null, { className: "photograph" });
  const picture = element("img", null, { alt: `The photograph, with ${faces.length} faces marked`, src: URL.createObjectURL(file) });
  figure.append(picture);
  const place = () => {
    const whole = [width || picture.naturalWidth, height || picture.naturalHeight];
    faces.forEach((face, number) => {
      const [left, top, right, bottom] = face.box;
      const box = element("span", null, { className: "box" });
      box.style.left = `${100 * left / whole[0]}%`;
      box.style.top = `${100 * top / whole[1]}%`;
      box.style.width = `${100 * (right - left) / whole[0]}%`;
      box.style.height = `${100 * (bottom - top) / whole[1]}%`;
      box.append(element("b", String(number + 1)));
      figure.append(box);
    });
  };
  picture.addEventListener("load", place, { once: true });
  return figure;
}

function quality(value) {
  return value === null ? "" : `, quality ${value.toFixed(2)}${value < 0.3 ? " (poor)" : ""}`;
}

function enlargedFace(face, number) {
  const card = element("article", null, { className: "face" });
  card.append(element("h3", `Face ${number}: ${face.size} px${quality(face.quality)}`));
  if (!face.model) {
    card.append(element("img", null, { src: face.pixels, alt: `Face ${number} as it is`, className: "whole" }));
    card.append(element("p", face.remark, { className: "small" }));
    return card;
  }
  const stack = element("div", null, { className: "stack" });
  const layers = ["pixels", "bicubic", "enlarged"].map((kind) =>
    element("img", null, { src: face[kind], className: kind, alt: "" }));
  stack.append(...layers);
  stack.setAttribute("role", "img");
  const slider = element("input", null, { type: "range", min: 0, max: 2, step: 0.05, value: 2, className: "slider" });
  const label = element("p", "", { className: "small" });
  const names = ["as it is, in pixels", "enlarged by bicubic", `enlarged by ${face.model}`];
  const show = () => {
    const at = Number(slider.value);
    layers[1].style.opacity = Math.min(at, 1);
    layers[2].style.opacity = Math.max(at - 1, 0);
    const name = names[Math.round(at)];
    label.textContent = `Shown: ${name}.`;
    slider.setAttribute("aria-valuetext", name);
    stack.setAttribute("aria-label", `Face ${number}, ${name}`);
  };
  slider.setAttribute("aria-label", `Face ${number}: from pixels over bicubic to ${face.model}`);
  slider.addEventListener("input", show);
  show();
  card.append(stack, slider, label);
  card.append(element("p", "A guess: what the network adds is invented.", { className: "guess" }));
  if (face.another) card.append(element("p", "It hardly is the same face any more.", { className: "guess" }));
  if (face.remark) card.append(element("p", `The photograph has ${face.remark}`, { className: "small" }));
  card.append(element("a", "Save this face", { href: face.enlarged, download: `face${number}.png`, className: "button" }));
  return card;
}

async function enhance(section, result, large = false) {
  const file = checked(byId("photograph").files[0]);
  if (file.type.startsWith("video/")) return job(section, result, "clip", "clip", file);
  say(section, "Looking for faces …");
  const body = new FormData();
  body.append("picture", file, file.name);
  const found = await (await ask(`enhance?large=${large}`, { method: "POST", body })).json();
  const count = found.faces.length;
  say(section, count ? `${count} ${count === 1 ? "face" : "faces"} found.` : "No face found.");
  result.append(photograph(file, found.width, found.height, found.faces));
  const faces = element("div", null, { className: "faces" });
  found.faces.forEach((face, number) => faces.append(enlargedFace(face, number + 1)));
  result.append(faces);
  if (!large && found.faces.some((face) => face.can_be_enlarged)) {
    const all = element("button", "Enlarge the large faces too", { type: "button", className: "plain" });
    all.addEventListener("click", async () => {
      all.disabled = true;
      result.replaceChildren();
      try { await enhance(section, result, true); } catch (error) { say(section, error.message, true); }
    });
    result.append(all);
  }
  const whole = element("button", "Save the whole photograph, enlarged", { type: "button" });
  whole.addEventListener("click", async () => {
    whole.disabled = true;
    say(section, "Enlarging the photograph …");
    try {
      const again = new FormData();
      again.append("picture", file, file.name);
      const answer = await ask("enhance", { method: "POST", body: again, headers: { accept: "image/png" } });
      save(await answer.blob(), `${file.name.replace(/\.[^.]*$/, "")}_enlarged.png`);
      say(section, "The photograph is saved.");
    } catch (error) {
      say(section, error.message, true);
    }
    whole.disabled = false;
  });
  result.append(whole);
  [...found.remarks, found.caution].forEach((line) => result.append(element("p", line, { className: "small" })));
}

function save(blob, name) {
  const link = element("a", null, { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
}

// A folder of photographs is more than a server takes: large ones are sent with fewer pixels, as many as a face needs.
async function reduced(file) {
  if (file.size < 1e6) return file;
  try {
    const whole = await createImageBitmap(file);
    const factor = Math.min(1, 1600 / Math.max(whole.width, whole.height));
    const canvas = new OffscreenCanvas(Math.round(factor * whole.width), Math.round(factor * whole.height));
    const drawing = canvas.getContext("2d");
    drawing.imageSmoothingQuality = "high";
    drawing.drawImage(whole, 0, 0, canvas.width, canvas.height);
    return await canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
  } catch {
    return file; // of a format that this browser does not know
  }
}

async function identify(section, result) {
  const file = checked(byId("searched").files[0]);
  const body = new FormData();
  body.append("picture", file, file.name);
  const among = section.querySelector("input[name=among]:checked").value;
  const known = among === "folder" ? [...byId("folder").files] : among === "one" ? [...byId("other").files] : [];
  if (among !== "server" && !known.length) throw new Error("choose the known people first");
  say(section, "Searching …");
  for (const each of known.filter((one) => !one.name.startsWith("."))) {
    body.append("known", await reduced(each), each.webkitRelativePath.split("/").slice(1).join("/") || each.name);
  }
  const found = await (await ask("identify", { method: "POST", body })).json();
  const named = found.faces.filter((face) => face.answer === "match").length;
  say(section, found.pair ? found.faces[0].said + "." : `${found.faces.length} searched among ${found.known} people, ${named} named.`);
  result.append(photograph(file, 0, 0, found.faces));
  const faces = element("div", null, { className: "faces" });
  found.faces.forEach((face, number) => {
    const card = element("article", null, { className: "face" });
    card.append(element("h3", `Face ${number + 1}: ${face.said}`));
    card.append(element("img", null, { src: face.crop, alt: `Face ${number + 1} as it was searched for` }));
    card.append(element("p", face.how, { className: "small" }));
    if (face.how.includes("enlarged by")) {
      card.append(element("p", "A guess: it was enlarged by a network.", { className: "guess" }));
    }
    const table = element("table");
    table.append(element("caption", `Most similar; a name is given from ${face.threshold.toFixed(3)} on`));
    face.nearest.forEach((each) => {
      const row = element("tr");
      row.append(element("th", each.name, { scope: "row" }), element("td", each.similarity.toFixed(3)));
      table.append(row);
    });
    card.append(table);
    if (face.enrolled_itself) card.append(element("p", "This very picture is among the known ones: its likeness says nothing.", { className: "small" }));
    faces.append(card);
  });
  result.append(faces);
  const lines = [...found.notes, found.caution];
  if (found.not_enrolled.length) lines.unshift(`No face found of: ${found.not_enrolled.join(", ")}.`);
  found.unreadable.forEach((line) => lines.unshift(line));
  lines.forEach((line) => result.append(element("p", line, { className: "small" })));
}

async function job(section, result, address, name, file) {
  const body = new FormData();
  body.append(name, file, file.name);
  say(section, "Sending …");
  await follow(section, result, await (await ask(address, { method: "POST", body })).json());
}

// A job that this browser started, now or before the page was loaded anew.
async function follow(section, result, state) {
  const bar = element("progress", null, { max: 100 });
  bar.setAttribute("aria-label", "Progress");
  const stop = element("button", "Stop", { type: "button", className: "plain" });
  let stopped = false;
  stop.addEventListener("click", async () => {
    stopped = true;
    try { await ask(`jobs/${state.id}`, { method: "DELETE" }); } catch { /* gone already */ }
  });
  result.append(bar, stop);
  result.hidden = false;
  while (state.state === "running" && !stopped) {
    bar.value = state.percent;
    say(section, `${state.said} … ${state.percent} %`);
    await new Promise((done) => setTimeout(done, 1000));
    if (!stopped) {
      try { state = await (await ask(`jobs/${state.id}`)).json(); } catch (error) { if (!stopped) throw error; }
    }
  }
  bar.remove();
  stop.remove();
  if (stopped) return say(section, "Stopped; nothing of it is kept.");
  if (state.state === "failed") throw new Error(state.said || "it failed");
  say(section, "Done. It is kept for an hour.");
  const made = `jobs/${state.id}/result`;
  if (state.kind === "clip") {
    result.append(element("video", null, { src: made, controls: true }));
    result.append(element("p", "A guess: what the network adds to the faces is invented.", { className: "guess" }));
    result.append(element("a", "Save the clip", { href: made, download: "enlarged.mp4", className: "button" }));
  } else {
    result.append(element("a", "Open the report", { href: made, target: "_blank", rel: "noopener", className: "button" }));
    result.append(element("a", "Save it", { href: made, download: "report.html", className: "button" }));
  }
  const remove = element("button", "Remove it from the server", { type: "button", className: "plain" });
  remove.addEventListener("click", async () => {
    try { await ask(`jobs/${state.id}`, { method: "DELETE" }); } catch { /* gone already */ }
    result.replaceChildren();
    say(section, "Removed.");
  });
  result.append(remove);
}

const photographInput = form("enhance", enhance);
form("identify", identify);
form("compare", (section, result) => job(section, result, "compare", "archive", checked(byId("archive").files[0])));

document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) take(photographInput, event.clipboardData.files);
});
document.querySelectorAll("input[name=among]").forEach((radio) => radio.addEventListener("change", () => {
  document.querySelectorAll("[data-among]").forEach((part) => { part.hidden = part.dataset.among !== radio.value; });
}));

ask("state").then((answer) => answer.json()).then((state) => {
  Object.assign(limits, state);
  if (state.known) {
    byId("server-known").textContent = `the ${state.known} people known to this server`;
    byId("among-server").click();
  } else {
    byId("among-server").disabled = true;
    byId("server-known").textContent = "people known to this server (none: it was started without a gallery)";
  }
}).catch(() => { /* said with the first request */ });

ask("jobs").then((answer) => answer.json()).then((jobs) => {
  for (const [kind, id] of [["clip", "enhance"], ["report", "compare"]]) {
    const own = jobs.find((each) => each.kind === kind), section = byId(id);
    if (own) follow(section, section.querySelector(".result"), own).catch((error) => say(section, error.message, true));
  }
}).catch(() => { /* said with the first request */ });
