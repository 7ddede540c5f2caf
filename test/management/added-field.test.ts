import type { CreateInput, Latchkey, UpdateInput } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it, vi } from 'vitest'
import { createManagement } from '../../src/management/index.js'
import { instance } from '../latchkey/harness.js'

// Each field is one entry in the field table, without any other change.
vi.mock('../../src/model/fields.js', async (original) => {
  const model = await original<typeof import('../../src/model/fields.js')>()
  const added = {
    contact: { kind: 'text', since: 1, set: 'create and update', min: 0, max: 80, audited: true, description: 'Whom to ask.' },
    reviewAt: { kind: 'instant', since: 1, set: 'create and update', audited: true, description: 'When the token is due for review.' },
    graceSeconds: {
      kind: 'duration',
      since: 1,
      set: 'create',
      input: 'grace',
      min: 60,
      max: 3600,
      description: 'How long the token stays valid after its expiry.',
    },
    fingerprint: { kind: 'word', since: 1, secret: true, description: 'Kept in the store only.' },
  } as const
  const rows = [...model.FIELD_ROWS, ...Object.entries(added)] as typeof model.FIELD_ROWS
  const fieldsWhere: typeof model.fieldsWhere = (matches) => rows.filter(([, field]) => matches(field)).map(([name]) => name)
  return { ...model, FIELDS: { ...model.FIELDS, ...added }, FIELD_ROWS: rows, fieldsWhere }
})

const REVIEW = '2030-06-01T00:00:00.000Z'
const ADA = { id: 'ada', tenants: '*', manages: 'all' } as const

const created = (tokens: Latchkey, more: object) => tokens.system.create({ name: 'ERP', scopes: ['stock:read'], ...more } as CreateInput)

async function api(tokens: Latchkey) {
  const management = createManagement(tokens)
  const call = async (method: string, path: string, body?: object) => {
    const headers = { 'content-type': 'application/json' }
    const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) }
    const response = await management.fetch(new Request(`https://api.example/tokens${path}`, init), { actor: ADA }, '/tokens')
    return { status: response.status, body: (await response.json()) as { record: { id: string } } }
  }
  return { call, document: JSON.parse(JSON.stringify(await management.openapi('/tokens'))) }
}

describe('a field added to the field table', () => {
  it('create and update accept a field added to the field table, which the record and the audit log then show', async () => {
    const tokens = instance() as unknown as Latchkey
    const { record } = await created(tokens, { contact: 'ops@example.com', reviewAt: REVIEW, grace: '5m' })
    expect(record).toMatchObject({ contact: 'ops@example.com', reviewAt: new Date(REVIEW), graceSeconds: 300 })
    const updated = await tokens.system.update(record.id, { contact: 'it@example.com', reviewAt: null } as UpdateInput)
    expect(updated).toMatchObject({ contact: 'it@example.com', graceSeconds: 300 })
    expect(updated).not.toHaveProperty('reviewAt')
    const [update, creation] = (await tokens.system.events({ tokenId: record.id })).items
    expect(update).toMatchObject({ before: { contact: 'ops@example.com', reviewAt: REVIEW }, after: { contact: 'it@example.com' } })
    expect(creation?.after).toMatchObject({ contact: 'ops@example.com', reviewAt: REVIEW })
    expect(creation?.after).not.toHaveProperty('graceSeconds')
    expect((await tokens.system.rotate(record.id)).record).toMatchObject({ contact: 'it@example.com', graceSeconds: 300 })
  })

  it('a field added to the field table is validated under its input name', async () => {
    const tokens = instance() as unknown as Latchkey
    const refused = (field: string) => expect.objectContaining({ code: 'invalid_input', field })
    await expect(created(tokens, { contact: 'x'.repeat(81) })).rejects.toEqual(refused('contact'))
    await expect(created(tokens, { reviewAt: 'soon' })).rejects.toEqual(refused('reviewAt'))
    await expect(created(tokens, { grace: '1s' })).rejects.toEqual(refused('grace'))
    await expect(created(tokens, { graceSeconds: 300 })).rejects.toEqual(refused('graceSeconds'))
    await expect(created(tokens, { fingerprint: 'x' })).rejects.toEqual(refused('fingerprint'))
    const { record } = await created(tokens, {})
    await expect(tokens.system.update(record.id, { grace: '5m' } as UpdateInput)).rejects.toEqual(refused('grace'))
  })

  it('a field added to the field table passes through the HTTP API and appears in the OpenAPI document', async () => {
    const { call, document } = await api(instance() as unknown as Latchkey)
    const made = await call('POST', '/', { name: 'ERP', scopes: ['stock:read'], contact: 'ops', grace: '5m', reviewAt: REVIEW })
    expect(made).toMatchObject({ status: 201, body: { record: { contact: 'ops', graceSeconds: 300, reviewAt: REVIEW } } })
    expect((await call('PATCH', `/${made.body.record.id}`, { contact: null })).body).not.toHaveProperty('contact')
    expect(await call('POST', '/', { name: 'ERP', scopes: [], contact: 7 })).toMatchObject({
      status: 400,
      body: { errors: [{ in: 'body', pointer: '#/contact' }] },
    })
    const { CreateToken, UpdateToken, TokenRecord } = document.components.schemas
    expect(CreateToken.properties.contact).toMatchObject({ type: 'string', maxLength: 80, description: 'Whom to ask.' })
    expect(CreateToken.properties).toHaveProperty('grace')
    expect(UpdateToken.properties).not.toHaveProperty('grace')
    expect(TokenRecord.properties.graceSeconds).toMatchObject({
      type: 'integer',
      description: 'How long the token stays valid after its expiry.',
    })
    expect(JSON.stringify(document)).not.toContain('fingerprint')
  })

  it('a secret field added to the field table is stored but appears in no response and no event', async () => {
    const store = memoryStore()
    const tokens = instance({ store }) as unknown as Latchkey
    const { record } = await created(tokens, {})
    const [stored] = await store.find([record.id])
    const marked = { ...stored, version: 2, fingerprint: 'f1nger' } as NonNullable<typeof stored>
    await store.commit({ updates: [{ expectedVersion: 1, record: marked }], events: [] })
    expect(await store.find([record.id])).toMatchObject([{ fingerprint: 'f1nger' }])
    await tokens.system.update(record.id, { name: 'CRM' })
    const seen = [await tokens.system.get(record.id), await tokens.system.list(), await tokens.system.events()]
    expect(JSON.stringify(seen)).not.toContain('f1nger')
    expect(await store.find([record.id])).toMatchObject([{ fingerprint: 'f1nger', name: 'CRM' }])
  })
})
