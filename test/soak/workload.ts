import { setTimeout as sleep } from 'node:timers/promises'
import type { Dice } from '../../src/testing/random.js'
import { monotonic } from './clock.js'
import type { Fleet, Slot } from './fleet.js'
import type { History } from './history.js'
import type { Command, Done } from './protocol.js'

const MOST_ALIVE = 24
const BULK = 3

/** Changes tokens on random nodes, like administrators and holders. */
export class Workload {
  readonly #fleet: Fleet
  readonly #history: History
  readonly #dice: Dice
  #tenants = 0

  constructor(fleet: Fleet, history: History, dice: Dice) {
    this.#fleet = fleet
    this.#history = history
    this.#dice = dice
  }

  async run(until: number, lanes: number): Promise<void> {
    const lane = async (): Promise<void> => {
      while (performance.now() < until) {
        await sleep(20 + this.#dice.below(150))
        await this.#step()
      }
    }
    await Promise.all(Array.from({ length: lanes }, lane))
  }

  /** Revokes, on an undisturbed node, every token that a call without a response may have ended. */
  async settle(slot: Slot): Promise<void> {
    for (const { target, endingBegan, endedAt } of [...this.#history.lives.values()]) {
      if (endingBegan !== undefined && endedAt === undefined) await this.#end(slot, { do: 'revoke', id: target.id }, [target.id])
    }
  }

  async #step(): Promise<void> {
    const up = this.#fleet.slots.filter((slot) => slot.up)
    const slot = up[this.#dice.below(up.length)]
    const alive = this.#history.alive().filter(({ tenantId }) => tenantId === undefined)
    const chosen = alive[this.#dice.below(Math.max(1, alive.length))]
    if (slot === undefined) return
    const turn = this.#dice.below(20)
    if (chosen === undefined || (turn < 8 && alive.length < MOST_ALIVE)) return void (await this.#create(slot))
    if (turn < 11) return void this.#note('update', await this.#fleet.change(slot, { do: 'update', id: chosen.target.id }))
    if (turn < 14) return await this.#rotate(slot, chosen.target.id)
    if (turn < 19) return await this.#end(slot, { do: 'revoke', id: chosen.target.id }, [chosen.target.id])
    await this.#bulk(slot)
  }

  #note(what: string, done: Done | undefined): void {
    if (done !== undefined) this.#history.done(what, done)
  }

  async #create(slot: Slot, tenantId?: string): Promise<void> {
    const done = await this.#fleet.change(slot, { do: 'create', ...(tenantId !== undefined && { tenantId }) })
    this.#note('create', done)
    await this.#watch(done, tenantId)
  }

  async #watch(done: Done | undefined, tenantId?: string): Promise<void> {
    if (done?.made === undefined) return
    this.#history.made(done.made, tenantId)
    // A frozen node responds later; nothing waits for it.
    void this.#fleet.patrol([done.made])
  }

  async #rotate(slot: Slot, id: string): Promise<void> {
    this.#history.ending(id, monotonic())
    const done = await this.#fleet.change(slot, { do: 'rotate', id })
    if (done === undefined) return
    this.#history.done('rotate', done, [id])
    await this.#watch(done)
  }

  async #end(slot: Slot, command: Command, ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#history.ending(id, monotonic())
    const done = await this.#fleet.change(slot, command)
    if (done !== undefined) this.#history.done(command.do, done, ids)
  }

  async #bulk(slot: Slot): Promise<void> {
    this.#tenants += 1
    const tenantId = `tenant-${this.#tenants}`
    for (let at = 0; at < BULK; at += 1) await this.#create(slot, tenantId)
    await sleep(200 + this.#dice.below(800))
    const ids = [...this.#history.lives.values()].filter((life) => life.tenantId === tenantId).map(({ target }) => target.id)
    if (ids.length > 0) await this.#end(slot, { do: 'revokeAll', tenantId }, ids)
  }
}
