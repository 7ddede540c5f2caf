import { Child } from '../cluster/child.js'
import { type LinkMode, StoreProxy } from '../cluster/proxy.js'
import type { History } from './history.js'
import type { Pair } from './pair.js'
import type { Command, Done, Report, Target } from './protocol.js'

/** A node and its proxy. When a node is killed, its replacement starts behind the same proxy. */
export type Slot = {
  readonly name: string
  readonly url: string
  readonly read: string
  readonly proxy: StoreProxy
  readonly replica: StoreProxy
  child: Child<Command>
  up: boolean
}

/** The settings that all nodes share. */
export type Setting = { readonly program: string; readonly pair: Pair; readonly history: History; readonly maxStaleness: number }

/** The nodes. Each is a separate process, with a proxy between it and the database. */
export class Fleet {
  readonly slots: Slot[] = []
  readonly #setting: Setting

  constructor(setting: Setting) {
    this.#setting = setting
  }

  async add(name: string): Promise<void> {
    const { primary, standby } = this.#setting.pair
    const { proxy, url } = await StoreProxy.before(primary.url, 5432)
    const { proxy: replica, url: read } = await StoreProxy.before(standby.url, 5432)
    const slot: Slot = { name, url, read, proxy, replica, child: this.#start(name), up: false }
    this.slots.push(slot)
    await this.#open(slot)
  }

  /** Makes a change through a node. A change without a response may or may not have happened. */
  async change(slot: Slot, command: Command): Promise<Done | undefined> {
    try {
      return (await slot.child.ask(command)) as Done
    } catch {
      this.#setting.history.unanswered += 1
      return undefined
    }
  }

  /** Kills a node in the middle of its work, and starts it again. */
  async kill(slot: Slot): Promise<void> {
    slot.up = false
    await slot.child.kill()
    slot.child = this.#start(slot.name)
    await this.#open(slot)
  }

  async disturb(slot: Slot, kind: 'bus' | 'data' | 'all', mode: LinkMode, forMs: number): Promise<void> {
    slot.proxy.set(kind, mode)
    await new Promise((resolve) => setTimeout(resolve, forMs))
    slot.proxy.set('all', 'pass')
  }

  /** Points all nodes at the current servers. */
  follow(): void {
    const { primary, standby } = this.#setting.pair
    for (const { proxy, replica } of this.slots) {
      proxy.aim(primary.port)
      replica.aim(standby.port)
    }
  }

  async patrol(add: readonly Target[], drop: readonly string[] = []): Promise<void> {
    await Promise.allSettled(this.slots.map(({ child }) => child.ask({ do: 'patrol', add, drop })))
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.slots.map(({ child }) => child.close({ do: 'close' })))
    await Promise.allSettled(this.slots.flatMap(({ proxy, replica }) => [proxy.close(), replica.close()]))
  }

  #start(name: string): Child<Command> {
    return new Child<Command>(this.#setting.program, (message) => this.#setting.history.seen(name, message as Report))
  }

  async #open(slot: Slot): Promise<void> {
    const { pair, history, maxStaleness } = this.#setting
    await slot.child.ask({ do: 'open', url: slot.url, read: slot.read, schema: pair.schema, maxStaleness })
    await slot.child.ask({ do: 'patrol', add: history.watched(), drop: [] })
    slot.up = true
  }
}
