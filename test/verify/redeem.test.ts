import type { Principal, Verification } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { createTicket } from 'latchkey/ws'
import { expect, it, onTestFinished, vi } from 'vitest'
import { internalsOf } from '../../src/instance.js'
import { checksum } from '../../src/token/checksum.js'
import { defaultEngine } from '../../src/token/hash.js'
import { platformRandom } from '../../src/token/random.js'
import { mintTicket } from '../../src/token/ticket.js'
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
  const redeem = (ticket: string, ip?: string) => verdict(internalsOf(tokens).redeem?.(ticket, { ip }) as Promise<Verification>)
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

const PEPPER = 'a pepper of at least thirty-two characters'
const OLD_PEPPER = 'an older pepper with more than 32 characters'
const IP = '192.0.2.1'

/** A ticket that was never created, with the checksum that anyone can compute. */
function forgery(n: number): string {
  const secret = String(n).padStart(43, 'z')
  return secret + checksum(defaultEngine.sha256(`latchkey: ticket acme_test ${secret}`))
}

const flood = (redeem: (ticket: string, ip: string) => Promise<string>, count: number) =>
  Promise.all(Array.from({ length: count }, (_, n) => redeem(forgery(n), IP)))
/** Stops the clock that budgets refill by. */
function stopClock(): void {
  vi.spyOn(performance, 'now').mockReturnValue(1000)
  onTestFinished(() => void vi.restoreAllMocks())
}

const takes = (calls: readonly string[]): number => calls.filter((method) => method === 'takeTicket').length

it.each([
  ['a pepper', PEPPER],
  ['several peppers', [PEPPER, OLD_PEPPER]],
])('with %s, forged tickets cause no store call, and refuse neither tickets nor tokens from their address', async (_what, pepper) => {
  stopClock()
  const { tokens, principal, calls, redeem } = await world({ pepper, cache: false })
  const { ticket } = await createTicket(tokens, principal)
  expect(new Set(await flood(redeem, 800))).toEqual(new Set(['token_unknown']))
  expect(takes(calls)).toBe(0)
  const { token } = await mint(tokens)
  expect(await verdict(tokens.verify(token, { ip: IP }))).toBe('ok')
  expect(await redeem(ticket, IP)).toBe('ok')
})

it('a mistyped ticket causes no store call, even without a pepper', async () => {
  const { tokens, principal, calls, redeem } = await world()
  const { ticket } = await createTicket(tokens, principal)
  const last = ticket.endsWith('0') ? '1' : '0'
  for (const wrong of [ticket.slice(0, -1) + last, ticket.slice(1), `${ticket}0`, ticket.replace(/./, '-')]) {
    expect(await redeem(wrong, IP)).toBe('token_unknown')
  }
  expect(takes(calls)).toBe(0)
  expect(await redeem(ticket, IP)).toBe('ok')
})

it('a ticket works after its pepper was replaced, and is looked up once', async () => {
  const { tokens, principal } = await world({ pepper: OLD_PEPPER })
  const { ticket } = await createTicket(tokens, principal)
  const calls: string[] = []
  const store = interceptStore(internalsOf(tokens).settings.store, ({ method }, proceed) => {
    calls.push(method)
    return proceed()
  })
  const later = instance({ store, pepper: [PEPPER, OLD_PEPPER] })
  expect(await verdict(internalsOf(later).redeem?.(ticket, { ip: IP }) as Promise<Verification>)).toBe('ok')
  expect(takes(calls)).toBe(1)
})

it('without a pepper, forged tickets have a budget for each address, and use up no budget of tokens', async () => {
  stopClock()
  const { tokens, principal, calls, redeem } = await world({ cache: false })
  const { ticket } = await createTicket(tokens, principal)
  expect(new Set(await flood(redeem, 800))).toEqual(new Set(['token_unknown']))
  expect(takes(calls)).toBe(800)
  expect(await redeem(ticket, IP)).toBe('store_unavailable')
  expect(takes(calls)).toBe(800)
  const { token } = await mint(tokens)
  expect(await verdict(tokens.verify(token, { ip: IP }))).toBe('ok')
  expect(await redeem(ticket, '198.51.100.1')).toBe('ok')
})

it('forged tokens use up no budget of tickets', async () => {
  stopClock()
  const { tokens, principal, redeem } = await world({ cache: false })
  const { ticket } = await createTicket(tokens, principal)
  const forged = (n: number): string => {
    const body = `acme_test_${String(n).padStart(16, 'z')}_${'z'.repeat(43)}`
    return body + checksum(defaultEngine.sha256(body))
  }
  await Promise.all(Array.from({ length: 2000 }, (_, n) => verdict(tokens.verify(forged(n), { ip: IP }))))
  expect(await verdict(tokens.verify(forged(2000), { ip: IP }))).toBe('store_unavailable')
  expect(await redeem(ticket, IP)).toBe('ok')
})

it('with a pepper, a ticket that is presented again and again causes few store calls, and refuses no other ticket', async () => {
  stopClock()
  const { tokens, principal, calls, redeem } = await world({ pepper: PEPPER })
  const used = await createTicket(tokens, principal)
  const other = await createTicket(tokens, principal)
  expect(await redeem(used.ticket, IP)).toBe('ok')
  const codes: string[] = []
  for (let times = 0; times < 600; times += 1) codes.push(await redeem(used.ticket, IP))
  expect(codes.filter((code) => code === 'token_unknown')).toHaveLength(20)
  expect(codes.at(-1)).toBe('store_unavailable')
  expect(takes(calls)).toBe(21)
  expect(await redeem(other.ticket, IP)).toBe('ok')
})

it('while a pepper is being introduced, forged tickets refuse only tickets that were created without it', async () => {
  stopClock()
  const { tokens, principal, redeem } = await world({ pepper: [PEPPER, false] })
  const { ticket } = await createTicket(tokens, principal)
  await flood(redeem, 800)
  const { digesters } = internalsOf(tokens).settings
  expect(await redeem(mintTicket(digesters[1] ?? digesters[0], 'acme_test', platformRandom).ticket, IP)).toBe('store_unavailable')
  expect(await redeem(ticket, IP)).toBe('ok')
})
