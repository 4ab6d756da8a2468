// What stands in the box beside the pointer, as lines of plain text.

import { counted, durationText, localTimeText, timeText } from "./words.js";

/**
 * The lines about what was picked: [{text, kind}], kind one of "name", "state", "line", "reason", "mark"; none if nothing is there.
 * @param found from `pick`
 * @param store a Store
 * @param looks of the states, by code
 */
export function details({ lane, segment, mark }, store, looks) {
  const lines = [];
  if (mark) {
    lines.push({ kind: "mark", text: mark.text });
    lines.push({ kind: "line", text: `${timeText(mark.time, store.epoch)} UTC (${mark.kind})` });
  }
  if (!lane || (mark && mark.lane === -1 && !segment)) return lines;
  lines.push({ kind: "name", text: lane.name });
  if (!segment) {
    lines.push({ kind: "line", text: "nothing is known of this time" });
    return lines;
  }
  const channel = store.channels[lane.channels[segment.shown]];
  const worst = segment.merged > 1 ? ` (the worst of ${counted(segment.merged, "interval")})` : "";
  lines.push({ kind: "state", state: segment.state, text: `${looks[segment.state].label}, ${durationText(segment.until - segment.since)}${worst}` });
  const until = segment.isOpen ? "now" : timeText(segment.until, store.epoch).slice(11);
  lines.push({ kind: "line", text: `${timeText(segment.since, store.epoch)} to ${until} UTC` });
  if (new Date().getTimezoneOffset()) lines.push({ kind: "line", text: `since ${localTimeText(segment.since, store.epoch)} local time` });
  lines.push({ kind: "line", text: `${channel.address}, ${channel.transport}, channel ${channel.generation}${lane.inferred[segment.shown] ? ", inferred" : ""}` });
  const reason = store.reasons[lane.reasons[segment.shown]];
  if (reason) lines.push({ kind: "reason", text: reason });
  return lines;
}
