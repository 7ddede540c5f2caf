import { createHash, createHmac, hash, timingSafeEqual } from 'node:crypto'

const TABLE = new Uint8Array(128)
for (const char of '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz') TABLE[char.charCodeAt(0)] = 1
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** The fields of a token that the hand-written minimum keeps. */
export type FloorRecord = { readonly digest: string; readonly revokedAt?: number; readonly expiresAt?: number }

/**
 * The least that a correct verification can do: parse by character codes, compute one hash, check the checksum, look up a Map, compare in
 * constant time, and check the status. It has no result object, scopes, usage, cache bound or freshness, so it could not be shipped.
 */
export function floorVerify(
  records: ReadonlyMap<string, FloorRecord>,
  prefix: string,
  token: string,
  digestOf: (body: string) => string = (body) => hash('sha256', body, 'hex'),
): boolean {
  const start = prefix.length + 1
  if (token.length !== start + 16 + 1 + 43 + 6 || !token.startsWith(prefix)) return false
  for (let at = start; at < token.length; at += 1) {
    if (at !== start + 16 && TABLE[token.charCodeAt(at)] !== 1) return false
  }
  const digest = digestOf(token.slice(0, -6))
  let sum = Number.parseInt(digest.slice(0, 8), 16)
  for (let at = token.length - 1; at >= token.length - 6; at -= 1) {
    if (token.charCodeAt(at) !== DIGITS.charCodeAt(sum % 62)) return false
    sum = Math.floor(sum / 62)
  }
  const record = records.get(token.slice(start, start + 16))
  if (record === undefined) return false
  let difference = 0
  for (let at = 0; at < 64; at += 1) difference |= record.digest.charCodeAt(at) ^ digest.charCodeAt(at)
  if (difference !== 0 || record.revokedAt !== undefined) return false
  return record.expiresAt === undefined || Date.now() < record.expiresAt
}

/** The hash of the hand-written minimum if the host uses a pepper. */
export function pepperedDigest(pepper: string): (body: string) => string {
  return (body) => createHmac('sha256', pepper).update(body).digest('hex')
}

/** The same verification in conventional code: a regular expression, `createHash`, and `timingSafeEqual` on Buffers. */
export function textbookVerify(records: ReadonlyMap<string, FloorRecord>, token: string): boolean {
  const parts = /^([a-z_]+)_([0-9A-Za-z]{16})_([0-9A-Za-z]{43})([0-9A-Za-z]{6})$/.exec(token)
  if (parts === null) return false
  const [, prefix, id, secret] = parts
  const digest = createHash('sha256').update(`${prefix}_${id}_${secret}`).digest()
  const record = records.get(id ?? '')
  if (record === undefined || !timingSafeEqual(digest, Buffer.from(record.digest, 'hex'))) return false
  if (record.revokedAt !== undefined) return false
  return record.expiresAt === undefined || Date.now() < record.expiresAt
}
