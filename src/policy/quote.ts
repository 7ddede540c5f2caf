import { redact } from '../token/redact.js'

/** Longer inputs are cut in messages. */
const MAX_QUOTED = 64

/** Names a refused input in a message: short, on one line, and without the token that somebody pasted into the wrong field. */
export function quote(input: unknown): string {
  if (typeof input === 'string') {
    const shown = redact(input.slice(0, 4 * MAX_QUOTED))
    return JSON.stringify(shown.length > MAX_QUOTED || input.length > 4 * MAX_QUOTED ? `${shown.slice(0, MAX_QUOTED)}…` : shown)
  }
  if (input === null || input === undefined || typeof input === 'boolean' || typeof input === 'number') return String(input)
  return isList(input) ? 'a list' : `a value of type ${typeof input}`
}

/** A proxy that was revoked throws even here. */
function isList(input: unknown): boolean {
  try {
    return Array.isArray(input)
  } catch {
    return false
  }
}
