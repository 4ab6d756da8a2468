// Times and durations as people read them. Durations are worded as in tinypool_nb/views/wording.py.

const STEPS = [
  1e3, 1e4, 1e5, 1e6, 1e7, 1e8,
  ...[1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 432000].map((seconds) => seconds * 1e9),
]; // nanoseconds between two ticks: what people count in

/** A duration, nanoseconds, in the two units that matter. */
export function durationText(nanoseconds) {
  const seconds = nanoseconds / 1e9;
  if (seconds < 0.00095) return `${Number((seconds * 1e3).toFixed(3))} ms`;
  if (seconds < 0.9995) return `${(seconds * 1e3).toFixed(seconds >= 0.0095 ? 0 : 1)} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

/** A moment, nanoseconds since `epoch` (whole seconds since 1970 UTC), as `2026-01-05 12:00:00.123`, UTC. */
export function timeText(nanoseconds, epoch) {
  return new Date(epoch * 1e3 + Math.floor(nanoseconds / 1e6)).toISOString().replace("T", " ").slice(0, 23);
}

/** The time of day of that moment where the browser is. */
export function localTimeText(nanoseconds, epoch) {
  return new Date(epoch * 1e3 + Math.floor(nanoseconds / 1e6)).toTimeString().slice(0, 8);
}

/** The round moments between start and end, at least `least` nanoseconds apart: [{time, text}], UTC. */
export function ticks(start, end, least, epoch) {
  const step = STEPS.find((each) => each >= least) ?? STEPS.at(-1) * Math.ceil(least / STEPS.at(-1));
  const ahead = step > 1e9 ? (epoch % (step / 1e9)) * 1e9 : 0; // the epoch is a whole second, but no whole hour
  const found = [];
  for (let time = Math.ceil((start + ahead) / step) * step - ahead; time <= end; time += step) {
    const text = timeText(time, epoch);
    found.push({ time, text: step >= 86400e9 ? text.slice(0, 10) : step >= 1e9 ? text.slice(11, 19) : step >= 1e6 ? text.slice(11) : fine(time, epoch) });
  }
  return found;
}

function fine(time, epoch) {
  return `${timeText(time, epoch).slice(11, 19)}.${String(((time % 1e9) + 1e9) % 1e9).padStart(9, "0").slice(0, 6)}`;
}

/** How many of what. */
export function counted(number, what) {
  return `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;
}

/**
 * The states of all modules in a sentence, for whoever cannot see them: "3 modules: 2 READY, 1 TRANSIENT_FAILURE (api-module-v1)".
 * @param states [[label, names]], the best first; the names of a few that are not READY are told
 */
export function summaryText(states, quiet = "READY") {
  const total = states.reduce((sum, [, names]) => sum + names.length, 0);
  if (!total) return "no modules yet";
  const parts = states.filter(([, names]) => names.length).map(([label, names]) => {
    const told = label === quiet || total === 1 ? "" : names.length <= 3 ? ` (${names.join(", ")})` : ` (${names.slice(0, 3).join(", ")} and ${names.length - 3} more)`;
    return `${names.length.toLocaleString("en")} ${label}${told}`;
  });
  return `${counted(total, "module")}: ${parts.join(", ")}`;
}
