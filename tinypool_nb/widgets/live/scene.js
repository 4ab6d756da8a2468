// Where things are on the canvas, pixels.

export const AXIS = 24; // height of the axis of time, at the bottom
export const LABEL_ROW = 15; // height of a row of labels of marks, at the top

/** Height of a lane: comfortable for a few modules, dense for many. */
export function rowHeight(count) {
  return count <= 1 ? 36 : count <= 12 ? 26 : count <= 60 ? 20 : 17;
}

/** The lanes' part of a canvas, and how far it is scrolled. */
export class Box {
  /**
   * @param width of the canvas
   * @param height of the canvas
   * @param top height of what stands above the lanes
   * @param row height of a lane
   * @param count lanes in all
   * @param scroll pixels of lanes above the upper edge
   */
  constructor({ width, height, top, row, count, scroll }) {
    Object.assign(this, { width, height, top, row, count, scroll });
    this.bottom = height - AXIS;
    this.firstRow = Math.max(0, Math.floor(scroll / row));
    this.endRow = Math.min(count, Math.ceil((scroll + this.bottom - top) / row));
  }

  /** Where a lane begins. */
  y(row) {
    return this.top + row * this.row - this.scroll;
  }

  /** The lane at a place; -1 if there is none. */
  rowAt(y) {
    if (y < this.top || y >= this.bottom) return -1;
    const row = Math.floor((y - this.top + this.scroll) / this.row);
    return row < this.count ? row : -1;
  }
}

/**
 * Stack labels so that none overlaps another: {row, runsLeft} of each, null for one that does not fit. The latest find room first.
 * @param places where each points to, pixels, ascending
 * @param widths how wide each is, pixels
 * @param width of the canvas
 * @param rows rows at most
 */
export function labelRows(places, widths, width, rows) {
  const taken = []; // where the leftmost label of each row begins
  const found = places.map(() => null);
  for (let place = places.length - 1; place >= 0; place -= 1) {
    const length = widths[place] + 8;
    const runsLeft = places[place] + length > width && places[place] >= length;
    const left = runsLeft ? places[place] - length : places[place];
    const row = [...Array(rows).keys()].find((each) => taken[each] === undefined || left + length <= taken[each]);
    if (row === undefined) continue;
    taken[row] = left;
    found[place] = { row, runsLeft };
  }
  return found;
}
