import { readRawBody } from '../../http/fetch-answer.js'

/** Reports of up to this size are always read. They are what senders usually send. */
const SMALL_BYTES = 64 * 1024
/** How many larger reports may be in memory at once before their signatures are verified. */
const LARGE_AT_ONCE = 8
const READ_MS = 30_000

/** Why a report was not read: there are too many large ones at the moment, or its body took too long to arrive. */
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
  return async (request, verify) => {
    const length = request.headers.get('content-length')
    const isLarge = length === null || !(Number(length) <= SMALL_BYTES)
    if (isLarge && large >= LARGE_AT_ONCE) throw new NotReadError('busy')
    large += isLarge ? 1 : 0
    try {
      return await verify(await readInTime(request, isLarge ? maxBytes : Math.min(maxBytes, SMALL_BYTES), readMs))
    } finally {
      large -= isLarge ? 1 : 0
    }
  }
}

async function readInTime({ headers, body }: Request, maxBytes: number, readMs: number): Promise<Uint8Array<ArrayBuffer>> {
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(new NotReadError('slow')), readMs)
  try {
    const piped = body?.pipeThrough(new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>(), { signal: late.signal })
    return await readRawBody({ headers, body: piped ?? null }, maxBytes)
  } finally {
    clearTimeout(timer)
  }
}
