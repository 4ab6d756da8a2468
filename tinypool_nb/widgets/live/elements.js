// Elements made of plain text and attributes: whatever a module is called, it is never read as markup.

/** An element; `attributes` without the null ones, `children` elements and texts. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Set a text or an attribute only where it changed: a screen reader, and the layout, notice each write. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function mark(node, name, value) {
  if (node.dataset[name] !== value) node.dataset[name] = value;
}
