/** The part of a `pg` client that listening uses. */
export type ListenClient = {
  connect(): Promise<unknown>
  query(text: string): Promise<unknown>
  on(event: string, listener: (...details: never[]) => void): unknown
  end(): Promise<void>
  ref?(): void
  unref?(): void
  readonly connection?: { readonly stream?: { destroy?(): unknown } }
}

/** The first pause before a new connection, and the longest, in milliseconds. */
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5_000
/** How long a connection may take to come about, and to end. */
const CONNECT_MS = 10_000
const END_MS = 1_000
/** How often a connection is asked whether it is alive: a cut cable tells nobody. */
const PROBE_MS = 15_000

/** The promise's outcome, or a failure when it takes too long: a server that takes a connection and says nothing is as good as none. */
const within = async (ms: number, work: Promise<unknown>): Promise<void> => {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('timeout')), ms)
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Ends a connection. While it listens it lets the process end; whoever waits for its end must not see the process end first. */
const end = async (client: ListenClient): Promise<void> => {
  client.ref?.()
  try {
    await within(END_MS, client.end())
  } catch {
    client.connection?.stream?.destroy?.()
  }
}

/** Who hears: `lost` once a connection is gone or could not be made, `wake` once there is one again. */
type Hearer = { wake(): void; readonly lost?: ((error: unknown) => void) | undefined }

/**
 * Listens on a connection of its own, and makes a new one whenever it is lost.
 *
 * Wakes also after every new connection, because a notice may have been sent while there was none. It never keeps the process alive.
 */
export const listen = async (
  channel: string,
  { wake, lost: tellLost }: Hearer,
  newClient: () => ListenClient,
): Promise<() => Promise<void>> => {
  let stopped = false
  let current: ListenClient | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let probe: ReturnType<typeof setInterval> | undefined
  let pause = FIRST_PAUSE_MS

  const drop = async (client: ListenClient): Promise<void> => {
    if (current === client) {
      current = undefined
      clearInterval(probe)
    }
    await end(client)
  }

  const later = (): void => {
    if (stopped) return
    timer = setTimeout(() => void begin(), pause * (0.5 + Math.random()))
    timer.unref()
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS)
  }

  const begin = async (): Promise<void> => {
    let client: ListenClient
    try {
      client = newClient()
    } catch (error) {
      tellLost?.(error)
      return later()
    }
    let lost = false
    const lose = (error: unknown = new Error('the connection that listens was closed')): void => {
      if (lost) return
      lost = true
      if (!stopped) tellLost?.(error)
      void drop(client)
      later()
    }
    // Before anything else: an error event that nobody listens to ends the process.
    client.on('error', lose)
    client.on('end', () => lose())
    client.on('notification', () => {
      if (!stopped) wake()
    })
    try {
      await within(CONNECT_MS, client.connect())
      await client.query(`listen "${channel}"`)
    } catch (error) {
      return lose(error)
    }
    if (stopped) return await drop(client)
    if (lost) return
    current = client
    client.unref?.()
    pause = FIRST_PAUSE_MS
    probe = setInterval(() => {
      const silence = setTimeout(() => lose(new Error('timeout')), PROBE_MS / 2)
      silence.unref()
      client.query('select 1').then(
        () => clearTimeout(silence),
        (error: unknown) => {
          clearTimeout(silence)
          lose(error)
        },
      )
    }, PROBE_MS)
    probe.unref()
    wake()
  }

  await begin()
  return async () => {
    stopped = true
    clearTimeout(timer)
    if (current !== undefined) await drop(current)
  }
}
