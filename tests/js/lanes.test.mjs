// lanes.js, held to the vectors that lanes.py shares.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { Merger, NOTHING, columnOf, lowerBound } from "../../tinypool_nb/widgets/live/lanes.js";

const { cases, severity } = JSON.parse(readFileSync(new URL("../vectors/lanes.json", import.meta.url), "utf8"));

/** The intervals of one lane as the store keeps them: a hole is an interval of nothing. */
function laneOf(intervals) {
  const times = [];
  const states = [];
  let until = -Infinity;
  for (const [, start, end, state] of intervals) {
    if (until !== null && until > -Infinity && start > until) {
      times.push(until);
      states.push(NOTHING);
    }
    times.push(start);
    states.push(state);
    until = end;
  }
  if (until !== null && until > -Infinity) {
    times.push(until);
    states.push(NOTHING);
  }
  return { times: Float64Array.from(times), states: Int8Array.from(states), count: times.length };
}

/** The place among the intervals of a place in the lane. */
const touched = (lane, first, last) => [...lane.states.subarray(first, last + 1)].filter((state) => state !== NOTHING).length;

for (const { name, viewport, now, intervals, segments } of cases) {
  test(name, () => {
    const merger = new Merger(severity);
    const found = [];
    for (const number of new Set(intervals.map(([lane]) => lane))) {
      const lane = laneOf(intervals.filter(([each]) => each === number));
      merger.merge(lane, viewport, now);
      for (let place = 0; place < merger.count; place += 1) {
        found.push([number, merger.start[place], merger.end[place], merger.state[place], touched(lane, merger.first[place], merger.last[place])]);
        assert.equal(lane.states[merger.shown[place]], merger.state[place]);
      }
    }
    assert.deepEqual(found, segments);
  });
}

test("a merger is used again and again, for viewports of any width", () => {
  const merger = new Merger(severity);
  const storm = { times: Float64Array.from({ length: 1000 }, (_, i) => i), states: Int8Array.from({ length: 1000 }, (_, i) => (i % 2 ? 3 : 2)), count: 1000 };
  for (const pixels of [10, 500, 3, 1000, 10]) {
    merger.merge(storm, { start: 0, end: 1000, pixels }, 1000);
    if (pixels < 1000) assert.deepEqual([merger.count, merger.state[0], merger.end[0]], [1, 3, 1000]);
    else assert.equal(merger.count, 1000);
  }
});

test("columns are whole and at least one nanosecond wide", () => {
  assert.deepEqual([columnOf(101, 10), columnOf(100, 10), columnOf(3, 10)], [11, 10, 1]);
});

test("the lower bound is the first that is not before", () => {
  assert.deepEqual([0, 10, 15, 20, 25].map((time) => lowerBound([10, 20, 20], 3, time)), [0, 0, 1, 1, 3]);
});
