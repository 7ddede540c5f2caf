import { readRawBody } from '../../http/fetch-answer.js'

/** Senders usually send reports of up to this size. */
const SMALL_BYTES = 64 * 1024
/** How many of these may be arriving at once. One more takes the place of the one that has been arriving for longest. */
const SMALL_AT_ONCE = 1000
/** How many larger reports may be in memory at once before their signatures are verified. */
const LARGE_AT_ONCE = 8
const READ_MS = 30_000

/** Why a report was not read: there are too many at the moment, or its body took too long to arrive. */
export class NotReadError extends Error {
  readonly why: 'busy' | 'slow'

  constructor(why: 'busy' | 'slow') {
    super(why)
    this.why = why
  }
}

/** Reads the body of a report and runs `verify` on it. */
export type Intake = <T>(request: Request, verify: (bytes: Uint8Array<ArrayBuffer>) => Promise<T>) => Promise<T>

/**
 * Creates the reader of bodies that are not verified yet. It limits how much memory they take and for how long, whoever sends them.
 *
 * A body without a declared length counts as large.
 */
export function createIntake(maxBytes: number, readMs: number = READ_MS): Intake {
  let large = 0
  const small = new Set<AbortController>()
  return async (request, verify) => {
    const length = request.headers.get('content-length')
    const isLarge = length === null || !(Number(length) <= SMALL_BYTES)
    if (isLarge && large >= LARGE_AT_ONCE) throw new NotReadError('busy')
    const stop = new AbortController()
    if (isLarge) large += 1
    else makeRoom(small).add(stop)
    try {
      return await verify(await readInTime(request, isLarge ? maxBytes : Math.min(maxBytes, SMALL_BYTES), readMs, stop))
    } finally {
      if (isLarge) large -= 1
      else small.delete(stop)
    }
  }
}

function makeRoom(arriving: Set<AbortController>): Set<AbortController> {
  const [oldest] = arriving
  if (oldest !== undefined && arriving.size >= SMALL_AT_ONCE && arriving.delete(oldest)) oldest.abort(new NotReadError('busy'))
  return arriving
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
