import { sqliteStore } from 'latchkey/stores/sqlite'
import Database from 'libsql'
import { expect, it, onTestFinished } from 'vitest'
import { instance, mint } from '../latchkey/harness.js'
import { ownFolder } from '../stores/sql/databases.js'

it.each([
  ['the erased fields', "erased = '{'"],
  ['the salt', "salt = x'00ff'"],
])('erase() erases everything else and names the event if %s of one event cannot be read', async (_what, damage) => {
  const folder = await ownFolder()
  onTestFinished(() => folder.remove())
  const path = folder.path('tokens.db')
  const tokens = instance({ store: sqliteStore(path) })
  for (let made = 0; made < 3; made += 1) await mint(tokens, { ownerId: 'zoe', tenantId: 't1' })
  await tokens.system.ownerGone({ ownerId: 'zoe' })
  const database = new Database(path)
  onTestFinished(() => void database.close())
  const seqOf = (text: string): readonly number[] =>
    (database.prepare(text).all() as { readonly seq: number }[]).map(({ seq }) => Number(seq))
  const [first] = seqOf("select seq from latchkey_events where action = 'token.created' order by seq")
  database.exec(`update latchkey_events set ${damage} where seq = ${first}`)
  await expect(tokens.system.erase({ ownerId: 'zoe' })).rejects.toMatchObject({
    code: 'store_unavailable',
    message: `everything else was erased, but these events are damaged in the store: seq ${first}. Restore or delete their rows, then call erase() again`,
  })
  expect(seqOf("select seq from latchkey_events where owner_id = 'zoe'")).toEqual([first])
  const covering = seqOf("select seq from latchkey_events where action = 'owner.erased'").length
  await expect(tokens.system.erase({ ownerId: 'zoe' })).rejects.toMatchObject({ code: 'store_unavailable' })
  expect(seqOf("select seq from latchkey_events where action = 'owner.erased'")).toHaveLength(covering + 1)
  database.exec(`delete from latchkey_events where seq = ${first}`)
  expect(await tokens.system.erase({ ownerId: 'zoe' })).toEqual({ tokens: 0, events: 0 })
})
