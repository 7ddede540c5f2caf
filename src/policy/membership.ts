const FEW = 8

/**
 * Returns a function that says whether a value is in `list`. `lookups` is the number of expected calls. Long lists are indexed, so that the work does not
 * grow with the product of the two lengths, which callers choose.
 */
export function membershipIn(list: readonly unknown[], lookups: number): (value: unknown) => boolean {
  if (list.length <= FEW || lookups <= FEW) return (value) => list.includes(value)
  const index = new Set(list)
  return (value) => index.has(value)
}
