import { Child } from '../cluster/child.js'
import { type LinkMode, StoreProxy } from '../cluster/proxy.js'
import type { OwnPlace } from '../stores/sql/databases.js'
import type { History } from './history.js'
import type { Command, Done, Report, Target } from './protocol.js'

/** The clock that all processes of this machine share, in milliseconds. */
export const monotonic = (): number => Number(process.hrtime.bigint()) / 1e6

/** A place for a node: when one is killed, the next one comes up behind the same proxy. */
export type Slot = { readonly name: string; readonly url: string; readonly proxy: StoreProxy; child: Child<Command>; up: boolean }

/** What the nodes share. */
export type Setting = { readonly program: string; readonly place: OwnPlace; readonly history: History; readonly maxStaleness: number }

/** The nodes, each a process of its own with a proxy between it and the database. */
export class Fleet {
  readonly slots: Slot[] = []
  readonly #setting: Setting

  constructor(setting: Setting) {
    this.#setting = setting
  }

  async add(name: string): Promise<void> {
    const { proxy, url } = await StoreProxy.before(this.#setting.place.url, 5432)
    const slot: Slot = { name, url, proxy, child: this.#start(name), up: false }
    this.slots.push(slot)
    await this.#open(slot)
  }

  /** Asks a node for a change; what gets no answer may have happened or not. */
  async change(slot: Slot, command: Command): Promise<Done | undefined> {
    try {
      return (await slot.child.ask(command)) as Done
    } catch {
      this.#setting.history.unanswered += 1
      return undefined
    }
  }

  /** Ends a node in the middle of whatever it is doing, and starts it again. */
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

  async patrol(add: readonly Target[], drop: readonly string[] = []): Promise<void> {
    await Promise.allSettled(this.slots.map(({ child }) => child.ask({ do: 'patrol', add, drop })))
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.slots.map(({ child }) => child.close({ do: 'close' })))
    await Promise.allSettled(this.slots.map(({ proxy }) => proxy.close()))
  }

  #start(name: string): Child<Command> {
    return new Child<Command>(this.#setting.program, (message) => this.#setting.history.seen(name, message as Report))
  }

  async #open(slot: Slot): Promise<void> {
    const { place, history, maxStaleness } = this.#setting
    await slot.child.ask({ do: 'open', url: slot.url, schema: place.schema, maxStaleness })
    await slot.child.ask({ do: 'patrol', add: history.watched(), drop: [] })
    slot.up = true
  }
}
