// Makes the tables of a report sortable: by a click on a head, or by Enter or Space while it has the focus.
"use strict";
(() => {
  const byText = new Intl.Collator("en", { numeric: true }); // module-2 before module-10
  const FOREIGN = "table.dataframe, table.tinypool-connections";

  /** What a cell is sorted by: what its table says, else its number, else its text. */
  function valueOf(cell) {
    const text = (cell?.dataset.by ?? cell?.textContent ?? "").trim();
    const number = Number(text.replaceAll(/[,_]/g, ""));
    return { text, number: text === "" ? NaN : number };
  }

  function compare(one, other) {
    const [left, right] = [Number.isNaN(one.number), Number.isNaN(other.number)];
    if (!left && !right) return one.number - other.number;
    return left !== right ? Number(left) - Number(right) : byText.compare(one.text, other.text);
  }

  // A table may have a body a row, with a second line in it: then bodies are sorted.
  function groups(table) {
    return table.tBodies.length > 1 ? [...table.tBodies] : [...(table.tBodies[0]?.rows ?? [])];
  }

  function cellOf(group, place) {
    const row = group.rows ? group.rows[0] : group;
    return row.cells[place];
  }

  function isPlain(table) {
    const head = table.tHead?.rows;
    if (!head?.length || groups(table).length < 2) return false;
    const width = head[head.length - 1].cells.length;
    return groups(table).every((group) => {
      const cells = [...(group.rows ? group.rows[0] : group).cells];
      return cells.length === width && cells.every((cell) => cell.colSpan === 1 && cell.rowSpan === 1);
    });
  }

  function sort(table, head, place) {
    const descending = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const keyed = groups(table).map((group) => ({ group, value: valueOf(cellOf(group, place)) }));
    keyed.sort((one, other) => (descending ? compare(other.value, one.value) : compare(one.value, other.value)));
    const parent = table.tBodies.length > 1 ? table : table.tBodies[0];
    parent.append(...keyed.map(({ group }) => group));
  }

  for (const table of document.querySelectorAll(`table.sortable, ${FOREIGN}`)) {
    if (!isPlain(table)) continue;
    table.classList.add("is-sortable");
    const heads = table.tHead.rows[table.tHead.rows.length - 1].cells;
    for (const [place, head] of [...heads].entries()) {
      if (!head.textContent.trim()) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sort(table, head, place));
      head.append(button);
    }
  }
})();
