import { PostgresServer } from '../support/postgres-server.js'
import { monotonic } from './clock.js'
import type { Span } from './protocol.js'

const STANDBY = 'standby'
const SCHEMA = 'soak'

/** A primary and its synchronous standby, which replaces the primary in a failover. */
export class Pair {
  primary: PostgresServer
  standby: PostgresServer
  readonly schema: string = SCHEMA
  /** The time from the end of a primary to the start of the next one. */
  readonly failovers: Span[] = []
  /** The primary that was killed last, until there is a standby again. */
  replaced: PostgresServer | undefined

  private constructor(primary: PostgresServer, standby: PostgresServer) {
    this.primary = primary
    this.standby = standby
  }

  static async start(): Promise<Pair> {
    const primary = await PostgresServer.primary()
    try {
      await primary.query(`create schema ${SCHEMA}`)
      const pair = new Pair(primary, await PostgresServer.standby(primary, STANDBY))
      await pair.#synchronize()
      return pair
    } catch (error) {
      await primary.dispose()
      throw error
    }
  }

  async query(text: string): Promise<readonly { readonly [column: string]: unknown }[]> {
    return await this.primary.query(text, SCHEMA)
  }

  /** Ends the primary as a power cut would, and promotes its standby. */
  async failOver(): Promise<void> {
    const began = monotonic()
    this.replaced = this.primary
    await this.primary.kill()
    await this.standby.promote()
    this.primary = this.standby
    // Until there is a standby again, commits do not wait for one, as cluster managers configure it.
    await this.primary.desynchronize()
    this.failovers.push([began, monotonic()])
  }

  /** Gives the primary a standby again, and waits until the standby has everything that was acknowledged. */
  async repair(): Promise<void> {
    await this.replaced?.dispose()
    this.standby = await PostgresServer.standby(this.primary, STANDBY)
    await this.#synchronize()
  }

  async dispose(): Promise<void> {
    for (const server of new Set([this.replaced, this.standby, this.primary])) await server?.dispose()
  }

  async #synchronize(): Promise<void> {
    await this.primary.synchronize(STANDBY)
    await this.primary.catchUp(this.standby)
  }
}
