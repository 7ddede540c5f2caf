/** Reads by key and of the feed take milliseconds: what got no answer for so long went into a connection that is dead. */
export const BRIEF_MS = 5_000
/** Any other statement. Upgrades and bulk revocations take a while. */
const LONGEST_MS = 90_000

type Asked = { readonly connection: object; giveUp(): boolean }

/**
 * Notices connections that died without a word, as where a firewall forgets them: nobody is told, and a statement that goes into one is never answered.
 *
 * They usually die together. So once a brief statement got no answer, every connection of the pool that has said nothing since it was sent is given up:
 * those in use at once, whatever they wait for, and the idle ones before they are used again.
 */
export class Silence {
  #since = Number.NEGATIVE_INFINITY
  readonly #heard = new WeakMap<object, number>()
  readonly #asked = new Set<Asked>()

  /** Has it said nothing since a brief statement was sent that got no answer? */
  isSuspect(connection: object): boolean {
    const heard = this.#heard.get(connection)
    return heard !== undefined && heard < this.#since
  }

  /** Sends a statement, and fails where it gets no answer. */
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
      // A process that was held up itself finds the timeout and the answer together: the answer, one turn later, counts.
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
