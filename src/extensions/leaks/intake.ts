import { namesOf } from '../../cache/guessing.js'
import { readRawBody } from '../../http/fetch-answer.js'
import { type Place, Places } from './places.js'

/** Most reports are at most this large. */
const SMALL_BYTES = 64 * 1024
/** How many small reports, and how many larger ones, may arrive at the same time. */
const AT_ONCE = 1000
/** The memory for larger reports whose signatures have not been verified yet, as a number of reports of the maximum size. */
const LARGEST_AT_ONCE = 8
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
 * Creates the reader of bodies that are not verified yet. It limits how much memory they take and for how long, regardless of the sender.
 *
 * A body without a declared length counts as large.
 */
export function createIntake(maxBytes: number, readMs: number = READ_MS): Intake {
  const busy = (): Error => new NotReadError('busy')
  const small = new Places(AT_ONCE, AT_ONCE * SMALL_BYTES, busy)
  const large = new Places(AT_ONCE, LARGEST_AT_ONCE * maxBytes, busy)
  return async (request, ip, verify) => {
    const length = request.headers.get('content-length')
    const isLarge = length === null || !(Number(length) <= SMALL_BYTES)
    const places = isLarge ? large : small
    const from = namesOf(ip)
    const place = places.take(from.limitedSite ?? from.caller)
    try {
      const bytes = await readInTime(request, isLarge ? maxBytes : Math.min(maxBytes, SMALL_BYTES), readMs, places, place)
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
  places: Places,
  place: Place,
): Promise<Uint8Array<ArrayBuffer>> {
  const { stop } = place
  const timer = setTimeout(() => stop.abort(new NotReadError('slow')), readMs)
  const counted = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform: (chunk, controller) => {
      if (places.hold(place, chunk.byteLength)) controller.enqueue(chunk)
      else controller.error(stop.signal.reason)
    },
  })
  try {
    const piped = body?.pipeThrough(counted, { signal: stop.signal })
    const bytes = await readRawBody({ headers, body: piped ?? null }, maxBytes)
    // The body may have ended at the same moment.
    stop.signal.throwIfAborted()
    return bytes
  } finally {
    clearTimeout(timer)
  }
}
