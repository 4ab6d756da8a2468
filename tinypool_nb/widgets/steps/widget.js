// The stepper: two views, lessons and a module of one's own. All that is known comes by traits; all that is wanted goes as a message.

const PAUSE = 1500; // milliseconds between two announcements

function render({ model, el }) {
  const abort = new AbortController();
  const ask = (kind, value = null) => model.send({ v: 1, kind, value });
  const heard = make("p", { class: "tinypool-unseen", role: "status", "aria-live": "polite" });
  let speaking = null;
  let waiting = null;
  const speak = () => {
    speaking = null;
    if (waiting === null) return;
    say(heard, waiting);
    waiting = null;
    speaking = setTimeout(speak, PAUSE);
  };
  const announce = (text) => {
    waiting = text;
    if (speaking === null) speak();
  };
  const lesson = new Lesson(model, ask, announce);
  const own = new Own(model, ask, announce);
  const tabs = { lesson: button("Lessons", () => turn("lesson")), own: button("Your own module", () => turn("own")) };
  const error = make("p", { class: "tinypool-problem", role: "alert" });
  for (const [view, tab] of Object.entries(tabs)) tab.dataset.view = view;
  // Each place where the widget is displayed has a view of its own; the kernel only learns which was chosen last.
  const turn = (view) => {
    ask("view", view);
    show(view);
  };
  const show = (view) => {
    for (const [name, tab] of Object.entries(tabs)) tab.setAttribute("aria-pressed", String(name === view));
    lesson.element.hidden = view !== "lesson";
    own.element.hidden = view !== "own";
  };
  const problem = () => {
    say(error, model.get("error"));
    error.hidden = !model.get("error");
  };
  el.replaceChildren(make("div", { class: "tinypool-views", role: "group", "aria-label": "What to walk through" }, tabs.lesson, tabs.own),
    error, lesson.element, own.element, heard);
  keepKeys(el, abort.signal);
  const listeners = [
    ["change:view", () => show(model.get("view"))],
    ["change:error", problem],
    ["change:script", () => lesson.show()],
    ["change:progress", () => lesson.show()],
    ["change:modules change:own", () => own.show()],
  ];
  for (const [event, listener] of listeners) model.on(event, listener);
  show(model.get("view"));
  problem();
  lesson.show();
  own.show();
  ask("hello");
  return () => {
    abort.abort();
    clearTimeout(speaking);
    lesson.stop();
    own.stop();
    for (const [event, listener] of listeners) model.off(event, listener);
  };
}

export default { render };
