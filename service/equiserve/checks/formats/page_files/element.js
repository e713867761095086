// One input, one element; the keys that choose.

function open(i) {
  chosen = (i + inputs.length) % inputs.length;
  const input = inputs[chosen];
  at("input").value = String(chosen);
  at("input-statement").textContent = input.statement;
  const quantity = input.quantity;
  drawPlot("one-plot", input, `${quantity} on the orbit of ${input.name}`);
  drawLegend("one-legend", input, quantity, data.said.differs);
  fill("controls", input.controls.map(([name, value]) => html("tr", {}, html("th", {}, name), html("td", {}, value))));
  if (data.overview) drawOverview();
  if (inputs.length > 1) drawInputs();
  if (at("table").open) drawTable();
  select(Math.min(now, Math.max(layout.marks.length - 1, 0)));
}
function select(k) {
  now = k;
  const input = inputs[chosen];
  if (!layout.marks.length) return;
  drawRings("one-plot", input);
  if (data.mean) drawRings("mean-plot", data.mean);
  at("element-words").textContent = `No. ${k}: ${data.words[k]}`;
  drawPictures(input);
  const answer = input.answers[k] === null ? "not finite" : input.names[input.answers[k]];
  const values = [
    ["kind", (data.exact[k] ? "exact: nothing is interpolated or lost" : "resampled, or content is lost at the border") + (data.searched[k] ? "; tried by the search for the worst" : "")],
    ["answer", `${answer}${input.agrees[k] ? "" : input.classes ? " (not the reference's)" : " (does not follow the input)"}`],
    ...(input.classes ? [["reference", input.reference ?? "none"]] : []),
    [input.quantity, shown(input.probability[k])],
    ...(input.classes ? [["margin over the next class", shown(input.margin[k])]] : []),
    ["relative error of the outputs", input.error[k] === null ? (data.searched[k] ? "not kept" : "not finite") : String(input.error[k])],
  ];
  if (data.mean) values.push(["mean over all inputs", `${shown(data.mean.probability[k])}, between ${shown(data.mean.low[k])} and ${shown(data.mean.high[k])} at 95 %; ${data.mean.agreeing[k]} of ${inputs.length} inputs agree`]);
  fill("values", values.map(([name, value]) => html("tr", {}, html("th", {}, name), html("td", {}, value))));
  for (const line of at("elements").tBodies[0].rows) line.classList.toggle("now", Number(line.dataset.k) === k);
}
function drawPictures(input) {
  if (!input.picture) return at("pictures").replaceChildren();
  const element = data.elements[now], views = [picture(input.picture, null, "as it came")];
  const known = "angle_deg" in element || ("dx" in element && (data.torus[0] || !input.resized));
  if (known) views.push(picture(input.picture, element, "as moved"));
  at("pictures").replaceChildren(...views);
}
function picture(address, element, caption) {
  const view = svg("svg", { viewBox: "0 0 100 100", width: 150, height: 150, role: "img", "aria-label": caption });
  const one = (x, y, transform) => svg("image", { href: address, x, y, width: 100, height: 100, preserveAspectRatio: "none", ...(transform ? { transform } : {}) });
  view.append(svg("rect", { width: 100, height: 100, fill: "#8888" }));
  if (element && "dx" in element && data.torus[0]) {
    const [rows, columns] = data.torus;
    const x = wrapped(element.dx, columns) * (100 / columns), y = wrapped(element.dy, rows) * (100 / rows);
    for (const dx of [0, -100]) for (const dy of [0, -100]) view.append(one(x + dx, y + dy));
  } else if (element && "dx" in element) {
    // The shift is in pixels of the picture, whose size is known once it is decoded.
    const file = new Image();
    file.addEventListener("load", () => view.append(one((element.dx * 100) / file.naturalWidth, (element.dy * 100) / file.naturalHeight)));
    file.src = address;
    caption += "; grey: filled in by the server";
  } else if (element && "angle_deg" in element) {
    const turned = `rotate(${-element.angle_deg} 50 50)${element.reflected ? " translate(100 0) scale(-1 1)" : ""}`;
    if (data.exact.every((v) => v)) view.append(one(0, 0, turned));
    else view.append(svg("clipPath", { id: "disc" }, svg("circle", { cx: 50, cy: 50, r: 50 })), svg("g", { "clip-path": "url(#disc)" }, one(0, 0, turned)));
  } else view.append(one(0, 0));
  return html("figure", {}, view, html("figcaption", {}, caption));
}
function drawTable() {
  const input = inputs[chosen];
  fill("elements", data.words.map((words, k) => {
    const answer = input.answers[k] === null ? "not finite" : input.names[input.answers[k]];
    const line = row([[String(k), "number"], [data.searched[k] ? `${words} (search)` : words], [data.exact[k] ? "yes" : "no"], [answer], [shown(input.probability[k]), "number"], [input.classes ? shown(input.margin[k]) : "", "number"], [input.agrees[k] ? "yes" : "no"], [String(input.error[k] ?? (data.searched[k] ? "" : "not finite")), "number"]], { class: k === now ? "pick now" : "pick", "data-k": k });
    line.addEventListener("click", () => select(k));
    return line;
  }));
}


function step(amount, exactOnly) {
  const count = layout.marks.length;
  let k = now;
  do k = (k + amount + count) % count;
  while (exactOnly && !data.exact[k] && k !== now);
  select(k);
}
// On a map of shifts an arrow goes to the neighbour in its direction, round the torus where there is one.
function neighbour(right, down) {
  const [rows, columns] = data.torus, from = data.elements[now];
  const dy = wrapped(from.dy + down, rows), dx = wrapped(from.dx + right, columns);
  const k = data.elements.findIndex((e) => wrapped(e.dy, rows) === dy && wrapped(e.dx, columns) === dx);
  if (k >= 0) select(k);
}
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || /^(SELECT|INPUT|BUTTON|SUMMARY)$/.test(event.target.tagName) || !layout.marks.length) return;
  const move = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
  if (move && data.elements[0] && "dx" in data.elements[0]) neighbour(...move);
  else if (move) step(move[0] + move[1], event.shiftKey);
  else if (event.key === "Enter") { if (inputs[chosen].worst !== null) select(inputs[chosen].worst); }
  else if (event.key === "PageDown" || event.key === "PageUp") open(chosen + (event.key === "PageDown" ? 1 : -1));
  else return;
  event.preventDefault();
});
