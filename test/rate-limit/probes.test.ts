import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { authenticate, requireScopes } from 'latchkey/express'
import { describe, expect, it, onTestFinished } from 'vitest'
import { mint, verdict } from '../latchkey/harness.js'
import { limited, perToken } from './support.js'

/** The statuses of consecutive probes, and how often the host was asked for the resource. */
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

describe('a separate budget for refusals', () => {
  it.each(['scope', 'resource'] as const)('repeated probes for a missing %s end in 429', async (requirement) => {
    const { statuses, lookups } = await probe(requirement, 100)
    expect(statuses.filter((status) => status === 403).length).toBeLessThanOrEqual(7)
    expect(statuses.slice(7).every((status) => status === 429)).toBe(true)
    expect(lookups).toBeLessThanOrEqual(7)
  })

  it("refusals do not use up the token's rate limit", async () => {
    const { tokens, token } = await probe('resource', 20)
    for (let use = 0; use < 5; use += 1) expect(await verdict(tokens.verify(token))).toBe('ok')
    expect(await verdict(tokens.verify(token))).toBe('rate_limited')
  })
})
