// The plot of one curve over the elements.

function axes(plot) {
  for (const [kind, ...v] of layout.axes) {
    if (kind === "t") {
      const text = svg("text", { x: v[0], y: v[1], "text-anchor": v[2] }, v[3]);
      if (v[4]) text.setAttribute("transform", `rotate(-90 ${v[0]} ${v[1]})`);
      plot.append(text);
    } else if (kind === "l") plot.append(svg("path", { class: "line", d: `M${v[0]} ${v[1]}L${v[2]} ${v[3]}` }));
    else plot.append(svg("circle", { class: "line", cx: v[0], cy: v[1], r: v[2] }));
  }
}
function around(k, value) {
  const [cx, cy, radius] = layout.centre, angle = (layout.marks[k][0] * Math.PI) / 180;
  return [cx - radius * (value || 0) * Math.sin(angle), cy - radius * (value || 0) * Math.cos(angle)];
}
function places(k, curve) {
  if (layout.kind === "polar") return [around(k, curve.probability[k])];
  if (layout.kind === "dots") return layout.marks[k];
  const [x, y, w, h] = layout.marks[k];
  return [[x + w / 2, y + h / 2]];
}
function ring(k) {
  if (layout.kind !== "cells") return 9;
  return Math.max(layout.marks[k][2] / 2, 5);
}
// Neighbours that are too far apart are not joined: nothing was measured in between.
function joined(mirrored) {
  const members = layout.marks.map((mark, k) => k).filter((k) => layout.marks[k][1] === mirrored && !data.searched[k]);
  members.sort((a, b) => layout.marks[a][0] - layout.marks[b][0]);
  if (members.length < 3) return [];
  const gaps = members.map((k, i) => (layout.marks[members[(i + 1) % members.length]][0] - layout.marks[k][0] + 360) % 360);
  const usual = [...gaps].sort((a, b) => a - b)[Math.floor(gaps.length / 2)];
  return members.map((k, i) => [k, members[(i + 1) % members.length], gaps[i] <= 2.5 * usual]).filter((pair) => pair[2]);
}
const path = (points) => points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");

function drawPlot(id, curve, label) {
  const [width, height] = layout.size;
  const plot = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label });
  axes(plot);
  if (layout.kind === "polar") {
    for (const mirrored of [0, 1]) {
      const pairs = joined(mirrored);
      const band = curve.low && pairs.map(([a, b]) => `M${path([around(a, curve.low[a]), around(a, curve.high[a]), around(b, curve.high[b]), around(b, curve.low[b])])}Z`).join("");
      if (band) plot.append(svg("path", { class: "band", d: band }));
      const line = pairs.map(([a, b]) => `M${path([around(a, curve.probability[a]), around(b, curve.probability[b])])}`).join("");
      plot.append(svg("path", { class: mirrored ? "curve mirrored" : "curve", d: line }));
    }
  }
  for (let k = 0; k < layout.marks.length; k++) mark(plot, curve, k);
  plot.append(svg("g", { class: "rings" }));
  const choose = (event) => {
    const node = event.target.closest("[data-k]");
    if (node) select(Number(node.dataset.k));
  };
  plot.addEventListener("click", choose);
  at(id).replaceChildren(plot);
}
function mark(plot, curve, k) {
  const value = curve.probability[k], agrees = curve.agrees[k], mine = { "data-k": k };
  const title = svg("title", {}, `${data.words[k]}: ${shown(value)}`);
  if (layout.kind === "cells") {
    const [x, y, w, h] = layout.marks[k];
    const box = svg("rect", { ...mine, x, y, width: w + 0.3, height: h + 0.3, class: "mark" }, title);
    box.setAttribute("fill", value === null ? "#d55e00" : colour(value));
    plot.append(box);
    if (w >= LARGE) {
      const words = svg("text", { x: x + w / 2, y: y + h / 2 + 4, "text-anchor": "middle" }, shown(value, 3));
      words.style.fill = value > 0.55 ? "#1f2430" : "#ffffff";
      words.style.pointerEvents = "none";
      plot.append(words);
    }
    if (data.searched[k]) plot.append(svg("circle", { class: "tried", cx: x + w / 2, cy: y + h / 2, r: Math.min(w * 0.16, 3) }));
    if (!agrees && value !== null) {
      const arm = Math.min(w * 0.24, 5), cx = w >= LARGE ? x + 10 : x + w / 2, cy = w >= LARGE ? y + 10 : y + h / 2;
      plot.append(svg("path", { class: value > 0.55 ? "cross dark" : "cross", d: `M${cx - arm} ${cy - arm}l${2 * arm} ${2 * arm}m0 ${-2 * arm}l${-2 * arm} ${2 * arm}` }));
    }
    return;
  }
  for (const [x, y] of places(k, curve)) {
    const polar = layout.kind === "polar", size = !polar || data.exact[k] ? 5 : 3;
    const kind = polar ? `mark ${agrees ? "same" : "other"}${data.searched[k] ? " hollow" : ""}` : "mark edge";
    let node;
    if (polar ? layout.marks[k][1] : !agrees)
      node = polar ? svg("rect", { x: x - size, y: y - size, width: 2 * size, height: 2 * size }) : svg("path", { d: `M${x} ${y - size - 1}l${size + 1} ${2 * size}h${-2 * size - 2}Z` });
    else node = svg("circle", { cx: x, cy: y, r: size });
    node.setAttribute("class", kind);
    node.dataset.k = k;
    if (!polar) node.setAttribute("fill", value === null ? "#d55e00" : colour(value));
    node.append(title.cloneNode(true));
    plot.append(node);
  }
}
function outline(kind, k, [x, y], margin) {
  const r = ring(k) + margin;
  if (large()) {
    const [left, top, w, h] = layout.marks[k];
    return svg("rect", { class: kind, x: left - margin, y: top - margin, width: w + 2 * margin, height: h + 2 * margin });
  }
  if (/worst|lozenge/.test(kind)) return svg("path", { class: kind, d: `M${x - r} ${y}L${x} ${y - r}L${x + r} ${y}L${x} ${y + r}Z` });
  return svg("circle", { class: kind, cx: x, cy: y, r });
}
function drawRings(id, curve) {
  const rings = at(id).querySelector(".rings");
  if (!rings) return;
  rings.replaceChildren();
  const halo = layout.kind !== "polar" && !large();
  if (curve.worst !== null)
    for (const place of places(curve.worst, curve)) {
      if (halo) rings.append(outline("halo lozenge", curve.worst, place, 1));
      rings.append(outline("worst", curve.worst, place, 1));
    }
  for (const place of places(now, curve)) {
    const margin = now === curve.worst ? 5 : 0;
    if (halo) rings.append(outline("halo", now, place, margin));
    rings.append(outline(halo ? "chosen" : "chosen polar", now, place, margin));
  }
}
function drawLegend(id, curve, quantity, other) {
  const entries = [], small = (...nodes) => svg("svg", { width: 18, height: 18, viewBox: "0 0 18 18" }, ...nodes);
  const polar = layout.kind === "polar";
  if (!polar) {
    const bar = svg("svg", { width: 132, height: 14, viewBox: "0 0 132 14" });
    for (let k = 0; k < 44; k++) bar.append(svg("rect", { x: 3 * k, y: 0, width: 3.3, height: 14, fill: colour(k / 43) }));
    entries.push(html("span", {}, `${quantity}: 0`, bar, "1"));
  } else {
    entries.push(html("span", {}, `radius: ${quantity}`));
    if (data.exact.some((v) => v)) entries.push(html("span", {}, small(svg("circle", { cx: 9, cy: 9, r: 5, class: "same" })), "exact (pixels permuted)"));
    if (data.exact.some((v) => !v)) entries.push(html("span", {}, small(svg("circle", { cx: 9, cy: 9, r: 3, class: "same" })), "resampled"));
    if (data.searched.some((v) => v)) entries.push(html("span", {}, small(svg("circle", { cx: 9, cy: 9, r: 3, class: "same hollow" })), "tried by the search"));
    if (layout.marks.some((mark) => mark[1])) entries.push(html("span", {}, small(svg("rect", { x: 4, y: 4, width: 10, height: 10, class: "same" })), "mirrored first"));
  }
  if (!polar && data.searched.some((v) => v)) entries.push(html("span", {}, small(svg("rect", { width: 18, height: 18, fill: colour(0.6) }), svg("circle", { cx: 9, cy: 9, r: 3, class: "tried" })), "tried by the search"));
  if (curve.agrees.some((v) => !v)) {
    const sign = polar ? svg("circle", { cx: 9, cy: 9, r: 5, class: "other" }) : layout.kind === "dots" ? svg("path", { d: "M9 3l6 11H3Z", class: "outline" }) : svg("path", { d: "M4 4l10 10m0 -10l-10 10", class: "cross" });
    const box = layout.kind === "cells" ? [svg("rect", { width: 18, height: 18, fill: colour(0.2) }), sign] : [sign];
    entries.push(html("span", {}, small(...box), other));
  }
  if (curve.probability.includes(null)) entries.push(html("span", {}, small(svg("rect", { width: 18, height: 18, fill: "#d55e00" })), "output not finite"));
  if (curve.low && polar) entries.push(html("span", {}, small(svg("rect", { y: 3, width: 18, height: 12, class: "band" })), "95 % band of the mean"));
  if (curve.worst !== null) entries.push(html("span", {}, small(large() ? svg("rect", { x: 2, y: 2, width: 14, height: 14, class: "worst" }) : svg("path", { d: "M2 9l7 -7l7 7l-7 7Z", class: "worst" })), "furthest off"));
  entries.push(html("span", {}, small(large() ? svg("rect", { x: 2, y: 2, width: 14, height: 14, class: "chosen polar" }) : svg("circle", { cx: 9, cy: 9, r: 7, class: "chosen polar" })), "chosen element"));
  at(id).replaceChildren(...entries);
}
