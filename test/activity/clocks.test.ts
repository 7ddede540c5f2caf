import { type AuditHead, latchkey } from 'latchkey'
import { describe, expect, it, onTestFinished } from 'vitest'
import { SCOPES, trail, until } from '../latchkey/harness.js'
import { everyStore } from '../support/every-store.js'

const HOUR = 3_600_000
const JUMPS = [0, 5 * HOUR, -3 * HOUR, 365 * 24 * HOUR, -365 * 24 * HOUR, 90_000] as const

describe.each(await everyStore())('jumping clocks on $kind', ({ skip, place }) => {
  /** Two nodes on one database. The test shifts their clocks while they are running. */
  async function nodes() {
    const open = await place()
    const off = [0, 5 * HOUR]
    const [right, wrong] = [0, 1].map((at) => {
      const tokens = latchkey({
        prefix: 'acme_test',
        store: open(),
        scopes: SCOPES,
        logger: false,
        clock: () => Date.now() + (off[at] ?? 0),
      })
      onTestFinished(() => tokens.close().catch(() => undefined))
      return tokens
    })
    if (right === undefined || wrong === undefined) throw new Error('no nodes')
    const jump = (turn: number): void => {
      off[0] = JUMPS[turn % JUMPS.length] ?? 0
      off[1] = JUMPS[(turn + 3) % JUMPS.length] ?? 0
    }
    return { right, wrong, jump }
  }

  it.skipIf(skip)(
    'two nodes with jumping clocks never run the same consumer at the same time, and deliver each event once, in order',
    async () => {
      const { right, wrong, jump } = await nodes()
      const seen: string[] = []
      let atOnce = 0
      let most = 0
      const handle = async ({ id }: { readonly id: string }): Promise<void> => {
        atOnce += 1
        most = Math.max(most, atOnce)
        jump(seen.length)
        await new Promise((resolve) => setTimeout(resolve, 3))
        seen.push(id)
        atOnce -= 1
      }
      const consumers = [right, wrong].map((tokens) => tokens.system.consume('siem', handle))
      for (let turn = 0; turn < 12; turn += 1)
        await (turn % 2 === 0 ? right : wrong).system.create({ name: `Token ${turn}`, scopes: ['stock:read'] })
      await until(() => seen.length >= 12)
      // The first consumer stops, and the other node's consumer takes over, whatever the clocks say.
      await consumers[0]?.stop()
      jump(1)
      for (let turn = 0; turn < 6; turn += 1) await right.system.create({ name: `More ${turn}`, scopes: ['stock:read'] })
      await until(() => seen.length >= 18)
      await consumers[1]?.stop()
      expect([seen, most]).toEqual([await trail(right), 1])
    },
    60_000,
  )

  it.skipIf(skip)(
    'builds one valid chain of seals while clocks jump, whichever node verifies the chain',
    async () => {
      const { right, wrong, jump } = await nodes()
      for (let turn = 0; turn < 8; turn += 1) {
        jump(turn)
        await right.system.create({ name: `Token ${turn}`, scopes: ['stock:read'] })
        jump(turn + 2)
        await Promise.all([right.system.sealAudit(), wrong.system.sealAudit()])
      }
      const head = (await wrong.system.sealAudit()) as AuditHead
      for (const { system } of [right, wrong]) {
        expect(await system.verifyAudit({ head })).toMatchObject({ ok: true, sealed: 8, behind: 0, problems: [] })
      }
    },
    60_000,
  )
})
