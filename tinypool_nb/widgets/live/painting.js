// Draws what is in sight, and nothing else.

import { lowerBound } from "./lanes.js";
import { AXIS, LABEL_ROW, labelRows } from "./scene.js";
import { ticks } from "./words.js";

const FONT = "11px system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif";
const TICK_DISTANCE = 90; // pixels
const LONGEST_LABEL = 40; // characters

export class Painter {
  constructor(canvas, merger, theme) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.merger = merger;
    this.theme = theme;
    this.rects = new Map(); // state -> [x, y, width, ...]
    this.severity = theme.look.severity;
    this.codes = Object.keys(this.severity).map(Number).sort((one, other) => this.severity[one] - this.severity[other]);
  }

  /** @param scene {lanes, marks, viewport, box, now, epoch, pointer, chosen} */
  paint(scene) {
    const { context } = this;
    const { box } = scene;
    const scale = window.devicePixelRatio || 1;
    this.fit(box.width, box.height, scale);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, box.width, box.height);
    context.font = FONT;
    const found = ticks(scene.viewport.start, scene.viewport.end, TICK_DISTANCE * scene.viewport.column, scene.epoch);
    this.grid(scene, found);
    context.save();
    context.beginPath();
    context.rect(0, box.top, box.width, box.bottom - box.top);
    context.clip();
    this.highlight(scene);
    this.bars(scene, scale);
    this.symbols(scene);
    context.restore();
    this.lines(scene);
    this.axis(scene, found);
  }

  fit(width, height, scale) {
    const { canvas } = this;
    const [across, down] = [Math.round(width * scale), Math.round(height * scale)];
    if (canvas.width !== across || canvas.height !== down) {
      canvas.width = across;
      canvas.height = down;
    }
  }

  grid({ viewport, box }, found) {
    this.context.fillStyle = this.theme.palette.grid;
    for (const { time } of found) this.context.fillRect(Math.round((time - viewport.start) / viewport.column), box.top, 1, box.bottom - box.top + 4);
    this.context.fillRect(0, box.bottom, box.width, 1);
  }

  highlight({ box, pointer, chosen }) {
    this.context.fillStyle = `${this.theme.palette.grid}90`;
    for (const row of new Set([pointer?.row ?? -1, chosen])) if (row >= 0) this.context.fillRect(0, box.y(row), box.width, box.row);
  }

  bars({ lanes, viewport, box, now }, scale) {
    const { merger, context } = this;
    const space = box.row >= 24 ? 8 : box.row >= 18 ? 6 : 4;
    for (const rects of this.rects.values()) rects.length = 0;
    for (let row = box.firstRow; row < box.endRow; row += 1) {
      const y = box.y(row) + space / 2;
      merger.merge(lanes[row], viewport, now);
      for (let place = 0; place < merger.count; place += 1) {
        const x = (merger.start[place] - viewport.start) / viewport.column;
        this.of(merger.state[place]).push(x, y, Math.max(1, (merger.end[place] - viewport.start) / viewport.column - x));
      }
    }
    const phase = -((viewport.start / viewport.column) % this.theme.look.tile);
    for (const code of this.codes) {
      const rects = this.of(code);
      if (!rects.length) continue;
      context.fillStyle = this.theme.fill(context, code, phase, scale);
      context.beginPath();
      for (let place = 0; place < rects.length; place += 3) context.rect(rects[place], rects[place + 1], rects[place + 2], box.row - space);
      context.fill();
    }
  }

  of(state) {
    if (!this.rects.has(state)) this.rects.set(state, []);
    return this.rects.get(state);
  }

  /** A small triangle on its lane for each mark of a module. */
  symbols({ lanes, marks, viewport, box }) {
    const { context } = this;
    const rows = new Map();
    for (let row = box.firstRow; row < box.endRow; row += 1) rows.set(lanes[row].number, row);
    context.fillStyle = "#ffffff";
    context.strokeStyle = "#000000";
    context.lineWidth = 1;
    for (const mark of inSight(marks, viewport)) {
      const row = rows.get(mark.lane);
      if (row === undefined) continue;
      const x = (mark.time - viewport.start) / viewport.column;
      const y = box.y(row) + box.row / 2;
      context.beginPath();
      context.moveTo(x - 4, y - 3);
      context.lineTo(x + 4, y - 3);
      context.lineTo(x, y + 4);
      context.closePath();
      context.fill();
      context.stroke();
    }
  }

  /** A labelled line for each mark about all modules. */
  lines({ marks, viewport, box, pointer }) {
    const { context } = this;
    const { ink, page } = this.theme.palette;
    const about = inSight(marks, viewport).filter((mark) => mark.lane === -1);
    const places = about.map((mark) => (mark.time - viewport.start) / viewport.column);
    const texts = about.map(({ text }) => (text.length > LONGEST_LABEL ? `${text.slice(0, LONGEST_LABEL - 1)}…` : text));
    const rows = labelRows(places, texts.map((text) => context.measureText(text).width), box.width, Math.floor(box.top / LABEL_ROW));
    context.textBaseline = "middle";
    about.forEach((_, place) => {
      const x = Math.round(places[place]) + 0.5;
      const label = rows[place];
      const top = label ? box.top - (label.row + 1) * LABEL_ROW : box.top - 3;
      this.line(x, top, box.bottom, `${page}a0`, 3);
      this.line(x, top, box.bottom, ink, 1);
      if (!label) return;
      context.fillStyle = ink;
      context.textAlign = label.runsLeft ? "right" : "left";
      context.fillText(texts[place], x + (label.runsLeft ? -4 : 4), top + LABEL_ROW / 2);
    });
    if (pointer) this.line(Math.round(pointer.x) + 0.5, box.top, box.bottom, `${ink}80`, 1);
  }

  line(x, top, bottom, colour, width) {
    const { context } = this;
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(x, top);
    context.lineTo(x, bottom);
    context.stroke();
  }

  axis({ viewport, box }, found) {
    const { context } = this;
    context.fillStyle = this.theme.palette.ink;
    context.textBaseline = "middle";
    context.textAlign = "center";
    for (const { time, text } of found) {
      const x = (time - viewport.start) / viewport.column;
      const half = context.measureText(text).width / 2;
      if (x >= half && x + half <= box.width) context.fillText(text, x, box.bottom + AXIS / 2 + 2); // else the edge would cut it
    }
  }
}

function inSight(marks, viewport) {
  const times = marks.map((mark) => mark.time);
  return marks.slice(lowerBound(times, times.length, viewport.start), lowerBound(times, times.length, viewport.end));
}
