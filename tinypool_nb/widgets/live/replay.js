// What anywidget asks for, of a recording: one ReplaySource for each widget, one ReplayView for each place where it is displayed.

import { ReplayView } from "./player.js";
import { ReplaySource } from "./replaying.js";

export default function tinypoolReplay() {
  let source = null;
  return {
    initialize({ model }) {
      source = new ReplaySource(model);
      return () => source.close();
    },
    render({ model, el }) {
      const view = new ReplayView(el, source, model.get("_look"), model.get("window"));
      if (model.get("playing") && !source.moves) source.play();
      return () => view.close();
    },
  };
}
