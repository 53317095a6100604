// Draws the chart of docs/performance.md as SVG: a bar for each server. The colours suit light and dark pages.
import { spreadOf } from "./statistics.mjs";

const WIDTH = 760;
const LABEL_WIDTH = 220;
const VALUE_WIDTH = 90;
const BAR_WIDTH = WIDTH - LABEL_WIDTH - VALUE_WIDTH;
const ROW = 22;
const BAR = 14;
const HEADING = 44;

const PANELS = [
  {
    title: "Requests a second, 64 keep-alive connections",
    scenario: "keep-alive",
    field: "perSecond",
  },
  {
    title: "Requests a second, a new connection for each, 64 at once",
    scenario: "new-connections",
    field: "perSecond",
  },
  {
    title: "Requests a second, a new connection for each, fsync + 5 ms",
    scenario: "new-connections-fsync-5",
    field: "perSecond",
  },
  {
    title: "CPU time for each request, in µs (less is better)",
    scenario: "keep-alive",
    field: "cpuTotal",
  },
];

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #24292f; }
  .title { font-weight: 600; }
  .bar { fill: #8c959f; }
  .hexhook { fill: #0969da; }
  .spread { stroke: #24292f; stroke-width: 1; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .bar { fill: #6e7681; }
    .hexhook { fill: #58a6ff; }
    .spread { stroke: #e6edf3; }
  }`;

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

function panel({ title, scenario, field }, results, top) {
  const bars = Object.entries(results[scenario]?.variants ?? {})
    .map(([key, { label, runs }]) => ({ key, label, ...spreadOf(runs, field) }))
    .filter(({ median }) => median !== undefined);
  if (bars.length === 0) {
    return { text: "", height: 0 };
  }
  const longest = Math.max(...bars.map(({ max }) => max));
  const x = (value) => LABEL_WIDTH + (BAR_WIDTH * value) / longest;
  const rows = bars.map(({ key, label, median, min, max }, index) => {
    const y = top + HEADING + index * ROW;
    const middle = y + BAR / 2;
    const at = (value) => x(value).toFixed(1);
    return `<text x="${LABEL_WIDTH - 8}" y="${y + BAR - 3}" text-anchor="end">${escaped(label)}</text>
<rect class="${key === "hexhook" ? "hexhook" : "bar"}" x="${LABEL_WIDTH}" y="${y}" width="${(x(median) - LABEL_WIDTH).toFixed(1)}" height="${BAR}" rx="2"/>
<line class="spread" x1="${at(min)}" y1="${middle}" x2="${at(max)}" y2="${middle}"/>
<text x="${(x(max) + 8).toFixed(1)}" y="${y + BAR - 3}">${Math.round(median).toLocaleString("en")}</text>`;
  });
  return {
    text: `<text class="title" x="0" y="${top + 30}">${escaped(title)}</text>\n${rows.join("\n")}\n`,
    height: HEADING + bars.length * ROW,
  };
}

export function chartOf({ results }) {
  let top = 0;
  let content = "";
  for (const definition of PANELS) {
    const { text, height } = panel(definition, results, top);
    content += text;
    top += height;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${top + 8}" viewBox="0 0 ${WIDTH} ${top + 8}" role="img" aria-label="Requests a second and CPU time by server">
<style>${STYLE}
</style>
${content}</svg>
`;
}
