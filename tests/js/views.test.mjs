// The pure parts of the view: viewport, clock, words, order, places, what is under the pointer.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { RecordClock } from "../../tinypool_nb/widgets/live/clock.js";
import { details } from "../../tinypool_nb/widgets/live/details.js";
import { Merger } from "../../tinypool_nb/widgets/live/lanes.js";
import { arranged } from "../../tinypool_nb/widgets/live/order.js";
import { pick } from "../../tinypool_nb/widgets/live/picking.js";
import { Box, labelRows, rowHeight } from "../../tinypool_nb/widgets/live/scene.js";
import { Lane } from "../../tinypool_nb/widgets/live/store.js";
import { LONGEST, SHORTEST, Viewport } from "../../tinypool_nb/widgets/live/viewport.js";
import { durationText, summaryText, ticks, timeText } from "../../tinypool_nb/widgets/live/words.js";

const { severity } = JSON.parse(readFileSync(new URL("../vectors/lanes.json", import.meta.url), "utf8"));
const SECOND = 1e9;

test("the viewport follows now by whole pixels", () => {
  const viewport = new Viewport(60 * SECOND);
  const [before, soon, later] = [50, 51, 250].map((ms) => viewport.at(1000 * SECOND + ms * 1e6, 600));
  assert.equal(before.column, 0.1 * SECOND);
  assert.equal(before.start % before.column, 0);
  assert.ok(before.end > 1000 * SECOND && before.end - before.start === 60 * SECOND);
  assert.equal(soon.start, before.start);
  assert.equal(later.start - before.start, 2 * before.column);
});

test("panning leaves now, and coming back follows it again", () => {
  const viewport = new Viewport(60 * SECOND);
  viewport.pan(-0.5, 1000 * SECOND);
  assert.equal(viewport.following, false);
  assert.equal(viewport.endAt(2000 * SECOND), 970.6 * SECOND);
  viewport.pan(0.4, 1000 * SECOND);
  assert.equal(viewport.following, false);
  viewport.pan(0.2, 1000 * SECOND);
  assert.equal(viewport.following, true);
});

test("zooming keeps the time under the pointer where it is, and has its bounds", () => {
  const viewport = new Viewport(60 * SECOND);
  viewport.pause(1000 * SECOND);
  const at = (share) => viewport.end - (1 - share) * viewport.span;
  const before = at(0.25);
  viewport.zoom(0.5, 0.25, 0);
  assert.ok(Math.abs(at(0.25) - before) < 1);
  viewport.zoom(1e-20, 0.5, 0);
  assert.equal(viewport.span, SHORTEST);
  viewport.zoom(1e30, 0.5, 0);
  assert.equal(viewport.span, LONGEST);
});

test("zooming while following goes on following", () => {
  const viewport = new Viewport(60 * SECOND);
  viewport.zoom(2, 0.5, 0);
  assert.deepEqual([viewport.following, viewport.span], [true, 120 * SECOND]);
});

test("the quickest message tells the clocks apart, whatever they say", () => {
  const clock = new RecordClock();
  assert.equal(clock.now(0), null);
  clock.heard(5000e6, 100); // the record's clock says 5000 ms at 100 ms of ours, or some time before
  assert.equal(clock.now(150), 5050e6);
  clock.heard(5090e6, 160); // quicker by 30 ms
  assert.equal(clock.now(160), 5090e6);
  clock.heard(5100e6, 900); // late
  assert.equal(clock.now(900), 5830e6);
  for (let i = 0; i < 20; i += 1) clock.heard(1e6 * i, 10_000 + i); // a machine that slept
  assert.equal(clock.now(10_020), 20e6);
  clock.end(7);
  assert.equal(clock.now(99_999), 7);
});

test("durations are worded as in Python", () => {
  const seconds = [0.00007, 0.0004, 0.25, 1.234, 75, 3 * 3600 + 61, 90_000];
  assert.deepEqual(seconds.map((each) => durationText(each * SECOND)), ["0.07 ms", "0.4 ms", "250 ms", "1.2 s", "1 min 15 s", "3 h 1 min", "1 d 1 h"]);
});

test("ticks stand at round moments of UTC, wherever the epoch is", () => {
  const epoch = 1_770_000_007;
  const texts = ticks(0, 40 * SECOND, 9 * SECOND, epoch).map(({ text }) => text);
  assert.deepEqual(texts, ["02:40:10", "02:40:20", "02:40:30", "02:40:40"]);
  assert.equal(timeText(1_500_000_000, 1_770_000_000), "2026-02-02 02:40:01.500");
  assert.deepEqual(ticks(-SECOND, 0, 0.5 * SECOND, epoch).map(({ text }) => text), ["02:40:06", "02:40:07"]);
  assert.deepEqual(ticks(0, 2e6, 1e6, epoch).map(({ text }) => text), ["02:40:07.000", "02:40:07.001", "02:40:07.002"]);
  assert.deepEqual(ticks(0, 20e3, 1e4, epoch).map(({ text }) => text), ["02:40:07.000000", "02:40:07.000010", "02:40:07.000020"]);
});

test("the summary names the few that need a look", () => {
  assert.equal(summaryText([["READY", ["a", "b"]], ["TRANSIENT_FAILURE", ["api-module-v1"]]]), "3 modules: 2 READY, 1 TRANSIENT_FAILURE (api-module-v1)");
  assert.equal(summaryText([["READY", []], ["IDLE", ["a"]]]), "1 module: 1 IDLE");
  assert.match(summaryText([["READY", ["x"]], ["IDLE", ["a", "b", "c", "d", "e"]]]), /5 IDLE \(a, b, c and 2 more\)/);
  assert.equal(summaryText([]), "no modules yet");
});

function laneOf(number, name, changes) {
  const lane = new Lane(number, name);
  for (const [time, state] of changes) lane.append(time, state, number, 0, 0);
  return lane;
}

test("lanes are filtered and sorted", () => {
  const lanes = [["b-10", 2], ["b-9", 3], ["A-1", 1], ["c", 2]].map(([name, state], i) => laneOf(i, name, [[0, state]]));
  const names = (choices) => arranged(lanes, { text: "", states: new Set(), order: "registered", severity, ...choices }).map(({ name }) => name);
  assert.deepEqual(names({}), ["b-10", "b-9", "A-1", "c"]);
  assert.deepEqual(names({ order: "name" }), ["A-1", "b-9", "b-10", "c"]);
  assert.deepEqual(names({ order: "state" }), ["A-1", "b-10", "c", "b-9"]);
  assert.deepEqual(names({ order: "worst" }), ["b-9", "A-1", "b-10", "c"]);
  assert.deepEqual(names({ text: " B-", order: "name" }), ["b-9", "b-10"]);
  assert.deepEqual(names({ states: new Set([2]) }), ["b-10", "c"]);
  assert.deepEqual(names({ text: "(" }), []); // text, not a pattern
});

const scene = (lanes, marks = [], scroll = 0) => ({
  lanes,
  marks,
  now: 1000,
  viewport: { start: 0, end: 1000, pixels: 100, column: 10 },
  box: new Box({ width: 100, height: 100, top: 20, row: 20, count: lanes.length, scroll }),
});
const hit = (x, y, what) => pick(x, y, what, new Merger(severity));

test("what is under the pointer: the lane, the segment as it is drawn, the mark", () => {
  const lanes = [laneOf(0, "a", [[0, 2], [500, 3], [501, 2]]), laneOf(1, "b", [[200, 1], [300, 4]])];
  const marks = [{ time: 100, lane: -1, kind: "note", text: "deployed" }, { time: 400, lane: 0, kind: "action", text: "kill" }];
  const there = scene(lanes, marks);
  const found = hit(50, 25, there);
  assert.equal(found.lane.name, "a");
  assert.deepEqual([found.segment.state, found.segment.merged, found.segment.since, found.segment.until, found.segment.isOpen], [3, 2, 500, 1000, true]);
  assert.equal(hit(20, 45, there).segment.state, 1);
  assert.deepEqual([hit(25, 45, there).segment.until, hit(25, 45, there).segment.isOpen], [300, false]);
  assert.equal(hit(40, 45, there).segment, null); // after its end
  assert.equal(hit(12, 5, there).mark.text, "deployed");
  assert.equal(hit(41, 25, there).mark.text, "kill");
  assert.equal(hit(41, 45, there).mark, null); // another lane
  assert.equal(hit(50, 70, there).lane, null);
  assert.equal(hit(50, 90, there).lane, null); // the axis
  assert.equal(hit(20, 25, scene(lanes, marks, 20)).lane.name, "b"); // scrolled
});

test("what is said of it", () => {
  const looks = { 2: { label: "READY" }, 3: { label: "TRANSIENT_FAILURE" } };
  const lanes = [laneOf(0, "<b>a</b>", [[0, 2], [5e9, 3]])];
  lanes[0].reasons[1] = 1;
  const store = { epoch: 1_770_000_000, channels: [{ lane: 0, address: "10.0.0.1:1", transport: "TLS", generation: 2 }], reasons: ["", "Connection refused"] };
  const there = { ...scene(lanes), now: 8e9, viewport: { start: 0, end: 10e9, pixels: 100, column: 1e8 } };
  const texts = details(hit(60, 25, there), store, looks).map(({ text }) => text);
  assert.equal(texts[0], "<b>a</b>");
  assert.equal(texts[1], "TRANSIENT_FAILURE, 3.0 s");
  assert.equal(texts[2], "2026-02-02 02:40:05.000 to now UTC");
  assert.deepEqual(texts.slice(-2), ["10.0.0.1:1, TLS, channel 2", "Connection refused"]);
  assert.deepEqual(details(hit(60, 70, there), store, looks), []);
});

test("only rows in sight are drawn", () => {
  const box = new Box({ width: 100, height: 200, top: 10, row: 17, count: 1000, scroll: 1700 });
  assert.deepEqual([box.firstRow, box.endRow, box.y(100)], [100, 110, 10]);
  assert.deepEqual([box.rowAt(9), box.rowAt(10), box.rowAt(190)], [-1, 100, -1]);
  assert.ok(rowHeight(1) > rowHeight(10) && rowHeight(10) > rowHeight(300));
});

test("labels do not overlap, and the latest find room first", () => {
  assert.deepEqual(labelRows([0, 10, 90], [15, 15, 20], 100, 3), [{ row: 1, runsLeft: false }, { row: 0, runsLeft: false }, { row: 0, runsLeft: true }]);
  assert.deepEqual(labelRows([0, 1, 2], [50, 50, 50], 100, 2)[0], null);
});
