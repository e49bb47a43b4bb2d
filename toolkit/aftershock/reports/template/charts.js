(async () => {
  const packed = document.getElementById("plotly-gz");
  if (!packed || !window.DecompressionStream) return;
  const bytes = Uint8Array.from(atob(packed.textContent), (c) => c.charCodeAt(0));
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  (0, eval)(await new Response(unpacked).text());
  const dark = JSON.parse(document.getElementById("palette").textContent);
  const isDark = matchMedia("(prefers-color-scheme: dark)");
  const recolour = (part) =>
    typeof part === "string" ? dark[part.toLowerCase()] || part
    : Array.isArray(part) ? part.map(recolour)
    : part && typeof part === "object" ? Object.fromEntries(Object.entries(part).map(([k, v]) => [k, recolour(v)]))
    : part;
  const draw = (paper) => Promise.all([...document.querySelectorAll(".chart")].map((chart) => {
    const figure = JSON.parse(document.getElementById(chart.dataset.figure).textContent);
    const { data, layout } = isDark.matches && !paper ? recolour(figure) : figure;
    if (!chart.classList.contains("drawn")) {
      chart.classList.add("drawn");
      const table = chart.parentNode.querySelector("details.numbers");
      if (table) table.open = false;
    }
    return window.Plotly.react(chart, data, { ...layout, autosize: true, width: undefined }, { displayModeBar: false, responsive: true });
  }));
  await draw(false);
  isDark.addEventListener("change", () => draw(false));
  addEventListener("beforeprint", () => draw(true));
  addEventListener("afterprint", () => draw(false));
  document.documentElement.dataset.charts = "drawn";
})();
