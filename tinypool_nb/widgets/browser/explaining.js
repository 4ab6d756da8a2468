// The explanation of the module that is chosen here, in the list or on the timeline. What is shown comes as text from the kernel.

const VERSION = 1;
const CALM = 250; // milliseconds that a module must have been chosen elsewhere before it is explained
const SLOW = 1000; // milliseconds after which a person is told that the kernel still looks

function render({ model, el }) {
  const abort = new AbortController();
  const { signal } = abort;
  const choice = make("select", { "aria-label": "Explain which module" });
  const again = make("button", { type: "button", class: "tinypool-button", title: "look again: DNS, sockets, the record", disabled: true }, "look again");
  const status = make("p", { class: "tinypool-status", role: "status" });
  const answer = make("div", { class: "tinypool-why-answer", "aria-live": "polite" });
  el.replaceChildren(make("div", { class: "tinypool-why" }, make("div", { class: "tinypool-why-tools" }, make("label", {}, "Why? ", choice), again), status, answer));
  keepKeys(el, signal);

  let modules = [];
  let chosen = null; // the key as text
  let timer = null;
  let calm = null;

  const offer = () => {
    const blank = make("option", { value: "" }, modules.length ? "choose a module" : "no modules yet");
    choice.replaceChildren(blank, ...modules.map(([key, shown]) => make("option", { value: JSON.stringify(key) }, shown)));
    choice.value = modules.some(([key]) => JSON.stringify(key) === chosen) ? chosen : "";
  };
  const ask = (key) => {
    chosen = JSON.stringify(key);
    offer();
    again.disabled = false;
    clearTimeout(timer);
    timer = setTimeout(() => { status.textContent = "Still looking: DNS may be slow, or the kernel is busy."; }, SLOW);
    model.send({ v: VERSION, kind: "explain", key });
  };
  choice.addEventListener("change", () => { if (choice.value) ask(JSON.parse(choice.value)); }, { signal });
  again.addEventListener("click", () => { if (chosen) ask(JSON.parse(chosen)); }, { signal });

  // A part of the same panel says which module was chosen there: the event bubbles up to the document.
  document.addEventListener("tinypool-chosen", (event) => {
    const panel = el.closest(".tinypool-whole");
    if (!panel || !panel.contains(event.target)) return;
    clearTimeout(calm); // arrow keys may run over many lanes
    calm = setTimeout(() => {
      const wanted = modules.find(([, shown]) => shown === event.detail.module);
      if (wanted) ask(wanted[0]);
    }, CALM);
  }, { signal });

  const hear = (message) => {
    if (message?.v !== VERSION) return;
    if (message.kind === "modules") {
      modules = message.modules;
      offer();
      return;
    }
    const key = JSON.stringify(message.key);
    if (chosen !== null && key !== chosen) return; // something else was chosen meanwhile
    chosen = key;
    again.disabled = false;
    offer();
    clearTimeout(timer);
    status.textContent = message.kind === "failed" ? message.text : "";
    if (message.kind === "explanation") show(answer, message);
  };
  model.on("msg:custom", hear);
  offer();
  model.send({ v: VERSION, kind: "hello" });
  return () => {
    abort.abort();
    clearTimeout(timer);
    clearTimeout(calm);
    model.off("msg:custom", hear);
  };
}

function show(root, told) {
  const open = new Set([...root.querySelectorAll("details[open]")].map((each) => each.dataset.cause)); // stays open as the record grows
  root.dataset.module = told.name;
  root.dataset.look = told.look;
  root.replaceChildren(
    make("h4", {}, `${told.name}: `, make("span", { class: `tinypool-why-${told.look}` }, told.verdict)),
    make("p", { class: "tinypool-why-faint" }, told.where),
    make("ul", {}, ...told.findings.map((finding) => item(finding, open.has(finding.cause)))),
    make("p", { class: "tinypool-why-faint" }, told.judged),
  );
}

function item({ cause, look, sign, when, known, text, advice, see, evidence }, opened) {
  const rows = make("details", { open: opened, "data-cause": cause },
    make("summary", {}, `evidence: ${evidence.length} row${evidence.length === 1 ? "" : "s"}`),
    make("ul", {}, ...evidence.map((row) => make("li", {}, row))));
  return make("li", { class: `tinypool-why-item tinypool-why-${look}`, "data-cause": cause },
    make("p", {}, make("span", { class: "tinypool-why-sign", "aria-hidden": "true" }, sign), make("b", {}, cause), " ",
      make("span", { class: "tinypool-why-faint" }, when), ...(known ? [" ", make("span", { class: "tinypool-why-known" }, known)] : [])),
    make("p", {}, text),
    ...(advice ? [make("p", {}, make("span", { class: "tinypool-why-do" }, "do "), advice)] : []),
    rows,
    make("p", { class: "tinypool-why-faint" }, make("a", { href: see.url, target: "_blank", rel: "noreferrer" }, see.name)));
}

export default { render };
