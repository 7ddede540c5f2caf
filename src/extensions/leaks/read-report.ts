import { InvalidInputError } from '../../errors.js'
import { toPlain } from '../../policy/plain-text.js'
import { createTurns } from '../../store/timer.js'
import { KnownTokens } from '../../token/known-tokens.js'

/** One finding as a scanner reports it. */
export type Find = { readonly token: string; readonly type: string; readonly url: string; readonly source: string }

const MAX_FINDS = 10_000
const MAX_TEXT = 200
const MAX_URL = 2000
/** No credential is accepted beyond this length. */
const MAX_TOKEN = 8192
/** The maximum length of all tokens of a report together. Beyond it, all texts are dropped, because looking for so many tokens would take long. */
const MOST_SEARCHED = 2 ** 20

/**
 * Reads a verified report: an array of `{ token, type, url, source }`. Ignores other members. No text contains a token of any finding.
 *
 * @throws InvalidInputError `invalid_input`; the message never repeats the report's content
 */
export async function readReport(bytes: Uint8Array): Promise<readonly Find[]> {
  let report: unknown
  try {
    report = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw new InvalidInputError('body', 'is not JSON')
  }
  if (!Array.isArray(report)) throw new InvalidInputError('body', 'must be an array of findings')
  if (report.length > MAX_FINDS) throw new InvalidInputError('body', `contains more than ${MAX_FINDS} findings`)
  // Long strings with many escapes take up to a millisecond each.
  const giveWay = createTurns(() => performance.now())
  const known = new KnownTokens()
  const tokens = new Set<string>()
  let length = 0
  for (const [at, value] of report.entries()) {
    await giveWay()
    const token = tokenOf(value, at)
    if (tokens.has(token) || token.length > MAX_TOKEN) continue
    tokens.add(token)
    length += token.length
    if (length <= MOST_SEARCHED) known.add(token)
  }
  const finds: Find[] = []
  for (const [at, value] of report.entries()) {
    await giveWay()
    finds.push(readFind(value, at, length <= MOST_SEARCHED ? known : undefined))
  }
  return finds
}

function tokenOf(value: unknown, at: number): string {
  const { token } = Object(value) as { readonly token?: unknown }
  if (typeof token === 'string') return token
  throw new InvalidInputError(`body.${at}.token`, 'must be a string')
}

function readFind(value: unknown, at: number, known: KnownTokens | undefined): Find {
  const { type, url, source } = Object(value) as Record<string, unknown>
  const token = tokenOf(value, at)
  // Redact before truncating: half a token is no longer recognized as a token.
  const shown = (text: unknown, max: number): string =>
    typeof text === 'string' && known !== undefined && token.length <= MAX_TOKEN ? known.removeFrom(toPlain(text)).slice(0, max) : ''
  return { token, type: shown(type, MAX_TEXT), url: shown(url, MAX_URL), source: shown(source, MAX_TEXT) }
}
