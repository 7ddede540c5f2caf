import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/**
 * The behavior of a link: `pass` everything; `cut` connections and refuse new ones; keep connections but `drop` all data, like a broken cable;
 * delay each piece by `delayMs`; limit throughput to `bytesPerSecond`.
 */
export type LinkMode = 'pass' | 'cut' | 'drop' | { readonly delayMs: number; readonly bytesPerSecond?: number }

/** The connections of the wake-up channel, or all others. */
export type LinkKind = 'bus' | 'data'

/** A client sends this to mark a connection that will carry only wake-ups. */
const BUS = /listen "|subscribe\b/i

type Link = { readonly near: Socket; readonly far: Socket; kind: LinkKind }

/** A proxy in front of a database. The wake-up channel and the other connections can be disturbed separately. */
export class StoreProxy {
  readonly #host: string
  #port: number
  readonly #server: Server
  readonly #links: Set<Link> = new Set()
  readonly #modes: { [kind in LinkKind]: LinkMode } = { bus: 'pass', data: 'pass' }

  private constructor(host: string, port: number) {
    this.#host = host
    this.#port = port
    this.#server = createServer((near) => this.#join(near))
  }

  /** Puts a proxy in front of the database at `url`. */
  static async before(url: string, defaultPort: number): Promise<{ proxy: StoreProxy; url: string }> {
    const target = new URL(url)
    const proxy = new StoreProxy(target.hostname, Number(target.port || defaultPort))
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    target.hostname = '127.0.0.1'
    target.port = String((proxy.#server.address() as AddressInfo).port)
    return { proxy, url: target.href }
  }

  /** How many connections of this kind there are. */
  count(kind: LinkKind): number {
    return [...this.#links].filter((link) => link.kind === kind).length
  }

  set(kind: LinkKind | 'all', mode: LinkMode): void {
    for (const each of kind === 'all' ? (['bus', 'data'] as const) : [kind]) {
      const before = this.#modes[each]
      this.#modes[each] = mode
      for (const link of this.#links) {
        if (link.kind !== each) continue
        // A link that dropped bytes cannot continue.
        if (mode === 'cut' || before === 'drop') destroy(link)
      }
    }
  }

  /** From now on, forwards to another port, like an address that moved to another server. */
  aim(port: number): void {
    this.#port = port
    for (const link of this.#links) destroy(link)
  }

  async close(): Promise<void> {
    for (const link of this.#links) destroy(link)
    this.#server.close()
    await once(this.#server, 'close')
  }

  #join(near: Socket): void {
    const link: Link = { near, far: connect(this.#port, this.#host), kind: 'data' }
    this.#links.add(link)
    for (const socket of [link.near, link.far]) {
      socket.setNoDelay(true)
      socket.on('error', () => destroy(link))
      socket.on('close', () => {
        destroy(link)
        this.#links.delete(link)
      })
    }
    if (this.#modes.data === 'cut') destroy(link)
    near.on('data', (piece) => {
      if (link.kind === 'data' && BUS.test(piece.toString('latin1'))) link.kind = 'bus'
      this.#carry(link, link.far, piece)
    })
    link.far.on('data', (piece) => this.#carry(link, link.near, piece))
  }

  #carry(link: Link, to: Socket, piece: Buffer): void {
    const mode = this.#modes[link.kind]
    if (mode === 'cut') destroy(link)
    else if (mode === 'pass') to.write(piece)
    else if (mode !== 'drop') this.#slowly(link, to, piece, mode)
  }

  // Each piece has its own timer with the same delay, so pieces keep their order. Throttling pauses the sender for the time that its bytes
  // take.
  #slowly(link: Link, to: Socket, piece: Buffer, { delayMs, bytesPerSecond }: { delayMs: number; bytesPerSecond?: number }): void {
    const from = to === link.near ? link.far : link.near
    if (bytesPerSecond !== undefined) {
      from.pause()
      setTimeout(() => from.resume(), (piece.length / bytesPerSecond) * 1000)
    }
    setTimeout(() => {
      if (!to.destroyed) to.write(piece)
    }, delayMs)
  }
}

function destroy({ near, far }: Link): void {
  near.destroy()
  far.destroy()
}
