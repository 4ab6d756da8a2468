// Keys, wheel and mouse on the canvas. Only keys that do something here are kept from JupyterLab, and only while the canvas has the focus.

const STEP = 0.1; // of what is in sight

const KEYS = {
  ArrowLeft: (view) => view.pan(-STEP),
  ArrowRight: (view) => view.pan(STEP),
  ArrowUp: (view) => view.choose(-1),
  ArrowDown: (view) => view.choose(1),
  PageUp: (view) => view.scrollBy(-view.box.bottom + view.box.top),
  PageDown: (view) => view.scrollBy(view.box.bottom - view.box.top),
  "+": (view) => view.zoom(1 / 1.5, 0.5),
  "=": (view) => view.zoom(1 / 1.5, 0.5),
  "-": (view) => view.zoom(1.5, 0.5),
  Home: (view) => view.follow(),
  " ": (view) => view.toggle(),
  Escape: (view) => view.choose(null),
};

/** What the keys do, for who asks for the canvas's description. */
export const HELP =
  "Left and right arrow: earlier and later. Up and down arrow: choose a module. Plus and minus: zoom. Space: pause or follow. Home: follow now. " +
  "With the mouse: drag to move, Control and wheel to zoom, Shift and wheel to move.";

export function listen(canvas, view) {
  canvas.addEventListener("keydown", (event) => {
    const action = KEYS[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    action(view);
  });
  canvas.addEventListener(
    "wheel",
    (event) => {
      const page = event.deltaMode === 1 ? 20 : 1; // lines in some browsers
      const across = event.shiftKey && !event.deltaX ? event.deltaY : event.deltaX;
      if (event.ctrlKey || event.metaKey) view.zoom(1.002 ** (event.deltaY * page), event.offsetX / view.box.width);
      else if (Math.abs(across) > Math.abs(event.shiftKey ? 0 : event.deltaY)) view.pan((across * page) / view.box.width);
      else return; // it scrolls the lanes, or the notebook
      event.preventDefault();
    },
    { passive: false },
  );
  let held = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    held = { x: event.clientX, y: event.clientY };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (held) {
      if (event.clientX !== held.x) view.pan((held.x - event.clientX) / view.box.width);
      if (event.clientY !== held.y) view.scrollBy(held.y - event.clientY);
      held = { x: event.clientX, y: event.clientY };
      canvas.dataset.held = "true";
    }
    view.point(event.offsetX, event.offsetY);
  });
  const release = () => {
    held = null;
    delete canvas.dataset.held;
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => view.point(null));
  canvas.addEventListener("focus", () => view.point(null));
  canvas.addEventListener("blur", () => view.choose(null));
}
