// Before a report is printed: fits to the paper what is wider, so that nothing is cut. Tables by smaller letters, and if these would be
// too small, by putting columns below the others; whatever else by making it smaller as a whole. Afterwards all is as it was.
"use strict";
(() => {
  const LETTERS = [11, 10, 9]; // pixels
  const WHOLE = 400; // pixels: a block that is lower stays on one page
  const OUTPUTS = ".jp-OutputArea-output, .jp-RenderedMarkdown";
  const isPaper = document.body.classList.contains("tinypool-paper"); // made for a printer alone
  let undo = [];

  const changed = (change, back) => (change(), undo.push(back));
  const withClass = (element, name) => changed(() => element.classList.add(name), () => element.classList.remove(name));

  function styled(element, name, value) {
    const before = element.style.getPropertyValue(name);
    changed(() => element.style.setProperty(name, value), () => element.style.setProperty(name, before));
  }

  /** Whether each row has the same cells, so that columns can be moved. */
  function isPlain(table) {
    const width = table.rows[0]?.cells.length ?? 0;
    const cells = [...table.rows].map((row) => [...row.cells]);
    return width > 1 && cells.every((row) => row.length === width && row.every((cell) => cell.colSpan === 1 && cell.rowSpan === 1));
  }

  /** The places of the columns, as many a block as fit; those that name a row stand in each. */
  function blocks(table, room) {
    const widths = [...table.rows[0].cells].map((cell) => cell.getBoundingClientRect().width);
    const body = table.tBodies[0]?.rows[0]?.cells ?? [];
    const names = Math.max(1, [...body].findIndex((cell) => cell.tagName === "TD"));
    const always = widths.slice(0, names).reduce((one, other) => one + other, 0);
    const found = [];
    let taken = Infinity;
    for (let place = names; place < widths.length; place += 1) {
      taken += widths[place];
      if (taken > room) {
        found.push([...Array(names).keys()]);
        taken = always + widths[place];
      }
      found.at(-1).push(place);
    }
    return { found, names };
  }

  const named = (first, last, all) => (first === last ? `column ${first} of ${all}` : `columns ${first} to ${last} of ${all}`);

  function block(table, places, told) {
    const copy = table.cloneNode(true);
    for (const row of copy.rows) row.replaceChildren(...places.map((place) => row.cells[place]));
    copy.classList.replace("tinypool-fitted", "tinypool-block");
    const caption = copy.caption ?? copy.createCaption();
    caption.append(told);
    return copy;
  }

  function fitTable(table) {
    const room = table.parentElement.clientWidth;
    if (!isPlain(table) || table.getBoundingClientRect().width === 0) return;
    withClass(table, "tinypool-fitted");
    const isWide = () => table.getBoundingClientRect().width > room + 1;
    for (const letters of LETTERS) {
      styled(table, "font-size", `${letters}px`);
      if (!isWide()) return;
    }
    const { found, names } = blocks(table, room);
    const all = table.rows[0].cells.length;
    const copies = found.map((places) =>
      block(table, places, named(places[names] + 1 - names, places.at(-1) + 1 - names, all - names)),
    );
    changed(() => table.after(...copies), () => copies.forEach((copy) => copy.remove()));
    withClass(table, "tinypool-blocked");
    for (const copy of copies) {
      const { width, height } = copy.getBoundingClientRect();
      copy.classList.toggle("tinypool-whole", height < WHOLE);
      if (width > room) for (const row of copy.rows) for (const cell of row.cells) cell.classList.add("tinypool-wrapped");
    }
  }

  /** What is still wider becomes smaller as a whole. */
  function shrink(place) {
    const room = place.clientWidth;
    if (!room || place.querySelector(".tinypool-plot, .tinypool-player")) return;
    if (place.scrollWidth > room + 1) for (const part of place.children) styled(part, "zoom", String(room / place.scrollWidth));
  }

  function fit() {
    if (undo.length) return;
    if (!isPaper) withClass(document.body, "tinypool-paper");
    for (const table of document.querySelectorAll(":is(.jp-OutputArea-output, .jp-RenderedMarkdown) table:not(table table)")) fitTable(table);
    for (const place of document.querySelectorAll(OUTPUTS)) shrink(place);
  }

  function unfit() {
    for (const back of undo.reverse()) back();
    undo = [];
  }

  if (isPaper) fit();
  else {
    addEventListener("beforeprint", fit);
    addEventListener("afterprint", unfit);
  }
})();
