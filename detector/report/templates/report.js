"use strict";
// Draws the charts in the page's colours, and again when those change (dark mode, printing).
(() => {
  const charts = [...document.querySelectorAll("[data-chart]")];
  const config = { responsive: true, displaylogo: false, displayModeBar: false };
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function themed(layout) {
    const changes = { "font.color": colour("--text"), "hoverlabel.bgcolor": colour("--card"),
      "hoverlabel.bordercolor": colour("--line"), "hoverlabel.font.color": colour("--text") };
    for (const axis of Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key))) {
      changes[`${axis}.gridcolor`] = colour("--grid");
      changes[`${axis}.linecolor`] = colour("--grid");
    }
    return changes;
  }

  for (const chart of charts) {
    const spec = JSON.parse(document.getElementById(`${chart.id}-data`).textContent);
    Plotly.newPlot(chart, spec.data, spec.layout, config).then(() => Plotly.relayout(chart, themed(spec.layout)));
  }
  const repaint = () => charts.forEach((chart) => Plotly.relayout(chart, themed(chart.layout)));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  matchMedia("print").addEventListener("change", repaint);
})();
