import { InvalidInputError } from '../../errors.js'
import { toPlain } from '../../policy/plain-text.js'
import { createTurns } from '../../store/timer.js'
import { withoutToken } from '../../token/redact.js'

/** One finding as a scanner reports it. */
export type Find = { readonly token: string; readonly type: string; readonly url: string; readonly source: string }

const MAX_FINDS = 10_000
const MAX_TEXT = 200
const MAX_URL = 2000
/** No credential is accepted beyond this length. The texts about longer ones are dropped, because removing such a string from them takes long. */
const MAX_TOKEN = 8192

/**
 * Reads a verified report: an array of `{ token, type, url, source }`. Ignores other members. The texts of a finding contain neither a part of its own token nor
 * another token.
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
  const finds: Find[] = []
  for (const [at, value] of report.entries()) {
    await giveWay()
    finds.push(readFind(value, at))
  }
  return finds
}

function readFind(value: unknown, at: number): Find {
  const { token, type, url, source } = Object(value) as Record<string, unknown>
  if (typeof token !== 'string') throw new InvalidInputError(`body.${at}.token`, 'must be a string')
  const shown = (text: unknown, max: number): string =>
    typeof text === 'string' && token.length <= MAX_TOKEN ? withoutSecrets(text, token).slice(0, max) : ''
  return { token, type: shown(type, MAX_TEXT), url: shown(url, MAX_URL), source: shown(source, MAX_TEXT) }
}

/** Redact before truncating: half a token is no longer recognized as a token. */
function withoutSecrets(text: string, token: string): string {
  return withoutToken(toPlain(text), token)
}
