// Which lanes are in the list, and in which order.

export const ORDERS = { registered: "as registered", name: "by name", state: "by state", worst: "worst first" };

const byName = new Intl.Collator("en", { numeric: true }); // module-2 before module-10

/**
 * The lanes to show.
 * @param lanes all of them, in the order in which they were registered
 * @param text shown are names that contain it, whatever the case
 * @param states a Set of the codes of states to show; empty for all
 * @param order a key of ORDERS
 * @param severity how bad each state is, by its code
 */
export function arranged(lanes, { text, states, order, severity }) {
  const wanted = text.trim().toLowerCase();
  const shown = lanes.filter((lane) => (!wanted || lane.name.toLowerCase().includes(wanted)) && (!states.size || states.has(lane.newest)));
  const bad = (lane) => severity[lane.newest] ?? -1;
  const compare = {
    registered: () => 0,
    name: (one, other) => byName.compare(one.name, other.name),
    state: (one, other) => one.newest - other.newest || byName.compare(one.name, other.name),
    worst: (one, other) => bad(other) - bad(one) || byName.compare(one.name, other.name),
  }[order];
  return shown.sort(compare); // which keeps the order of equals
}
