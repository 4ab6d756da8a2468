// A recording as a source: at each moment the store holds what had happened by then, and nothing else.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ReplaySource, sorted } from "../../tinypool_nb/widgets/live/replaying.js";

const RECORD = 18;

function packed(rows) {
  const view = new DataView(new ArrayBuffer(rows.length * RECORD));
  rows.forEach(([time, channel, state], place) => {
    view.setFloat64(place * RECORD, time, true);
    view.setUint32(place * RECORD + 8, channel, true);
    view.setInt8(place * RECORD + 16, state);
  });
  return view;
}

const HEAD = {
  version: 1, type: "snapshot", epoch: 1000, now: 10e9, closed: true, older: 0,
  lanes: ["a", "b"], channels: [[0, "a:1", "plaintext", 1], [1, "b:1", "plaintext", 1]], reasons: [], marks: [[6e9, -1, "note", "second"], [3e9, 0, "action", "first"]],
};
const ROWS = packed([[1e9, 0, 0], [5e9, 0, 2], [2e9, 1, 0], [4e9, 0, 3]]); // the last is out of order: it counts as no time

class Model {
  constructor(values) {
    this.values = { _kept: 1000, _start: {}, speed: 2, position: 0, playing: false, ...values };
    this.sent = [];
    this.listeners = new Map();
  }
  get(name) { return this.values[name]; }
  set(name, value) { Object.assign(this.values, typeof name === "string" ? { [name]: value } : name); }
  on(name, listener) { this.listeners.set(name, listener); }
  off(name) { this.listeners.delete(name); }
  send(content) { this.sent.push(content); }
  save_changes() {}
}

function replay(values = {}) {
  const model = new Model(values);
  const source = new ReplaySource(model);
  model.listeners.get("msg:custom")(HEAD, [ROWS]);
  return { model, source };
}

test("rows and marks come in order of time, those of a lane in their own", () => {
  const { times, marks, begin, end, moments } = sorted(HEAD, ROWS);
  assert.deepEqual([...times], [1e9, 2e9, 5e9, 5e9]);
  assert.deepEqual(marks.map(([, , , text]) => text), ["first", "second"]);
  assert.deepEqual([begin, end], [1e9, 10e9]);
  assert.deepEqual(moments, [3e9, 6e9]);
});

test("at each moment the store holds what had happened by then", () => {
  const { source } = replay();
  assert.deepEqual([source.now(), source.store.count, source.store.marks.length], [1e9, 1, 0]);
  source.seek(3e9);
  assert.deepEqual([source.store.count, source.store.marks.length, source.store.lanes[0].newest], [2, 1, 0]);
  source.seek(9e9);
  assert.deepEqual([source.store.count, source.store.marks.length, source.store.lanes[0].newest], [4, 2, 3]);
  source.seek(2e9);
  assert.deepEqual([source.store.count, source.store.marks.length, source.store.lanes[0].newest], [2, 0, 0]);
  source.seek(1e12);
  assert.equal(source.now(), 10e9);
  source.close();
});

test("it plays as quickly as it is asked to, rests at the end and begins anew", (context) => {
  let clock = 0;
  context.mock.method(performance, "now", () => clock);
  const { model, source } = replay();
  source.play();
  clock = 1000;
  assert.deepEqual([source.now(), source.moves], [3e9, true]); // twice as quickly
  model.set("speed", 10);
  source.paceChanged();
  clock = 1100;
  assert.equal(source.now(), 4e9);
  source.pause();
  clock = 5000;
  assert.deepEqual([source.now(), source.moves], [4e9, false]);
  source.play();
  clock = 60_000;
  assert.deepEqual([source.now(), source.moves], [10e9, false]);
  source.play();
  assert.equal(source.now(), 1e9);
  source.close();
});

test("it begins where the kernel says, and goes on without a kernel", () => {
  const { model, source } = replay({ position: 2 });
  assert.equal(source.now(), 3e9);
  model.listeners.get("comm_live_update")();
  assert.equal(source.status, "replay");
  source.close();
});
