// How the discoveries stand: a line for each, with what is wrong and what would mend it below. Nothing where there is none.

const PAUSE = 2000; // milliseconds between two announcements

function render({ model, el }) {
  const abort = new AbortController();
  const list = make("ul", { "aria-label": "Discoveries" });
  const heard = make("p", { class: "tinypool-hidden", role: "status", "aria-live": "polite" });
  el.replaceChildren(list, heard);
  keepKeys(el, abort.signal);
  const announced = announcer(heard, PAUSE);
  const items = [];
  const show = () => {
    const lines = model.get("lines");
    while (items.length > lines.length) items.pop().item.remove();
    while (items.length < lines.length) {
      items.push(discoveryItem(abort.signal));
      list.append(items.at(-1).item);
    }
    lines.forEach((line, index) => items[index].show(line));
    el.hidden = lines.length === 0;
  };
  const news = () => { if (model.get("news")) announced.say(model.get("news")); };
  model.on("change:lines", show);
  model.on("change:news", news);
  show();
  return () => {
    abort.abort();
    announced.stop();
    model.off("change:lines", show);
    model.off("change:news", news);
  };
}

// One discovery. Its elements stay while its texts change, so that what a person has unfolded, marked or focused stays so.
function discoveryItem(signal) {
  const symbol = make("span", { class: "tinypool-symbol", "aria-hidden": "true" });
  const state = make("strong");
  const where = make("span", { class: "tinypool-where" });
  const modules = make("span");
  const reason = make("p", { class: "tinypool-error" });
  const over = make("p", { class: "tinypool-hint" });
  const remedy = make("p");
  const yaml = make("code");
  const copy = make("button", { type: "button", class: "tinypool-button" }, "Copy");
  const caption = make("summary");
  const grant = make("details", {}, caption, make("pre", {}, yaml), copy);
  const item = make("li", {}, make("p", { class: "tinypool-discovery" }, symbol, state, where, modules), reason, over, remedy, grant);
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(yaml.textContent);
      copy.textContent = "Copied";
    } catch { // not allowed, or the page is not secure: it is marked, and Ctrl+C does it
      getSelection()?.selectAllChildren(yaml);
      copy.textContent = "Press Ctrl+C";
    }
    setTimeout(() => { copy.textContent = "Copy"; }, 2000);
  }, { signal });
  const say = (element, text) => {
    if (element.textContent !== text) element.textContent = text;
    element.hidden = !text;
  };
  return {
    item,
    show(line) {
      item.dataset.health = line.health;
      item.classList.toggle("tinypool-bad", line.bad);
      say(symbol, line.symbol);
      say(state, `Discovery ${line.state}${line.since === null ? "" : ` since ${shortTime(line.since)}`}`);
      state.title = line.since === null ? "" : fullTime(line.since);
      say(where, line.where);
      where.title = line.source;
      say(modules, line.modules);
      say(reason, line.reason);
      say(over, line.over && `last error, now over: ${line.over}`);
      say(remedy, line.remedy);
      say(yaml, line.grant);
      say(caption, line.grant && `The ${line.grant.includes("kind: ClusterRole") ? "ClusterRole" : "Role"} that would grant it`);
      grant.hidden = !line.grant;
    },
  };
}

export default { render };
