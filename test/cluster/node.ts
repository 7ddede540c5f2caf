import { Child } from './child.js'
import type { Command, Made, Span, Watched } from './protocol.js'
import type { StoreProxy } from './proxy.js'

/** A node of the cluster as the test sees it: its process, and the proxy between the node and the database. */
export class ClusterNode {
  readonly proxy: StoreProxy
  /** The proxy between the node and the relay's broker, if there is one. */
  readonly relay: StoreProxy | undefined
  readonly #child: Child<Command>

  constructor(program: string, proxy: StoreProxy, relay?: StoreProxy) {
    this.proxy = proxy
    this.relay = relay
    this.#child = new Child(program)
  }

  ask(command: Command): Promise<unknown> {
    return this.#child.ask(command)
  }

  async create(count: number): Promise<readonly Made[]> {
    return (await this.ask({ do: 'create', count })) as readonly Made[]
  }

  async revoke(id: string, waitForNodes = false): Promise<Span> {
    return (await this.ask({ do: 'revoke', id, waitForNodes })) as Span
  }

  async revokeAll(tenantId: string): Promise<Span> {
    return (await this.ask({ do: 'revokeAll', tenantId })) as Span
  }

  /** Starts asking about a token. Resolves once verifications of the token are answered from memory. */
  async watch(token: string): Promise<void> {
    await this.ask({ do: 'watch', token })
    await this.ask({ do: 'settle', token })
  }

  /** Resolves once the watched token is refused, or no longer watched. */
  async refused(token: string): Promise<void> {
    await this.ask({ do: 'refused', token })
  }

  async watched(token: string): Promise<Watched> {
    return (await this.ask({ do: 'watched', token })) as Watched
  }

  /** Changes the node's wall clock. */
  async stepClock(ms: number): Promise<void> {
    await this.ask({ do: 'step', ms })
  }

  /** Makes the broker tamper with the node's messages, as far as that is possible without the key. */
  async lieTo(on: boolean): Promise<void> {
    await this.ask({ do: 'lie', on })
  }

  /** Suspends the process, as a debugger or an overloaded host does. */
  freeze(): void {
    this.#child.freeze()
  }

  thaw(): void {
    this.#child.thaw()
  }

  async close(): Promise<void> {
    await this.#child.close({ do: 'close' })
    await this.proxy.close()
    await this.relay?.close()
  }
}
