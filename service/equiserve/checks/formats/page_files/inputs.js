// All inputs: the mean's profile, the overview, the list.

function drawProfile(mean) {
  const [values, low, high] = mean.profile, left = 56, top = 24, width = 400, height = 110, step = width / values.length;
  const plot = svg("svg", { viewBox: "0 0 480 190", width: 480, height: 190, role: "img", "aria-label": "the mean with its band, weakest elements first" });
  const steps = (list) => list.flatMap((v, k) => [[left + step * k, top + height * (1 - v)], [left + step * (k + 1), top + height * (1 - v)]]);
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    plot.append(svg("path", { class: "line", d: `M${left} ${top + height * (1 - share)}h${width}` }));
    plot.append(svg("text", { x: left - 7, y: top + height * (1 - share) + 4, "text-anchor": "end" }, String(share)));
    plot.append(svg("text", { x: left + width * share, y: top + height + 18, "text-anchor": "middle" }, String(100 * share)));
  }
  plot.append(svg("path", { class: "band", d: `M${path([...steps(high), ...steps(low).reverse()])}Z` }));
  plot.append(svg("path", { class: "curve", d: `M${path(steps(values))}` }));
  const every = mean.averaged > 1 ? `, averaged over every ${mean.averaged}` : "";
  plot.append(svg("text", { x: left, y: 12 }, `mean with its 95 % band, in ascending order${every}`));
  plot.append(svg("text", { x: left + width / 2, y: top + height + 38, "text-anchor": "middle" }, "share of the elements, weakest first (%)"));
  plot.append(svg("text", { x: 13, y: top + height / 2, "text-anchor": "middle", transform: `rotate(-90 13 ${top + height / 2})` }, "mean"));
  at("mean-profile").replaceChildren(plot);
}
function drawOverview() {
  const { points, shares } = data.overview, left = 60, top = 10, side = 300, wide = 380;
  const plot = svg("svg", { viewBox: "0 0 460 362", width: 460, height: 362, role: "img", "aria-label": "overview of the inputs" });
  const most = Math.max(...points.flat().map(Math.abs)) * 1.1 || 1;
  const place = ([x, y]) => [left + (wide / 2) * (1 + x / most), top + (side / 2) * (1 - y / most)];
  plot.append(svg("rect", { class: "line", x: left, y: top, width: wide, height: side }));
  plot.append(svg("path", { class: "line", d: `M${left} ${top + side / 2}h${wide}M${left + wide / 2} ${top}v${side}` }));
  const axis = (k) => `${k ? "second" : "first"} principal component (${(100 * shares[k]).toFixed(0)} % of the variance)`;
  for (const value of [-most, 0, most]) {
    const name = value ? (value > 0 ? "+" : "−") + Math.abs(value).toPrecision(2) : "0";
    plot.append(svg("text", { x: place([value, 0])[0], y: top + side + 17, "text-anchor": value > 0 ? "end" : value < 0 ? "start" : "middle" }, name));
    plot.append(svg("text", { x: left - 6, y: place([0, value])[1] + (value > 0 ? 11 : value < 0 ? 0 : 4), "text-anchor": "end" }, name));
  }
  plot.append(svg("text", { x: left + wide / 2, y: top + side + 40, "text-anchor": "middle" }, axis(0)));
  plot.append(svg("text", { x: 13, y: top + side / 2, "text-anchor": "middle", transform: `rotate(-90 13 ${top + side / 2})` }, axis(1)));
  inputs.forEach((input, i) => {
    const [x, y] = place(points[i]), size = 6;
    const node = input.status === "pass" ? svg("circle", { cx: x, cy: y, r: size }) : svg("path", { d: `M${x} ${y - size - 1}l${size + 1} ${2 * size}h${-2 * size - 2}Z` });
    node.setAttribute("class", "mark edge");
    node.setAttribute("fill", colour(input.consistency));
    node.append(svg("title", {}, `${input.name}: ${input.statement}`));
    node.addEventListener("click", () => open(i));
    plot.append(node);
    if (i === chosen) plot.append(svg("circle", { class: "chosen polar", cx: x, cy: y, r: 11 }));
  });
  const key = html("div", { class: "legend" });
  const small = (...nodes) => svg("svg", { width: 18, height: 18, viewBox: "0 0 18 18" }, ...nodes);
  const bar = svg("svg", { width: 132, height: 14, viewBox: "0 0 132 14" });
  for (let k = 0; k < 44; k++) bar.append(svg("rect", { x: 3 * k, y: 0, width: 3.3, height: 14, fill: colour(k / 43) }));
  key.append(html("span", {}, "share of agreeing elements: 0", bar, "1"), html("span", {}, small(svg("circle", { cx: 9, cy: 9, r: 6, class: "outline" })), "pass"), html("span", {}, small(svg("path", { d: "M9 2l7 12H2Z", class: "outline" })), "any other verdict"));
  at("overview-plot").replaceChildren(plot, key);
}
function drawInputs() {
  const order = inputs.map((input, i) => i).sort((a, b) => (inputs[a].consistency ?? 0) - (inputs[b].consistency ?? 0));
  fill("inputs", order.map((i) => {
    const input = inputs[i];
    const line = row([[input.name], [NAMES[input.status].toLowerCase()], [input.consistency === null ? "" : `${(100 * input.consistency).toFixed(1)} %`, "number"], [input.reference ?? ""]], { class: i === chosen ? "pick now" : "pick" });
    line.addEventListener("click", () => open(i));
    return line;
  }));
}
