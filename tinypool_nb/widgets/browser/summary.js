// The line at the top of the panel: how many modules there are, and in which states; screen readers hear of changes, now and then.

const PAUSE = 2000; // milliseconds between two announcements

function render({ model, el }) {
  const line = make("p", { class: "tinypool-summary" });
  const heard = make("p", { class: "tinypool-hidden", role: "status", "aria-live": "polite" });
  el.replaceChildren(line, heard);
  const announced = announcer(heard, PAUSE);
  const show = () => {
    const counts = model.get("counts");
    const parts = counts.map(([state, count]) => make("span", { class: "tinypool-state", "data-state": state, "data-count": count },
      swatch(state), `${count.toLocaleString("en")} ${state}`));
    line.replaceChildren(make("strong", {}, model.get("headline")), ...parts);
  };
  const news = () => { if (model.get("news")) announced.say(model.get("news")); };
  model.on("change:counts", show);
  model.on("change:headline", show);
  model.on("change:news", news);
  show();
  model.send({ v: 1, kind: "hello" });
  return () => {
    announced.stop();
    model.off("change:counts", show);
    model.off("change:headline", show);
    model.off("change:news", news);
  };
}

export default { render };
