import { InvalidInputError } from '../../errors.js'

/** One find, as a scanner reports it. */
export type Find = { readonly token: string; readonly type: string; readonly url: string; readonly source: string }

const MAX_FINDS = 10_000
const MAX_TEXT = 200
const MAX_URL = 2000
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
const UNKEPT = /[\u0000-\u001f\u007f]|\p{Surrogate}/gu

/**
 * Reads a verified report: an array of `{ token, type, url, source }`. What else stands in it is passed over.
 *
 * @throws InvalidInputError `invalid_input`; the message never repeats what was sent
 */
export function readReport(bytes: Uint8Array): readonly Find[] {
  let report: unknown
  try {
    report = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw new InvalidInputError('body', 'is not JSON')
  }
  if (!Array.isArray(report)) throw new InvalidInputError('body', 'must be an array of finds')
  if (report.length > MAX_FINDS) throw new InvalidInputError('body', `holds more than ${MAX_FINDS} finds`)
  return report.map(readFind)
}

function readFind(value: unknown, at: number): Find {
  const { token, type, url, source } = Object(value) as Record<string, unknown>
  if (typeof token !== 'string') throw new InvalidInputError(`body.${at}.token`, 'must be a string')
  return { token, type: shown(type, MAX_TEXT), url: shown(url, MAX_URL), source: shown(source, MAX_TEXT) }
}

function shown(value: unknown, max: number): string {
  return typeof value === 'string' ? value.replace(UNKEPT, '').slice(0, max) : ''
}
