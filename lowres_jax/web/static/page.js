"use strict";
// No library: two forms, each of which asks the server and shows its answer.

// A person's name as people write it.
const written = (name) => name.replaceAll("_", " ");
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

// A button keeps the focus while its work is done.
async function busy(button, section, work) {
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  try {
    await work();
  } catch (error) {
    say(section, error.message, true);
  }
  button.setAttribute("aria-disabled", "false");
}

function button(text, section, work, plain = false) {
  const made = element("button", text, { type: "button", className: plain ? "plain" : "" });
  made.addEventListener("click", () => busy(made, section, work));
  return made;
}

function form(id, work) {
  const section = byId(id), own = section.querySelector("form");
  const input = own.querySelector("input[type=file]");
  own.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(own.querySelector("button"), section, () => {
      const result = section.querySelector(".result");
      result.replaceChildren();
      result.hidden = false;
      return work(section, result);
    });
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
  const taken = new DataTransfer();
  [...files].slice(0, input.multiple ? files.length : 1).forEach((file) => taken.items.add(file));
  input.files = taken.files;
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

const stem = (file) => file.name.replace(/\.[^.]*$/, "") || "photograph";

function enlargedFace(face, number, file, license) {
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
  // By keyboard three stops, not forty.
  const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 };
  slider.addEventListener("keydown", (event) => {
    if (!(event.key in steps)) return;
    event.preventDefault();
    slider.value = Math.min(2, Math.max(0, Math.round(Number(slider.value)) + steps[event.key]));
    show();
  });
  show();
  card.append(stack, slider, label);
  card.append(element("p", "A guess: what the network adds is invented.", { className: "guess" }));
  if (face.another) card.append(element("p", "It hardly is the same face any more.", { className: "guess" }));
  if (face.remark) card.append(element("p", `The photograph has ${face.remark}`, { className: "small" }));
  const save = element("a", "Save this face", { href: face.enlarged, download: `${stem(file)}_face${number}.png`, className: "button" });
  card.append(save);
  if (license) card.append(element("p", license, { className: "small" }));
  return card;
}

async function enhance(section, result, large = false) {
  const files = [...byId("photograph").files];
  if (!files.length) throw new Error("choose a file first");
  const clip = files.find((file) => file.type.startsWith("video/"));
  if (clip) return clipChoices(section, result, checked(clip));
  let count = 0, could = false;
  const problems = [];
  for (const [place, file] of files.entries()) {
    say(section, files.length > 1 ? `Looking for faces, photograph ${place + 1} of ${files.length} …` : "Looking for faces …");
    try {
      const found = await faces(section, result, checked(file), large, files.length > 1);
      count += found.faces.length;
      could = could || found.faces.some((face) => face.can_be_enlarged);
    } catch (error) {
      if (files.length === 1) throw error;
      problems.push(error.message);
    }
  }
  const said = count ? `${count} ${count === 1 ? "face" : "faces"} found.` : "No face found.";
  say(section, [said, ...problems].join(" "), !count && problems.length > 0);
  if (!large && could) {
    result.append(button("Enlarge the large faces too", section, () => {
      result.replaceChildren();
      return enhance(section, result, true);
    }, true));
  }
  if (count) {
    result.append(button("Save all enlarged faces (zip)", section, async () => {
      const body = new FormData();
      files.forEach((file) => body.append("pictures", file, file.name));
      save(await (await ask(`faces?${chosen(large)}`, { method: "POST", body })).blob(), "faces.zip");
      say(section, "The faces are saved.");
    }));
  }
}

const chosen = (large) => new URLSearchParams({ large, model: byId("model").value });

// One photograph: its faces marked, each with its slider and its question.
async function faces(section, result, file, large, named) {
  const body = new FormData();
  body.append("picture", file, file.name);
  const found = await (await ask(`enhance?${chosen(large)}`, { method: "POST", body })).json();
  const block = element("div");
  if (named) block.append(element("h3", file.name, { className: "file" }));
  block.append(photograph(file, found.width, found.height, found.faces));
  const list = element("div", null, { className: "faces" });
  const searched = {};  // one search answers for all faces of the photograph
  found.faces.forEach((face, number) => {
    const card = enlargedFace(face, number + 1, file, found.license);
    const answer = element("div", null, { className: "answer", hidden: true });
    answer.setAttribute("role", "status");
    card.append(button("Who is this?", section, () => whoIs(section, searched, file, face, answer), true), answer);
    list.append(card);
  });
  block.append(list);
  block.append(button("Save the whole photograph, enlarged", section, async () => {
    say(section, "Enlarging the photograph …");
    const again = new FormData();
    again.append("picture", file, file.name);
    const content = await ask("enhance", { method: "POST", body: again, headers: { accept: "image/png" } });
    save(await content.blob(), `${stem(file)}_enlarged.png`);
    say(section, "The photograph is saved.");
  }));
  if (found.license) block.append(element("p", found.license, { className: "small" }));
  result.append(block);
  return found;
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

async function knownPeople(body) {
  const among = document.querySelector("input[name=among]:checked").value;
  const known = among === "folder" ? [...byId("folder").files] : among === "one" ? [...byId("other").files] : [];
  if (among !== "server" && !known.length) {
    byId("people").open = true;
    byId("people").querySelector("summary").focus();
    throw new Error("choose the known people first");
  }
  for (const each of known.filter((one) => !one.name.startsWith("."))) {
    body.append("known", await reduced(each), each.webkitRelativePath.split("/").slice(1).join("/") || each.name);
  }
  return [among, ...known.map((each) => `${each.webkitRelativePath}${each.name}${each.size}${each.lastModified}`)].join();
}

async function whoIs(section, searched, file, face, answer) {
  const body = new FormData();
  body.append("picture", file, file.name);
  const among = await knownPeople(body);
  if (searched.among !== among) {
    say(section, "Searching …");
    searched.found = await (await ask("identify", { method: "POST", body })).json();
    searched.among = among;
  }
  const found = searched.found;
  const distance = (other) => Math.hypot(...other.box.map((each, side) => each - face.box[side]));
  const own = found.faces.reduce((best, each) => (distance(each) < distance(best) ? each : best));
  const [first, ...others] = own.nearest;
  const named = own.answer === "match" || found.pair;
  say(section, found.pair ? `${own.words}.` : `Searched among ${found.known} people.`);
  answer.replaceChildren(element("p", found.pair ? own.words : own.answer === "match" ? `${written(first.name)}: ${own.words}` : own.words, { className: "guess" }));
  const pair = element("div", null, { className: "beside-pair" });
  for (const [source, text] of [[own.crop, "as it was searched for"], [own.enrolled, found.pair ? "the other picture" : `${written(first.name)}, known`]]) {
    if (!source) continue;
    const figure = element("figure");
    figure.append(element("img", null, { src: source, alt: text }), element("figcaption", text));
    pair.append(figure);
  }
  answer.append(pair);
  const reaches = named ? "Similarity" : `Nearest: ${written(first.name)}, similarity`;
  answer.append(element("p", `${reaches} ${first.similarity.toFixed(2)}; a name is given from ${own.threshold.toFixed(2)} on.`, { className: "small" }));
  if (others.length) answer.append(element("p", `Next: ${others.slice(0, 2).map((each) => `${written(each.name)} ${each.similarity.toFixed(2)}`).join(", ")}.`, { className: "small" }));
  if (own.enrolled_itself) answer.append(element("p", "This very picture is among the known ones: its similarity says nothing.", { className: "small" }));
  const more = element("details");
  more.append(element("summary", "How sure is this?"));
  const lines = [found.caution, ...found.notes, own.how, ...found.unreadable];
  if (found.not_enrolled.length) lines.push(`No face found of: ${found.not_enrolled.join(", ")}.`);
  lines.forEach((line) => more.append(element("p", line, { className: "small" })));
  answer.append(more);
  answer.hidden = false;
}

// A clip: enlarged (all of it, or its first second to see how it comes out), or searched.
function clipChoices(section, result, file) {
  say(section, `${file.name}: what shall be done?`);
  const work = (address, more) => async () => {
    const body = new FormData();
    body.append("clip", file, file.name);
    if (more) await more(body);
    say(section, "Sending …");
    const state = await (await ask(address, { method: "POST", body })).json();
    result.querySelectorAll(".made").forEach((each) => each.remove());
    const made = element("div", null, { className: "made" });
    result.append(made);
    await follow(section, made, state);
  };
  result.append(button("Who is in it?", section, work("people", knownPeople)));
  result.append(button("Enlarge it", section, work("clip")));
  result.append(button("Preview: enlarge its first second", section, work("clip?preview=true"), true));
}

function clock(seconds) {
  return `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;
}

// Who passes, as a list; each entry jumps to the place.
async function tracks(result, video, address) {
  const found = await (await ask(address)).json();
  const list = element("ol", null, { className: "tracks" });
  const entries = found.map((track) => {
    const item = element("li", null, { className: "track" }), canvas = element("canvas", null, { width: 128, height: 128 });
    const jump = element("button", null, { type: "button" });
    const who = track.answer === "match" ? `${written(track.name)}: ${track.words}` : track.words;
    jump.append(canvas, element("strong", who), element("div", `${clock(track.start)} to ${clock(track.end)}, ${track.native_size} px`));
    jump.append(element("div", `Nearest: ${written(track.nearest)}, similarity ${track.similarity.toFixed(2)} (name from ${track.threshold.toFixed(2)} on)`, { className: "small" }));
    jump.addEventListener("click", () => { video.currentTime = track.best_at; video.scrollIntoView({ block: "center" }); });
    item.append(jump);
    list.append(item);
    return [track, canvas];
  });
  result.append(list);
  // Thumbnails from the clip itself, drawn by a second player that nobody sees.
  const player = element("video", null, { src: video.src, muted: true, preload: "auto" });
  const seen = (event) => new Promise((done) => { player.addEventListener(event, done, { once: true }); setTimeout(done, 5000); });
  if (player.readyState < 2) await seen("loadeddata");
  for (const [track, canvas] of entries) {
    player.currentTime = track.best_at;
    await seen("seeked");
    const [left, top, right, bottom] = track.box, side = 1.3 * Math.max(right - left, bottom - top);
    canvas.getContext("2d").drawImage(player, (left + right - side) / 2, (top + bottom - side) / 2, side, side, 0, 0, 128, 128);
  }
}

async function job(section, result, address, name, file) {
  const body = new FormData();
  body.append(name, file, file.name);
  say(section, "Sending …");
  await follow(section, result, await (await ask(address, { method: "POST", body })).json());
}

// A job that this browser started, now or before the page was loaded again.
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
  if (state.kind === "clip" || state.kind === "search") {
    const video = element("video", null, { src: made, controls: true }), search = state.kind === "search";
    result.append(video);
    result.append(element("p", search ? "A name is a hint to look further, never evidence." : "A guess: what the network adds to the faces is invented.", { className: "guess" }));
    if (search) await tracks(result, video, `jobs/${state.id}/tracks`);
    result.append(element("a", "Save the clip", { href: made, download: search ? "searched.mp4" : "enlarged.mp4", className: "button" }));
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
form("compare", (section, result) => job(section, result, "compare", "archive", checked(byId("archive").files[0])));

byId("example").addEventListener("click", () => busy(byId("example"), byId("enhance"), async () => {
  const content = await (await ask("example")).blob();
  take(photographInput, [new File([content], "example.jpg", { type: "image/jpeg" })]);
}));
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) take(photographInput, event.clipboardData.files);
});
document.querySelectorAll("input[name=among]").forEach((radio) => radio.addEventListener("change", () => {
  document.querySelectorAll("[data-among]").forEach((part) => { part.hidden = part.dataset.among !== radio.value; });
}));

ask("state").then((answer) => answer.json()).then((state) => {
  Object.assign(limits, state);
  state.models.forEach((name) => byId("model").append(element("option", name, { value: name })));
  if (state.known) {
    byId("server-known").textContent = `the ${state.known} people known to this server`;
    byId("among-server").click();
  } else {
    byId("among-server").disabled = true;
    byId("server-known").textContent = "people known to this server (none)";
  }
}).catch(() => { /* said with the first request */ });

ask("jobs").then((answer) => answer.json()).then((jobs) => {
  for (const [kinds, id] of [[["clip", "search"], "enhance"], [["report"], "compare"]]) {
    const own = jobs.find((each) => kinds.includes(each.kind)), section = byId(id);
    if (own) follow(section, section.querySelector(".result"), own).catch((error) => say(section, error.message, true));
  }
}).catch(() => { /* said with the first request */ });
