/** The part of a `pg` client that listening uses. */
export type ListenClient = {
  query(text: string): Promise<unknown>
  on(event: string, listener: (...details: never[]) => void): unknown
}

/** A connection of its own, and how to be rid of it. */
export type ListenConnection = { readonly client: ListenClient; end(): void | Promise<void> }

/** The first pause before a new connection, and the longest, in milliseconds. */
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5_000
/** How often a connection is asked whether it is alive: a cut cable tells nobody. */
const PROBE_MS = 15_000

/**
 * Listens on a connection of its own, and makes a new one whenever it is lost.
 *
 * Wakes also after every new connection, because a notice may have been sent while there was none.
 */
export const listen = async (channel: string, wake: () => void, connect: () => Promise<ListenConnection>): Promise<() => Promise<void>> => {
  let stopped = false
  let current: ListenConnection | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let probe: ReturnType<typeof setInterval> | undefined
  let pause = FIRST_PAUSE_MS

  const drop = async (connection: ListenConnection): Promise<void> => {
    if (current === connection) {
      current = undefined
      clearInterval(probe)
    }
    try {
      await connection.end()
    } catch {
      // It was gone already.
    }
  }

  const later = (): void => {
    if (stopped) return
    timer = setTimeout(() => void begin(), pause * (0.5 + Math.random()))
    timer.unref()
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS)
  }

  const begin = async (): Promise<void> => {
    let connection: ListenConnection | undefined
    try {
      connection = await connect()
      const mine = connection
      let lost = false
      const lose = (): void => {
        if (lost) return
        lost = true
        void drop(mine).then(later)
      }
      mine.client.on('error', lose)
      mine.client.on('end', lose)
      mine.client.on('notification', () => {
        if (!stopped) wake()
      })
      await mine.client.query(`listen "${channel}"`)
      if (stopped) return await drop(mine)
      current = mine
      pause = FIRST_PAUSE_MS
      probe = setInterval(() => {
        const silence = setTimeout(lose, PROBE_MS / 2)
        silence.unref()
        mine.client.query('select 1').then(
          () => clearTimeout(silence),
          () => {
            clearTimeout(silence)
            lose()
          },
        )
      }, PROBE_MS)
      probe.unref()
      wake()
    } catch {
      if (connection !== undefined) await drop(connection)
      later()
    }
  }

  await begin()
  return async () => {
    stopped = true
    clearTimeout(timer)
    if (current !== undefined) await drop(current)
  }
}
