// The data, and small builders. Text is always set as text, never parsed.

const data = JSON.parse(document.getElementById("report").textContent);
const { layout, inputs } = data;
const at = (id) => document.getElementById(id);
const NAMES = { pass: "PASS", fail: "FAIL", inconclusive: "INCONCLUSIVE", not_informative: "NOT INFORMATIVE" };
// A cell of 40 pixels has room for words.
const LARGE = 40, large = () => layout.kind === "cells" && layout.marks.length > 0 && layout.marks[0][2] >= LARGE;
let chosen = 0, now = 0;


function html(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}
function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}
function fill(id, rows) {
  at(id).tBodies[0].replaceChildren(...rows);
}
function row(cells, attributes = {}) {
  return html("tr", attributes, ...cells.map(([text, kind]) => html("td", kind ? { class: kind } : {}, text)));
}
const wrapped = (value, size) => (size ? ((value % size) + size) % size : value);
const shown = (value, digits = 4) => (value === null || value === undefined ? "not finite" : value.toFixed(digits));

function colour(value) {
  const place = Math.min(Math.max(value, 0), 1) * (data.viridis.length - 1);
  const low = Math.min(Math.floor(place), data.viridis.length - 2);
  const part = (code, k) => parseInt(code.slice(1 + 2 * k, 3 + 2 * k), 16);
  const mix = (k) => Math.round(part(data.viridis[low], k) * (1 - place + low) + part(data.viridis[low + 1], k) * (place - low));
  return `rgb(${mix(0)},${mix(1)},${mix(2)})`;
}
