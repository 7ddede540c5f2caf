import { InvalidInputError, StoreUnavailableError } from '../errors.js'
import { BASE62, isBase62 } from './alphabet.js'
import { checksum } from './checksum.js'
import type { Digester } from './digest.js'
import { ID_LENGTH, SECRET_LENGTH } from './parse.js'

/** Returns `size` random bytes. Tokens from anything but a CSPRNG can be guessed, so inject a source only in tests. */
export type RandomSource = (size: number) => Uint8Array

/** 4 × 62. Bytes from here on are discarded, because their remainders would favor the first eight digits. */
const UNBIASED = 248
/** Bytes drawn at once. A secret uses 45 of them on average. */
const BLOCK = 64
/** A healthy source needs one or two blocks. A source that needs more than this is broken. */
const MAX_BLOCKS = 16

/**
 * Generates a public ID: 16 base62 digits.
 *
 * @throws StoreUnavailableError (`store_unavailable`) when the random source fails or is visibly broken.
 */
export function generateId(random: RandomSource): string {
  return drawBase62(random, ID_LENGTH)
}

/**
 * Generates a secret: 43 base62 digits, 256 bits.
 *
 * @throws StoreUnavailableError (`store_unavailable`) when the random source fails or is visibly broken.
 */
export function generateSecret(random: RandomSource): string {
  return drawBase62(random, SECRET_LENGTH)
}

/** Creates the token with this ID, and its digest, which is all that a store may keep of the token. */
export function mintToken(prefix: string, id: string, digester: Digester, random: RandomSource): { token: string; digest: string } {
  if (id.length !== ID_LENGTH || !isBase62(id, 0, ID_LENGTH)) throw new InvalidInputError('id', `an ID has ${ID_LENGTH} base62 characters`)
  const body = `${prefix}_${id}_${generateSecret(random)}`
  const digest = digester.digest(body)
  return { token: body + checksum(digest), digest }
}

function drawBase62(random: RandomSource, length: number): string {
  let text = ''
  for (let block = 0; block < MAX_BLOCKS; block++) {
    for (const byte of drawBytes(random)) {
      if (byte < UNBIASED) text += BASE62.charAt(byte % 62)
      if (text.length === length) return text
    }
  }
  throw new StoreUnavailableError('the random source keeps returning unusable bytes; no token was created')
}

function drawBytes(random: RandomSource): Uint8Array {
  let bytes: unknown
  try {
    bytes = random(BLOCK)
  } catch (cause) {
    throw new StoreUnavailableError('the random source failed; no token was created', cause)
  }
  if (!(bytes instanceof Uint8Array) || bytes.length !== BLOCK) {
    throw new StoreUnavailableError(`the random source must return a Uint8Array of ${BLOCK} bytes; no token was created`)
  }
  // By chance this happens once in 2^504 blocks; a stubbed or failing source does it all the time.
  if (bytes.every((byte) => byte === bytes[0])) {
    throw new StoreUnavailableError('the random source keeps returning the same byte; no token was created')
  }
  return bytes
}
