// What is filled in once.

document.title = data.title;
at("title").textContent = data.title;
at("status").textContent = NAMES[data.verdict.status];
at("status").classList.add(data.verdict.status);
at("statement").textContent = data.statement;
at("reason").textContent = data.verdict.reason === data.statement ? "" : data.verdict.reason;
at("next-step").textContent = data.verdict.next_step ?? "";
at("gates").hidden = !data.gates.length;
fill("gates", data.gates.map((gate) => row([[gate.gate], [gate.value === null ? "none" : shown(gate.value), "number"], [gate.inputs > 1 && gate.value !== null ? `${shown(gate.low)} to ${shown(gate.high)}` : "exact for this input", "number"], [String(gate.inputs), "number"], [NAMES[gate.status].toLowerCase()]])));
fill("facts", data.facts.map(([name, value]) => html("tr", {}, html("th", {}, name), html("td", {}, value))));
at("input").append(...inputs.map((input, i) => html("option", { value: i }, input.name)));
at("input").hidden = inputs.length === 1;
at("input").addEventListener("change", (event) => open(Number(event.target.value)));
at("before").addEventListener("click", () => layout.marks.length && step(-1, false));
at("after").addEventListener("click", () => layout.marks.length && step(1, false));
at("worst").addEventListener("click", () => inputs[chosen].worst !== null && select(inputs[chosen].worst));
at("table").addEventListener("toggle", () => at("table").open && drawTable());
at("comparison").textContent = data.comparison ?? "";
at("of-one").textContent = data.comparison === null ? "One input" : "One model";
at("overview").hidden = inputs.length === 1 || data.comparison !== null;
if (data.mean) {
  at("mean").hidden = false;
  drawPlot("mean-plot", data.mean, "mean over all inputs");
  drawLegend("mean-legend", data.mean, data.said.mean, data.said.mostly_differs);
  if (layout.kind !== "polar") drawProfile(data.mean);
}
now = inputs[0].worst ?? 0;
open(0);
