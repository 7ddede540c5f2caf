import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { authenticate, requireScopes } from 'latchkey/express'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { describe, expect, it, onTestFinished } from 'vitest'
import { deciderOf } from '../../src/instance.js'
import { instance, mint, verdict } from '../latchkey/harness.js'
import { limited, perToken } from './support.js'

/** The answers to so many probes, one after the other, and how often the host was asked for the resource. */
async function probe(requirement: 'scope' | 'resource', times: number) {
  let lookups = 0
  const tokens = limited([perToken(5)])
  const { token } = await mint(tokens, { resources: { warehouse: ['w1'] } })
  const app = express()
  app.use(authenticate(tokens))
  const warehouse = () => {
    lookups += 1
    return 'w2'
  }
  const required = requirement === 'scope' ? requireScopes('billing:read') : requireScopes('stock:read', { warehouse })
  app.get('/', required, (_req, res) => void res.json({}))
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const statuses: number[] = []
  for (let sent = 0; sent < times; sent += 1) {
    const { port } = server.address() as AddressInfo
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { authorization: `Bearer ${token}` } })
    await response.arrayBuffer()
    statuses.push(response.status)
  }
  return { tokens, token, lookups, statuses }
}

describe('refusals have a budget of their own', () => {
  it.each(['scope', 'resource'] as const)('so probes for a %s that the token lacks end in 429', async (requirement) => {
    const { statuses, lookups } = await probe(requirement, 100)
    expect(statuses.filter((status) => status === 403).length).toBeLessThanOrEqual(7)
    expect(statuses.slice(7).every((status) => status === 429)).toBe(true)
    expect(lookups).toBeLessThanOrEqual(7)
  })

  it('and they cost the token nothing of what it may do', async () => {
    const { tokens, token } = await probe('resource', 20)
    for (let use = 0; use < 5; use += 1) expect(await verdict(tokens.verify(token))).toBe('ok')
    expect(await verdict(tokens.verify(token))).toBe('rate_limited')
  })

  it('which another token of the same owner does not spend where limits are by token', async () => {
    const tokens = limited([perToken(2)])
    const [noisy, quiet] = [await mint(tokens), await mint(tokens)]
    for (let use = 0; use < 20; use += 1) {
      const answer = await deciderOf(tokens).decide(noisy.token)
      if (answer.ok) deciderOf(tokens).countUse(answer.principal, { outcome: 'resource_denied' })
      await Promise.resolve()
    }
    expect(await verdict(tokens.verify(quiet.token))).toBe('ok')
  })

  it('is counted in the limiter, under a key of its own, so that it holds on every node', async () => {
    const limiter = new RateLimiterMemory({ points: 5, duration: 60 })
    const limits = [{ name: 'token', by: 'token', limiter }] as const
    const nodes = [limited(limits), limited(limits)]
    const { token, record } = await mint(nodes[0] ?? instance())
    const answer = await deciderOf(nodes[0]).decide(token)
    if (answer.ok) deciderOf(nodes[0]).countUse(answer.principal, { outcome: 'scope_insufficient' })
    await expect.poll(async () => (await limiter.get(`token:acme_test:${record.id}:refused`))?.consumedPoints).toBe(1)
    await expect.poll(async () => (await limiter.get(`token:acme_test:${record.id}`))?.consumedPoints).toBe(0)
  })
})

describe('a token whose owner is gone', () => {
  it('makes the host look its owner up no more than a bounded number of times', async () => {
    let asked = 0
    const owner = () => {
      asked += 1
      return null
    }
    const tokens = instance({ owner })
    const { token } = await mint(tokens, { ownerId: 'bob' })
    const began = performance.now()
    const verdicts = new Set<string>()
    for (let use = 0; use < 2000; use += 1) verdicts.add(await verdict(tokens.verify(token)))
    const seconds = (performance.now() - began) / 1000
    expect([...verdicts].sort()).toEqual(['owner_denied', 'rate_limited'])
    expect(asked).toBeLessThanOrEqual(101 + 10 * seconds)
  })

  it('holds up no other token of the same owner', async () => {
    let gone = true
    const tokens = instance({ owner: () => (gone ? null : { scopes: ['stock:read'] }) })
    const [noisy, other] = [await mint(tokens, { ownerId: 'bob' }), await mint(tokens, { ownerId: 'bob' })]
    for (let use = 0; use < 300; use += 1) await tokens.verify(noisy.token)
    gone = false
    expect(await verdict(tokens.verify(other.token))).toBe('ok')
  })
})
