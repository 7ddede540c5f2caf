import { InvalidInputError } from '../errors.js'
import { ownFields } from '../model/own-fields.js'
import { defaultEngine, type HashEngine } from './hash.js'

/** Computes the digest to store from the text `prefix_id_secret`. */
export type Digester = {
  /** Identifies the pepper without revealing it. Absent without a pepper. */
  readonly pepperId?: string
  /** 64 lowercase hexadecimal digits. */
  digest(body: string): string
}

/** Returns whether this is the digest of `body` with a pepper. Only this application can compute it. */
export function isPeppered(digesters: readonly Digester[], body: string, digest: string): boolean {
  return digesters.some((digester) => digester.pepperId !== undefined && digester.digest(body) === digest)
}

/** Contains characters that never occur in a token, so a pepper's ID can never be the digest of a token. */
const PEPPER_ID_LABEL = 'latchkey: pepper id'

/**
 * Creates one digester per pepper, newest first: the first mints, all verify. `false` in the list, or an empty list, means plain SHA-256.
 *
 * @throws InvalidInputError (`invalid_input`) if the list contains an entry twice.
 */
export function createDigesters(
  peppers: readonly (string | false)[],
  engine: HashEngine = defaultEngine,
): readonly [Digester, ...Digester[]] {
  const plain: Digester = ownFields({ digest: (body: string) => engine.sha256(body) })
  const [newest, ...older] = peppers.map((pepper): Digester => {
    if (pepper === false) return plain
    const digest = engine.hmacSha256(pepper)
    return { pepperId: digest(PEPPER_ID_LABEL).slice(0, 8), digest }
  })
  if (newest === undefined) return [plain]
  const digesters: readonly [Digester, ...Digester[]] = [newest, ...older]
  const ids = digesters.map((digester) => digester.pepperId)
  const repeated = ids.findIndex((id, at) => ids.indexOf(id) !== at)
  if (repeated !== -1) throw new InvalidInputError(`pepper.${repeated}`, 'is in the list twice')
  return digesters
}
