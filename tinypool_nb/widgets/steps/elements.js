// What the scripts of the stepper share. They are joined by widgets/stepper.py into one module.

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

// Sets a text only if it is another one, so that screen readers and selections are not disturbed.
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function set(element, name, value) {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

// Keys that are typed here are no shortcuts of the notebook ("d d" deletes a cell), but those with Ctrl, Alt or Meta stay what they are.
// JupyterLab looks for shortcuts when a key reaches the document, so this looks before, at the window.
function keepKeys(root, signal) {
  const own = (event) => !(event.ctrlKey || event.metaKey || event.altKey);
  const decide = (event) => {
    if (root.contains(event.target)) root.toggleAttribute("data-lm-suppress-shortcuts", own(event));
  };
  root.toggleAttribute("data-lm-suppress-shortcuts", true);
  window.addEventListener("keydown", decide, { capture: true, signal });
  for (const kind of ["keydown", "keypress", "keyup"]) {
    root.addEventListener(kind, (event) => { if (own(event)) event.stopPropagation(); }, { signal });
  }
}

// A button that goes on holding the focus while it may not be used: a disabled one would lose it, and the keyboard with it.
function button(text, onClick, attributes = {}) {
  const made = make("button", { type: "button", ...attributes }, text);
  made.addEventListener("click", () => { if (made.getAttribute("aria-disabled") !== "true") onClick(); });
  return made;
}

function enable(element, possible) {
  set(element, "aria-disabled", possible ? null : "true");
}

function seconds(milliseconds) {
  return `${(Math.max(0, milliseconds) / 1000).toFixed(1)} s`;
}
