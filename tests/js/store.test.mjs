// store.js, held to the messages that packing.py makes.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { NOTHING } from "../../tinypool_nb/widgets/live/lanes.js";
import { Lane, Store } from "../../tinypool_nb/widgets/live/store.js";

const { messages, known } = JSON.parse(readFileSync(new URL("../vectors/packing.json", import.meta.url), "utf8"));
const viewOf = (base64) => {
  const bytes = Buffer.from(base64, "base64");
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
};
const columnsOf = (lane, store) =>
  Array.from({ length: lane.count }, (_, i) => [
    lane.times[i], lane.states[i] === NOTHING ? 4 : lane.states[i], store.channels[lane.channels[i]].address, store.reasons[lane.reasons[i]], lane.inferred[i],
  ]);

test("what was packed is read", () => {
  const store = new Store(1000);
  for (const { head, records } of messages) {
    assert.equal(Store.refusal(head), "");
    store.take(head, viewOf(records));
  }
  assert.deepEqual(store.lanes.map((lane) => ({ name: lane.name, newest: lane.newest, changes: columnsOf(lane, store) })), known.lanes);
  assert.deepEqual(store.marks, known.marks);
  assert.equal(store.epoch, known.epoch);
});

test("a snapshot replaces what was there", () => {
  const store = new Store(1000);
  const { head, records } = messages[0];
  store.take(head, viewOf(records));
  const before = store.count;
  store.take(head, viewOf(records));
  assert.equal(store.count, before);
});

test("a message of another version is refused, in words", () => {
  assert.match(Store.refusal({ version: 99 }), /reload/);
});

test("the oldest changes go, of all lanes alike, and what reaches over the cut stays", () => {
  const store = new Store(80);
  store.take({ version: 1, type: "snapshot", epoch: 0, now: 0, lanes: ["a", "b"], channels: [[0, "x", "TLS", 1], [1, "y", "TLS", 1]] }, new DataView(new ArrayBuffer(0)));
  const records = new DataView(new ArrayBuffer(18));
  const take = (time, channel) => {
    records.setFloat64(0, time, true);
    records.setUint32(8, channel, true);
    records.setInt8(16, time % 3);
    store.take({ version: 1, type: "delta", now: time }, records);
  };
  take(0, 1);
  for (let time = 1; time <= 200; time += 1) take(time, 0);
  assert.ok(store.count <= 90, `${store.count} are kept`);
  assert.equal(store.lanes[1].count, 1); // its only change still lasts
  assert.equal(store.older + store.count, 201);
  assert.equal(store.lanes[0].times[store.lanes[0].count - 1], 200);
});

test("a lane grows, and a stamp out of order counts as no time at all", () => {
  const lane = new Lane(0, "a");
  for (let i = 0; i < 100; i += 1) lane.append(i, 2, 0, 0, 0);
  lane.append(50, 3, 0, 0, 0);
  assert.deepEqual([lane.count, lane.times[100], lane.states[99], lane.newest], [101, 99, 2, 3]);
});
