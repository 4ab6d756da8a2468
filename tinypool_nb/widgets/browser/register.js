// The register form and the list of what is registered. It only says what is wanted; rules, lines of Python and rows come from the kernel.

const VERSION = 1;
const CALM = 200; // milliseconds without a key before what was typed is checked
const ASKED = 400; // milliseconds that "really?" must be read before it counts
const FEW = 8; // modules that need no filter
const SLOW = 1000; // milliseconds after which a person is told that the kernel has not answered

// What the form asks: [field, label, hint, attributes].
const ESSENTIAL = [
  ["name", "Name", "", { placeholder: "http-module-v1", required: true }],
  ["address", "Address", "", { placeholder: "127.0.0.1:50051", required: true }],
];
const GROUPS = [
  ["Module", [
    ["namespace", "Namespace", "where it comes from in Kubernetes; usually blank", {}],
    ["load_balancing", "Load balancing", "", { choices: [["pick_first", "pick_first: one address"], ["round_robin", "round_robin: all addresses"]] }],
  ]],
  ["Keepalive", [
    ["keepalive_time", "Ping after, s", "seconds without a message", { number: true }],
    ["keepalive_timeout", "Lost after, s", "seconds without an answer to a ping", { number: true }],
    ["without_calls", "Ping while no call is under way", "", { check: true }],
  ]],
  ["Backoff", [
    ["backoff_initial", "First wait, s", "from the first attempt to the second", { number: true }],
    ["backoff_maximum", "Longest wait, s", "each is 1.6 times the one before, up to this", { number: true }],
    ["min_connect_timeout", "An attempt gets, s", "at the least, before it is given up", { number: true }],
  ]],
  ["Security", [
    ["security", "Connection", "", { choices: [["pool", "as the pool's"], ["plaintext", "plaintext"], ["tls", "TLS, by the files below"]] }],
    ["tls_roots", "CA file", "PEM; blank trusts the system's", { tls: true }],
    ["tls_certificate", "Client certificate file", "PEM; for mutual TLS", { tls: true }],
    ["tls_key", "Client key file", "PEM, not encrypted", { tls: true }],
    ["tls_server_name", "Server name", "if the certificate names another than the host", { tls: true }],
  ]],
];

let serials = 0; // of all views on the page, so that two of them on one model tell their answers apart

function render({ model, el }) {
  const view = `${Date.now().toString(36)}-${++serials}`;
  const abort = new AbortController();
  const on = (element, kind, heard) => element.addEventListener(kind, heard, { signal: abort.signal });
  const tell = (kind, more = {}) => model.send({ v: VERSION, kind, view, ...more });
  const status = make("p", { class: "tinypool-status", role: "status" });
  const waiting = patience(status);
  const form = makeForm({ view, on, tell, waiting, status });
  const list = makeList({ view, on, tell, waiting, first: form.first });
  const root = make("div", { class: "tinypool-register" }, form.element, status, list.element);
  el.replaceChildren(root);
  keepKeys(el, abort.signal);

  const hear = (message) => {
    if (message?.v !== VERSION) return;
    if (message.kind === "rows") {
      form.greet(message);
      list.show(message);
    } else if (message.view === view) {
      waiting.answered();
      if (message.kind === "checked") form.judge(message);
      else if (message.kind === "done") report(message);
    }
  };
  const report = ({ ok, text, line, verb }) => {
    status.classList.toggle("tinypool-bad", !ok);
    status.replaceChildren(text, ...(line ? [" ", make("code", {}, line)] : []));
    if (ok && verb === "register") form.clear();
  };
  model.on("msg:custom", hear);
  tell("hello");
  return () => {
    abort.abort();
    waiting.stop();
    form.stop();
    model.off("msg:custom", hear);
  };
}

// Tells a person that the kernel does not answer a click: in some front ends it does not while a cell runs.
function patience(status) {
  let timer = null;
  return {
    asked() {
      clearTimeout(timer);
      timer = setTimeout(() => { status.textContent = "The kernel has not answered yet. This will be done when it does."; }, SLOW);
    },
    answered() { clearTimeout(timer); },
    stop() { clearTimeout(timer); },
  };
}

function makeForm({ view, on, tell, waiting, status }) {
  const fields = new Map(); // name -> {input, error, touched}
  let greeted = false;
  let calm = null;
  let serial = 0;

  const makeField = ([name, label, hint, kind]) => {
    const id = `tinypool-${view}-${name}`;
    const input = kind.choices
      ? make("select", { id, name }, ...kind.choices.map(([value, text]) => make("option", { value }, text)))
      : make("input", { id, name, type: kind.check ? "checkbox" : "text", autocomplete: "off", spellcheck: "false", autocapitalize: "off",
        inputmode: kind.number ? "decimal" : null, placeholder: kind.placeholder, "aria-required": kind.required ? "true" : null });
    const error = make("p", { id: `${id}-error`, class: "tinypool-error" });
    const described = hint ? `${id}-hint ${id}-error` : `${id}-error`;
    input.setAttribute("aria-describedby", described);
    fields.set(name, { input, error, touched: false });
    const words = make("label", { for: id }, label);
    const help = hint ? [make("p", { id: `${id}-hint`, class: "tinypool-hint" }, hint)] : [];
    return make("div", { class: `tinypool-field${kind.check ? " tinypool-check" : ""}`, "data-tls": Boolean(kind.tls) },
      ...(kind.check ? [input, words] : [words, input]), ...help, error);
  };

  const button = make("button", { type: "submit", class: "tinypool-button tinypool-main" }, "Register");
  const code = make("code", { tabindex: "0", role: "group", "aria-label": "the same in Python" });
  const copy = make("button", { type: "button", class: "tinypool-button", disabled: true }, "Copy");
  const line = make("div", { class: "tinypool-line" }, make("span", { class: "tinypool-label" }, "The same in Python"), code, copy);
  const more = make("details", { class: "tinypool-more" }, make("summary", {}, "Namespace, options, TLS"),
    make("div", { class: "tinypool-groups" }, ...GROUPS.map(([title, members]) =>
      make("fieldset", {}, make("legend", {}, title), ...members.map(makeField)))));
  const element = make("form", { novalidate: true, autocomplete: "off", "aria-label": "Register a module" },
    make("div", { class: "tinypool-fields" }, ...ESSENTIAL.map(makeField), make("div", { class: "tinypool-send" }, button)), more, line);

  const typed = () => Object.fromEntries([...fields].map(([name, { input }]) => [name, input.type === "checkbox" ? input.checked : input.value]));
  const check = () => tell("check", { serial: ++serial, typed: typed() });
  const showTls = () => element.classList.toggle("tinypool-tls", fields.get("security").input.value === "tls");

  for (const [name, field] of fields) {
    on(field.input, "input", () => {
      clearTimeout(calm);
      calm = setTimeout(() => { field.touched = true; check(); }, CALM);
      if (name === "security") showTls();
    });
    on(field.input, "blur", () => { if (field.input.value) field.touched = true; });
  }
  on(element, "submit", (event) => {
    event.preventDefault();
    clearTimeout(calm);
    status.textContent = "";
    for (const field of fields.values()) field.touched = true;
    waiting.asked();
    tell("register", { serial: ++serial, typed: typed() });
  });
  on(copy, "click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      status.textContent = "Copied.";
    } catch {
      getSelection().selectAllChildren(code);
      status.textContent = "Selected; copy it with Ctrl+C.";
    }
  });

  return {
    element,
    first: () => fields.get("name").input,
    greet({ texts }) {
      if (greeted || !texts) return;
      greeted = true;
      for (const [name, value] of Object.entries(texts)) {
        const { input } = fields.get(name);
        if (input.type === "checkbox") input.checked = value;
        else input.value = value;
      }
    },
    judge(message) {
      if (message.serial !== serial) return; // something newer is on its way
      for (const [name, { input, error, touched }] of fields) {
        const rule = (touched && message.errors[name]) || "";
        if (error.textContent !== rule) error.textContent = rule;
        if (rule) input.setAttribute("aria-invalid", "true");
        else input.removeAttribute("aria-invalid");
      }
      code.textContent = message.line;
      copy.disabled = !message.line;
      line.classList.toggle("tinypool-there", Boolean(message.line));
      if (!message.submitted) return;
      const first = [...fields].find(([name]) => message.errors[name]);
      if (!first) return;
      if (more.contains(first[1].input)) more.open = true;
      first[1].input.focus();
    },
    clear() {
      for (const name of ["name", "address"]) {
        const field = fields.get(name);
        field.input.value = "";
        field.touched = false;
      }
      fields.get("name").input.focus();
    },
    stop() { clearTimeout(calm); },
  };
}

function makeList({ view, on, tell, waiting, first }) {
  const rows = new Map(); // literal of the key -> what it is made of
  const count = make("h4", { id: `tinypool-${view}-list` }, "Asking the kernel…");
  const all = make("button", { type: "button", class: "tinypool-button", title: "pool.health_check()", hidden: true }, "Connect all that are not READY");
  const filter = make("input", { type: "search", hidden: true, placeholder: "name, address or state", "aria-label": "Show only modules with this in name, address or state", autocomplete: "off", spellcheck: "false" });
  const list = make("ul", { class: "tinypool-list", role: "list", hidden: true, "aria-labelledby": `tinypool-${view}-list` });
  const empty = make("p", { class: "tinypool-empty", hidden: true }, "Nothing is registered yet. Give a name and an address above.");
  const element = make("section", { class: "tinypool-connections-list" },
    make("div", { class: "tinypool-tools" }, count, filter, all), empty, list);

  on(all, "click", () => { waiting.asked(); tell("health_check"); });
  on(filter, "input", () => { for (const row of rows.values()) sift(row); settle(); });

  const sift = (row) => {
    const wanted = filter.value.trim().toLowerCase();
    row.item.hidden = wanted !== "" && !row.text.includes(wanted);
  };
  const settle = () => {
    const shown = [...rows.values()].filter((row) => !row.item.hidden).length;
    count.textContent = shown === rows.size ? `Registered: ${rows.size}` : `Registered: ${rows.size}, shown: ${shown}`;
    empty.hidden = rows.size > 0;
    list.hidden = rows.size === 0;
    filter.hidden = rows.size <= FEW && !filter.value;
    all.hidden = rows.size === 0;
    all.disabled = [...rows.values()].every((row) => row.item.dataset.state === "READY");
  };

  const makeRow = (data) => {
    const act = (verb) => { waiting.asked(); tell(verb, { key: data.key }); };
    const state = make("span", { class: "tinypool-cell-state" });
    const address = make("span", { class: "tinypool-cell-address" });
    const transport = make("span", { class: "tinypool-cell-transport" });
    const since = make("span", { class: "tinypool-cell-since" });
    const facts = make("dl", { class: "tinypool-facts", hidden: true, id: `tinypool-${view}-${rows.size}-${Math.random().toString(36).slice(2)}` });
    const named = (text, label, title) => make("button", { type: "button", class: "tinypool-button", "aria-label": `${label} ${data.shown}`, title }, text);
    const reconnect = named("reconnect", "reconnect", `pool.reconnect(${data.literal})`);
    const details = named("details", "details of", null);
    const remove = named("unregister", "unregister", `pool.unregister(${data.literal})`);
    const cancel = named("cancel", "do not unregister", null);
    cancel.hidden = true;
    details.setAttribute("aria-expanded", "false");
    details.setAttribute("aria-controls", facts.id);
    const buttons = make("span", { class: "tinypool-actions" }, reconnect, details, remove, cancel);
    const item = make("li", { class: "tinypool-row" }, state, make("span", { class: "tinypool-cell-name", title: data.shown }, ...(data.namespace ? [`${data.namespace}/`] : []), make("b", {}, data.name)), address, transport, since, buttons, facts);
    const row = { item, state, address, transport, since, facts, reconnect, text: "", data };

    let asked = 0;
    const ask = (really) => {
      asked = really ? performance.now() : 0;
      remove.textContent = really ? "really?" : "unregister";
      remove.setAttribute("aria-label", really ? `really unregister ${row.data.shown}?` : `unregister ${row.data.shown}`);
      remove.classList.toggle("tinypool-danger", really);
      cancel.hidden = !really;
      details.hidden = really; // its place is taken, so that no column moves
    };
    on(remove, "click", () => {
      if (!asked) ask(true);
      else if (performance.now() - asked >= ASKED) { ask(false); act("unregister"); }
    });
    on(cancel, "click", () => { remove.focus(); ask(false); });
    on(buttons, "keydown", (event) => { if (event.key === "Escape" && asked) { remove.focus(); ask(false); } });
    on(buttons, "focusout", (event) => { if (asked && !buttons.contains(event.relatedTarget)) ask(false); });
    on(reconnect, "click", () => act("reconnect"));
    on(details, "click", () => {
      facts.hidden = !facts.hidden;
      details.setAttribute("aria-expanded", String(!facts.hidden));
      if (facts.hidden) return;
      explain(row);
      details.dispatchEvent(new CustomEvent("tinypool-chosen", { bubbles: true, detail: { module: row.data.shown } })); // explaining.js hears it
    });
    return row;
  };

  const explain = ({ facts, data }) => {
    const entries = [["attempts", data.attempts], ["failures", data.failures], ["since", fullTime(data.since)], ["last error", data.error || "none"], ["options", data.options]];
    facts.replaceChildren(...entries.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, String(value))]));
  };

  const update = (row, data) => {
    row.data = data;
    row.item.dataset.state = data.state;
    row.item.dataset.module = data.shown;
    row.state.replaceChildren(chip(data.state));
    row.address.textContent = row.address.title = data.address;
    row.transport.textContent = data.transport;
    row.transport.title = data.transport; // where a proxy's address is cut
    row.since.textContent = data.since === null ? "" : `since ${shortTime(data.since)}`;
    row.since.title = fullTime(data.since);
    row.reconnect.textContent = data.state === "IDLE" ? "connect" : "reconnect";
    row.reconnect.setAttribute("aria-label", `${row.reconnect.textContent} ${data.shown}`);
    row.text = `${data.shown} ${data.address} ${data.transport} ${data.state}`.toLowerCase();
    if (!row.facts.hidden) explain(row);
    sift(row);
  };

  const remove = (name) => {
    const row = rows.get(name);
    if (!row) return;
    const next = row.item.nextElementSibling ?? row.item.previousElementSibling;
    const focused = row.item.contains(document.activeElement);
    row.item.remove();
    rows.delete(name);
    if (focused) (next?.querySelector("button") ?? first()).focus(); // else the keyboard would be lost at the top of the page
  };

  return {
    element,
    show(message) {
      if (message.all) {
        const there = new Set(message.rows.map((data) => data.literal));
        for (const name of [...rows.keys()]) if (!there.has(name)) remove(name);
      }
      for (const name of message.gone) remove(name);
      const fresh = document.createDocumentFragment();
      for (const data of message.rows) {
        let row = rows.get(data.literal);
        if (!row) {
          row = makeRow(data);
          rows.set(data.literal, row);
          fresh.append(row.item);
        }
        update(row, data);
      }
      list.append(fresh);
      settle();
    },
  };
}

export default { render };
