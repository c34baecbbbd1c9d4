// Draw the figures in the colours of the reader's theme, and in light ones for paper.
(() => {
  const DARK = {
    "#0072B2": "#56b4e9",
    "#009E73": "#3ecf9f",
    "#D55E00": "#f08a45",
    "#B0568F": "#d48cb8",
    "#1f2933": "#e7ecf2",
    "#52606d": "#a4b0bd",
    "#e9edf2": "#2a313a",
    "#f3f6f9": "#1d232b",
    "rgba(0, 114, 178, 0.14)": "rgba(86, 180, 233, 0.2)",
    '"white"': '"#111418"',
  };
  const places = [...document.querySelectorAll(".figure")];
  const texts = [...document.querySelectorAll(".figure-data")].map((each) => each.textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const paper = matchMedia("print");
  const PANEL = 310; // pixels that the heading of a panel takes

  /** Put panels that have too little room beside each other below each other. */
  function stack(layout, width) {
    const across = Object.keys(layout).filter((key) => /^xaxis\d*$/.test(key));
    if (across.length < 2 || width >= PANEL * across.length) return;
    const [own, { t, b }] = [layout.height - layout.margin.t - layout.margin.b, layout.margin];
    layout.height = own * across.length + (t + b) * across.length;
    const whole = layout.height - t - b;
    across.forEach((key, k) => {
      layout[key].domain = [0, 1];
      const top = 1 - (k * (own + t + b)) / whole;
      layout[key.replace("x", "y")].domain = [Math.max(0, top - own / whole), top];
      layout[key.replace("x", "y")].showticklabels = true;
    });
  }

  function draw() {
    const night = dark.matches && !paper.matches;
    texts.forEach((text, i) => {
      let source = text;
      if (night) for (const [day, other] of Object.entries(DARK)) source = source.replaceAll(day, other);
      const figure = JSON.parse(source);
      stack(figure.layout, places[i].clientWidth);
      places[i].style.height = `${figure.layout.height ?? 340}px`;
      const options = { responsive: true, displaylogo: false, displayModeBar: false };
      Plotly.react(places[i], figure.data, figure.layout, options);
    });
  }

  draw();
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth !== width) requestAnimationFrame(draw);
    width = innerWidth;
  });
  dark.addEventListener("change", draw);
  paper.addEventListener("change", draw);
  addEventListener("beforeprint", () => {
    for (const each of document.querySelectorAll("details")) each.open = true;
  });
})();
