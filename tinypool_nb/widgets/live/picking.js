// What is under the pointer.

import { lowerBound } from "./lanes.js";

const NEAR = 5; // pixels: a mark is a thin thing

/**
 * What is drawn at a place: {lane, row, time, segment, mark}; lane, segment and mark are null where there is none.
 * @param x pixels from the left of the canvas
 * @param y pixels from its top
 * @param scene {lanes, marks, viewport, box, now}; see scene.js
 * @param merger a Merger
 */
export function pick(x, y, scene, merger) {
  const { lanes, marks, viewport, box, now } = scene;
  const row = box.rowAt(y);
  const lane = lanes[row] ?? null;
  const time = viewport.start + x * viewport.column;
  return { lane, row, time, segment: lane && segmentAt(lane, time, viewport, now, merger), mark: markAt(marks, time, lane, y < box.top, viewport) };
}

/** The segment of a lane that is drawn at `time`, or null. */
export function segmentAt(lane, time, viewport, now, merger) {
  merger.merge(lane, viewport, now);
  for (let place = 0; place < merger.count; place += 1) {
    if (merger.start[place] <= time && time < merger.end[place]) {
      const [first, last, shown] = [merger.first[place], merger.last[place], merger.shown[place]];
      const isOpen = last === lane.count - 1;
      return { state: merger.state[place], first, last, shown, merged: last - first + 1, since: lane.times[first], until: isOpen ? now : lane.times[last + 1], isOpen };
    }
  }
  return null;
}

/** The nearest mark: of this lane, or about all modules; above the lanes only those about all are drawn. */
function markAt(marks, time, lane, isAbove, viewport) {
  const reach = NEAR * viewport.column;
  const times = marks.map((mark) => mark.time);
  let best = null;
  for (let place = lowerBound(times, times.length, time - reach); place < marks.length && marks[place].time <= time + reach; place += 1) {
    const mark = marks[place];
    if (mark.lane !== -1 && (isAbove || mark.lane !== lane?.number)) continue;
    if (!best || Math.abs(mark.time - time) <= Math.abs(best.time - time)) best = mark;
  }
  return best;
}
