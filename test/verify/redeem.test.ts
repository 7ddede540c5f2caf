import type { Principal, Verification } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { createTicket } from 'latchkey/ws'
import { expect, it, onTestFinished, vi } from 'vitest'
import { internalsOf } from '../../src/instance.js'
import { instance, mint, verdict } from '../latchkey/harness.js'

const HOUR_MS = 3_600_000

async function world(options: Parameters<typeof instance>[0] = {}) {
  const down: string[] = []
  const calls: string[] = []
  const after: { [method: string]: () => void } = {}
  const store = interceptStore(memoryStore(), ({ method }, proceed) => {
    calls.push(method)
    if (down.includes(method)) throw new Error('down')
    const answer = proceed()
    after[method]?.()
    return answer
  })
  const tokens = instance({ store, ...options })
  const { token, record } = await mint(tokens, { ownerId: 'ada' })
  const verification = await tokens.verify(token)
  if (!verification.ok) throw new Error(verification.code)
  const principal: Principal = verification.principal
  const redeem = (ticket: string) => verdict(internalsOf(tokens).redeem?.(ticket, {}) as Promise<Verification>)
  return { tokens, id: record.id, principal, down, calls, after, redeem }
}

it('a ticket can still be used once after failed attempts while the store was down', async () => {
  const { tokens, principal, down, redeem } = await world()
  const { ticket } = await createTicket(tokens, principal)
  down.push('find')
  for (let times = 0; times < 3; times += 1) expect(await redeem(ticket)).toBe('store_unavailable')
  down.length = 0
  const many = await Promise.all(Array.from({ length: 10 }, () => redeem(ticket)))
  expect(many.toSorted()).toEqual(['ok', ...Array.from({ length: 9 }, () => 'token_unknown')].toSorted())
})

it("a ticket survives a failure to look up the token's owner", async () => {
  let down = false
  const { tokens, principal, redeem } = await world({
    owner: () => {
      if (down) throw new Error('down')
      return { scopes: ['stock:read'] }
    },
    cache: 'fresh',
  })
  const { ticket } = await createTicket(tokens, principal)
  await tokens.system.ownerChanged({ ownerId: 'ada' })
  down = true
  expect(await redeem(ticket)).toBe('store_unavailable')
  down = false
  expect([await redeem(ticket), await redeem(ticket)]).toEqual(['ok', 'token_unknown'])
})

it('a failed attempt to redeem a ticket while the clock is invalid does not use the ticket up', async () => {
  let broken = false
  const { tokens, principal, redeem } = await world({ clock: () => (broken ? Number.NaN : Date.now()) })
  const { ticket } = await createTicket(tokens, principal)
  broken = true
  expect(await redeem(ticket)).toBe('store_unavailable')
  broken = false
  expect([await redeem(ticket), await redeem(ticket)]).toEqual(['ok', 'token_unknown'])
})

it('a ticket that cannot be saved again after a failed redemption is refused', async () => {
  const { tokens, principal, down, redeem } = await world()
  const { ticket } = await createTicket(tokens, principal)
  down.push('find', 'saveTicket')
  expect(await redeem(ticket)).toBe('store_unavailable')
  down.length = 0
  expect(await redeem(ticket)).toBe('token_unknown')
})

it('a failed read that nobody is waiting for anymore does not end the process', async () => {
  let late = 0
  const { now } = performance
  vi.spyOn(performance, 'now').mockImplementation(() => now.call(performance) + late)
  const unhandled: unknown[] = []
  const note = (error: unknown): number => unhandled.push(error)
  process.on('unhandledRejection', note)
  onTestFinished(() => {
    process.off('unhandledRejection', note)
    vi.restoreAllMocks()
  })
  const { tokens, principal, down, after, redeem } = await world()
  const { ticket } = await createTicket(tokens, principal)
  // As if the event loop had been blocked while the store answered.
  after.takeTicket = () => {
    late = 3_600_000
  }
  down.push('find')
  expect(await redeem(ticket)).toBe('store_unavailable')
  await new Promise((resolve) => setTimeout(resolve))
  expect(unhandled).toEqual([])
})

it.each([
  ['token_revoked', (tokens, id) => tokens.system.revoke(id)],
  ['token_inactive', (tokens, id) => tokens.system.deactivate(id)],
] as [string, (tokens: ReturnType<typeof instance>, id: string) => Promise<unknown>][])(
  'createTicket() refuses a token that is no longer accepted: %s',
  async (code, end) => {
    const { tokens, id, principal, calls } = await world()
    await end(tokens, id)
    await expect(createTicket(tokens, principal)).rejects.toMatchObject({ code })
    expect(calls).not.toContain('saveTicket')
  },
)

it('createTicket() refuses a token that has since expired', async () => {
  let now = 1_900_000_000_000
  const { tokens, id, principal } = await world({ clock: () => now })
  await tokens.system.update(id, { expiresAt: new Date(now + HOUR_MS) })
  expect(await createTicket(tokens, principal)).toHaveProperty('ticket')
  now += HOUR_MS
  await expect(createTicket(tokens, principal)).rejects.toMatchObject({ code: 'token_expired' })
})

it('a clock that begins to throw while a ticket is redeemed neither ends the process nor uses the ticket up', async () => {
  let broken = false
  const clock = (): number => {
    if (broken) throw new Error('no time')
    return Date.now()
  }
  const { tokens, principal, after, redeem } = await world({ clock })
  const rejections: unknown[] = []
  const note = (error: unknown): void => void rejections.push(error)
  process.on('unhandledRejection', note)
  onTestFinished(() => void process.off('unhandledRejection', note))
  for (const method of ['takeTicket', 'find']) {
    const { ticket } = await createTicket(tokens, principal)
    after[method] = () => {
      broken = true
    }
    expect(await redeem(ticket)).not.toBe('ok')
    delete after[method]
    await new Promise((resolve) => setTimeout(resolve, 10))
    broken = false
    expect(await redeem(ticket)).toBe('ok')
  }
  expect(rejections).toEqual([])
})
