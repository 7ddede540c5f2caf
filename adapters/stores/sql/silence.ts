/** Reads by key and reads of the feed take milliseconds, so a read without a response for this long was sent over a dead connection. */
export const BRIEF_MS = 5_000
/** If a transaction sends nothing for this long, its process has stopped or is cut off, and the server ends the transaction. */
export const IDLE_MS = 5_000
/** The limit for any other statement. Upgrades and bulk revocations take longer. */
const LONGEST_MS = 90_000

type Asked = { readonly connection: object; giveUp(): boolean }

/**
 * Detects connections that died silently, for example because a firewall dropped them. A statement sent over such a connection is never answered.
 *
 * Connections usually die together. So when a short statement gets no answer, the pool discards every connection that has been silent since then:
 * connections in use immediately, and idle connections before their next use.
 */
export class Silence {
  #since = Number.NEGATIVE_INFINITY
  readonly #heard = new WeakMap<object, number>()
  readonly #asked = new Set<Asked>()

  /** Returns whether the connection has been silent since a short statement that got no answer. */
  isSuspect(connection: object): boolean {
    const heard = this.#heard.get(connection)
    return heard !== undefined && heard < this.#since
  }

  /** Sends a statement, and fails if no answer comes. */
  ask<T>(connection: object, send: () => Promise<T>, limitMs: number = LONGEST_MS): Promise<T> {
    const began = performance.now()
    return new Promise((resolve, reject) => {
      const end = (): boolean => {
        clearTimeout(timer)
        return this.#asked.delete(asked)
      }
      const asked: Asked = {
        connection,
        giveUp() {
          const waited = end()
          if (waited) reject(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' }))
          return waited
        },
      }
      const late = (): void => {
        if (asked.giveUp() && limitMs <= BRIEF_MS) this.#suspect(began)
      }
      // If the process itself was blocked, the timeout and the reply arrive together. Waiting one turn lets the reply win.
      const timer = setTimeout(() => setImmediate(late), limitMs)
      this.#asked.add(asked)
      const answered = (): void => {
        this.#heard.set(connection, performance.now())
        end()
      }
      const sent = (async () => await send())()
      sent.finally(answered).then(resolve, reject)
    })
  }

  #suspect(began: number): void {
    this.#since = Math.max(this.#since, began)
    for (const asked of [...this.#asked]) if (this.isSuspect(asked.connection)) asked.giveUp()
  }
}
