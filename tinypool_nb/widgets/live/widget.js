// What anywidget asks for: one Source for each widget of the kernel, one TimelineView for each place where it is displayed.

import { Source } from "./source.js";
import { TimelineView } from "./view.js";

export default function tinypoolLive() {
  let source = null;
  return {
    initialize({ model }) {
      source = new Source(model);
      return () => source.close();
    },
    render({ model, el }) {
      const view = new TimelineView(el, source, model.get("_look"), model.get("window"));
      return () => view.close();
    },
  };
}
