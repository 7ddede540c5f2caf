/** A name that differs by more edits than this is a different word, not a typo. */
const MAX_EDITS = 2
/** These two limit the work for one wrong name: the length of the name, and the number of candidates. */
const MAX_LENGTH = 64
const MAX_CANDIDATES = 1000

/** Returns the candidate that a misspelled name most likely means, at most two edits away; `undefined` if there is none. */
export function closest(text: string, candidates: readonly string[]): string | undefined {
  if (text.length > MAX_LENGTH) return undefined
  const wanted = text.toLowerCase()
  let best: string | undefined
  let fewest = MAX_EDITS + 1
  for (const candidate of candidates.slice(0, MAX_CANDIDATES)) {
    if (Math.abs(candidate.length - wanted.length) >= fewest) continue
    const edits = editDistance(wanted, candidate, fewest)
    // If there are as many edits as characters, the two strings have nothing in common.
    if (edits < fewest && edits < wanted.length) [best, fewest] = [candidate, edits]
  }
  return best
}

/** Computes the Levenshtein distance row by row. Returns `limit` once the result cannot be lower. */
function editDistance(a: string, b: string, limit: number): number {
  let above = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const replaced = (above[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1)
      current.push(Math.min(replaced, (above[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1))
    }
    if (Math.min(...current) >= limit) return limit
    above = current
  }
  return above[b.length] ?? limit
}

/** Creates the message for a value that is not one of these names: it lists them, and suggests the most likely one. */
export function noneOf(names: readonly string[], orList: boolean = false): (issue: { readonly input?: unknown }) => string {
  const list = `must be one of ${names.join(', ')}${orList ? ', or a list of them' : ''}`
  return ({ input }) => {
    const wrong: unknown = Array.isArray(input) ? input.find((given) => !names.includes(given)) : input
    const meant =
      typeof wrong === 'string' ? (closest(wrong, names) ?? names.find((name) => wrong.length > 2 && name.includes(wrong))) : undefined
    return meant === undefined ? list : `${list}; did you mean ${JSON.stringify(meant)}?`
  }
}
