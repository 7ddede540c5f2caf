import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type OwnPlace, ownSchema } from '../stores/sql/databases.js'
import { service } from '../support/services.js'

const postgres = await service('postgres')

describe.skipIf(postgres.skip)(`the Postgres example ${postgres.skip ?? ''}`, () => {
  let place: OwnPlace

  beforeAll(async () => {
    place = await ownSchema(postgres.url ?? '')
  })
  afterAll(async () => {
    vi.unstubAllEnvs()
    vi.restoreAllMocks()
    await place?.remove()
  })

  it("the Postgres example shows a token revoked on one node and refused on another, using the application's pool", async () => {
    vi.stubEnv('DATABASE_URL', place.url)
    vi.stubEnv('TOKENS_SCHEMA', place.schema)
    const lines: string[] = []
    vi.spyOn(console, 'log').mockImplementation((line) => lines.push(String(line)))
    vi.spyOn(console, 'error').mockImplementation((line) => lines.push(`failed: ${line}`))
    await import('../../examples/postgres.js')
    const told = lines.join('\n')
    expect(told).not.toContain('failed')
    expect(told).toContain('the other node: accepted, for Nightly import')
    expect(told).toMatch(/the other node: refused, \d+ ms after/)
    expect(told).toContain('still uses its pool')
  })
})
