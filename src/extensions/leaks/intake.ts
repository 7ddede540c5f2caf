import { namesOf } from '../../cache/guessing.js'
import { limitedSite } from '../../cache/lookup-shares.js'
import { readRawBody } from '../../http/fetch-answer.js'
import { Places } from './places.js'

/** Senders usually send reports of up to this size. */
const SMALL_BYTES = 64 * 1024
/** How many of these may be arriving at once. Another one replaces the one that has been arriving longest. */
const SMALL_AT_ONCE = 1000
/** How many larger reports may be in memory at once before their signatures are verified. */
const LARGE_AT_ONCE = 8
/** A larger report that takes longer than this to arrive gives its place to the next one. */
const LARGE_GRACE_MS = 2_000
const READ_MS = 30_000

/** Why a report was not read: there are too many at the moment, or its body took too long to arrive. */
export class NotReadError extends Error {
  readonly why: 'busy' | 'slow'

  constructor(why: 'busy' | 'slow') {
    super(why)
    this.why = why
  }
}

/** Reads the body of a report that came from this address, and runs `verify` on it. */
export type Intake = <T>(request: Request, ip: string | undefined, verify: (bytes: Uint8Array<ArrayBuffer>) => Promise<T>) => Promise<T>

/**
 * Creates the reader of bodies that are not verified yet. It limits how much memory they take and for how long, whoever sends them.
 *
 * A body without a declared length counts as large.
 */
export function createIntake(maxBytes: number, readMs: number = READ_MS): Intake {
  const small = new Places(SMALL_AT_ONCE, 0)
  const large = new Places(LARGE_AT_ONCE, LARGE_GRACE_MS)
  return async (request, ip, verify) => {
    const length = request.headers.get('content-length')
    const isLarge = length === null || !(Number(length) <= SMALL_BYTES)
    const places = isLarge ? large : small
    const from = namesOf(ip)
    const place = places.take(limitedSite(from) ?? from.caller, () => new NotReadError('busy'))
    if (place === undefined) throw new NotReadError('busy')
    try {
      const bytes = await readInTime(request, isLarge ? maxBytes : Math.min(maxBytes, SMALL_BYTES), readMs, place.stop)
      place.reading = false
      return await verify(bytes)
    } finally {
      places.leave(place)
    }
  }
}

async function readInTime(
  { headers, body }: Request,
  maxBytes: number,
  readMs: number,
  stop: AbortController,
): Promise<Uint8Array<ArrayBuffer>> {
  const timer = setTimeout(() => stop.abort(new NotReadError('slow')), readMs)
  try {
    const piped = body?.pipeThrough(new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>(), { signal: stop.signal })
    return await readRawBody({ headers, body: piped ?? null }, maxBytes)
  } finally {
    clearTimeout(timer)
  }
}
