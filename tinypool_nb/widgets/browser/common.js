// What all scripts of the panel share. Scripts are joined by widgets/assets.py, so these are plain functions.

// An element with attributes, and children that are elements or text. Text is only ever set as text: names and reasons are foreign.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function swatch(state) {
  return make("span", { class: "tinypool-swatch", "data-state": state, "aria-hidden": "true" });
}

function chip(state) {
  return make("span", { class: "tinypool-state", "data-state": state }, swatch(state), state);
}

// Keys that are typed here are no shortcuts of the notebook ("d d" deletes a cell), but those with Ctrl, Alt or Meta stay what they are.
// JupyterLab looks for shortcuts when a key reaches the document, so this looks before, at the window.
function keepKeys(root, signal) {
  const attribute = "data-lm-suppress-shortcuts";
  const decide = (event) => {
    if (root.contains(event.target)) root.toggleAttribute(attribute, !(event.ctrlKey || event.metaKey || event.altKey));
  };
  root.toggleAttribute(attribute, true);
  window.addEventListener("keydown", decide, { capture: true, signal });
  for (const kind of ["keydown", "keypress", "keyup"]) {
    root.addEventListener(kind, (event) => { if (!(event.ctrlKey || event.metaKey || event.altKey)) event.stopPropagation(); }, { signal });
  }
}

// Announces to screen readers, the newest text and not more often than each `pause` milliseconds.
function announcer(element, pause) {
  let timer = null;
  let waiting = null;
  const say = () => {
    timer = null;
    if (waiting === null) return;
    element.textContent = waiting;
    waiting = null;
    timer = setTimeout(say, pause);
  };
  return {
    say(text) {
      waiting = text;
      if (timer === null) say();
    },
    stop() { clearTimeout(timer); },
  };
}

// Times are milliseconds since 1970 UTC.
function shortTime(milliseconds) {
  return `${new Date(milliseconds).toISOString().slice(11, 19)} UTC`;
}

function fullTime(milliseconds) {
  if (milliseconds === null) return "nobody knows";
  const time = new Date(milliseconds);
  return `${time.toISOString().slice(0, 23).replace("T", " ")} UTC (here ${time.toLocaleTimeString()})`;
}
