// Computes medians and spreads.
export const median = (values) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** Returns the median, the smallest and the largest value of a field; null if no run has the field. */
export function spreadOf(runs, field) {
  const values = runs
    .map((run) => field.split(".").reduce((value, name) => value?.[name], run))
    .filter((value) => typeof value === "number");
  return values.length === 0
    ? null
    : {
        median: median(values),
        min: Math.min(...values),
        max: Math.max(...values),
      };
}
