// The heading of a section of the panel: a button that folds what stands below it, without asking the kernel.

function render({ model, el }) {
  const abort = new AbortController();
  const button = make("button", { type: "button", class: "tinypool-fold" }, make("span", { class: "tinypool-caret", "aria-hidden": "true" }), model.get("title"));
  el.replaceChildren(make("h3", { class: "tinypool-heading" }, button));
  keepKeys(el, abort.signal);
  const show = () => {
    const open = !model.get("folded");
    button.setAttribute("aria-expanded", String(open));
    // The section's content is the next child of the same box; it may come later than its heading.
    requestAnimationFrame(() => el.nextElementSibling?.classList.toggle("tinypool-folded", !open));
  };
  const attached = new MutationObserver(show);
  requestAnimationFrame(() => { if (el.parentElement) attached.observe(el.parentElement, { childList: true }); });
  button.addEventListener("click", () => {
    model.set("folded", !model.get("folded"));
    model.save_changes();
    show();
  }, { signal: abort.signal });
  model.on("change:folded", show);
  show();
  return () => {
    abort.abort();
    attached.disconnect();
    model.off("change:folded", show);
  };
}

export default { render };
