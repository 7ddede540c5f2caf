import { StoreUnavailableError } from '../../../../src/errors.js'

type Notice = { readonly payload?: string | undefined }

/** The part of a `pg` client that listening uses. */
export type ListenClient = {
  connect(): Promise<unknown>
  query(text: string): Promise<unknown>
  on(event: string, listener: (...details: never[]) => void): unknown
  removeListener(event: string, listener: (...details: never[]) => void): unknown
  end(): Promise<void>
  ref?(): void
  unref?(): void
  readonly connection?: { readonly stream?: { destroy?(): unknown } }
}

/** The shortest and the longest pause before reconnecting, in milliseconds. */
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5_000
/** How long a connection may take to start listening, and to end, in milliseconds. */
const CONNECT_MS = 10_000
const END_MS = 1_000
/** How long a test notification may take to arrive, in milliseconds. */
const PROOF_MS = 2_000
/** The interval between probes of the connection, in milliseconds. A cut cable raises no error, so only a probe notices it. */
const PROBE_MS = 15_000

/** Settles like the promise, or fails after a time limit, because a server may accept a connection and then never answer. */
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

/** Closes a connection. A listening connection does not keep the process alive, but a caller that waits for the close needs the process. */
const end = async (client: ListenClient): Promise<void> => {
  client.ref?.()
  try {
    await within(END_MS, client.end())
  } catch {
    client.connection?.stream?.destroy?.()
  }
}

/** Sends a notification with this text over another connection. */
export type SendNotice = (text: string) => Promise<unknown>

/** The start of a test notification's text. The notification of a change has no text. */
const PROOF = 'proof '

/** Waits until a test notification from another connection arrives, because a pooler may accept LISTEN and then not deliver notifications. */
const prove = async (client: ListenClient, send: SendNotice): Promise<void> => {
  const text = `${PROOF}${Math.random()}`
  let hear: () => void = () => {}
  const heard = new Promise<void>((resolve) => {
    hear = resolve
  })
  const listener = ({ payload }: Notice): void => {
    if (payload === text) hear()
  }
  client.on('notification', listener)
  try {
    const sent = await within(CONNECT_MS, send(text)).then(
      () => true,
      () => false,
    )
    // If none could be sent, it is unknown whether notifications arrive.
    if (!sent) return
    await within(PROOF_MS, heard).catch(() => {
      throw new StoreUnavailableError(
        'postgres store: notifications do not arrive (a pooler in transaction mode drops them), so changes from other nodes are found by polling',
      )
    })
  } finally {
    client.removeListener('notification', listener)
  }
}

/** The callbacks: `lost` when the connection is lost or cannot be established, `wake` when it is established or a change is announced. */
type Hearer = { wake(): void; readonly lost?: ((error: unknown) => void) | undefined }

/**
 * Listens on a separate connection, and reconnects whenever it is lost.
 *
 * Also wakes after every new connection, because a notification may have been sent in between. The connection never keeps the process alive.
 */
export const listen = async (
  channel: string,
  { wake, lost: tellLost }: Hearer,
  newClient: () => ListenClient,
  send: SendNotice,
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

  const join = async (client: ListenClient): Promise<void> => {
    await client.connect()
    await client.query(`listen "${channel}"`)
  }

  const begin = async (): Promise<void> => {
    let client: ListenClient
    try {
      client = newClient()
    } catch (error) {
      tellLost?.(error)
      return later()
    }
    current = client
    let lost = false
    const lose = (error: unknown = new Error('the listening connection was closed')): void => {
      if (lost) return
      lost = true
      if (!stopped) tellLost?.(error)
      void drop(client)
      later()
    }
    // Attached first, because an error event without a listener ends the process.
    client.on('error', lose)
    client.on('end', () => lose())
    client.on('notification', ({ payload }: Notice) => {
      if (!stopped && payload?.startsWith(PROOF) !== true) wake()
    })
    try {
      await within(CONNECT_MS, join(client))
      client.unref?.()
      await prove(client, send)
    } catch (error) {
      return lose(error)
    }
    if (stopped || lost) return
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
