import { sha256Tokens } from 'latchkey/import'
import { memoryStore } from 'latchkey/stores/memory'
import { expect, it } from 'vitest'
import { mint } from '../latchkey/harness.js'
import { accepting, IMPORT_KEY, oldToken, outcome, terms } from './world.js'

const format = sha256Tokens({ prefix: 'sk_', length: 35 })
const OTHER = [...IMPORT_KEY].reverse().join('')

it('an import with a different key is refused while a token imported with the earlier key can still be used', async () => {
  const store = memoryStore()
  const rows = [oldToken(1), oldToken(2)]
  const first = accepting([format], { store })
  await first.system.import([rows[0]!.row], { format, map: terms })
  await mint(first)

  const second = accepting([format], { store, imports: { key: OTHER, formats: [format] } })
  for (const dryRun of [true, false]) {
    await expect(second.system.import([rows[1]!.row], { format, map: terms, dryRun })).rejects.toMatchObject({
      code: 'invalid_input',
      field: 'imports.key',
    })
  }
  expect((await second.system.list({ imported: true })).items).toHaveLength(1)

  expect(outcome(await first.system.import([rows[1]!.row], { format, map: terms }))).toEqual({ rows: 1, imported: 1 })
  for (const { id } of (await first.system.list({ imported: true })).items) await first.system.revoke(id, {})
  expect(outcome(await second.system.import([rows[0]!.row], { format, map: terms }))).toEqual({ rows: 1, imported: 1 })
  expect(await second.verify(rows[0]!.token)).toMatchObject({ ok: true })
})

it('the event of an import identifies the key but does not reveal it', async () => {
  const tokens = accepting([format])
  await tokens.system.import([oldToken(1).row], { format, map: terms })
  const { items } = await tokens.system.events({ action: 'token.imported' })
  expect(items).toMatchObject([{ details: { importKey: expect.stringMatching(/^[0-9a-f]{8}$/) } }])
  expect(JSON.stringify(items)).not.toContain(IMPORT_KEY)
})

it('explain shows that a token imported with a different key is not recognized', async () => {
  const store = memoryStore()
  const first = accepting([format], { store })
  await first.system.import([oldToken(1).row], { format, map: terms })
  const [record] = (await first.system.list()).items
  const second = accepting([format], { store, imports: { key: OTHER, formats: [format] } })
  expect(await first.system.explain(record!.id)).toMatchObject({ ok: true })
  expect(await second.system.explain(record!.id)).toMatchObject({ ok: false, code: 'token_unknown' })
})
