import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { migrationSql, sqliteStore } from 'latchkey/stores/sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundle } from '../support/bundle.js'
import { openShell, type Shell } from './support.js'

const config = (store: string): string => `import { latchkey } from '$index'
import { memoryStore } from '$memory'
import { sqliteStore } from '$sqlite'
export default latchkey({ prefix: 'acme_live', store: ${store}, scopes: { a: 'b' }, logger: false })`

let shell: Shell
beforeAll(async () => {
  shell = await openShell()
})
afterAll(() => shell.close())

const json = async (...args: readonly string[]) => {
  const { code, stdout, stderr } = await shell.run(...args, '--json')
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout)
}
const make = async (name: string) => (await shell.tokens.system.create({ name, scopes: ['inventory:read'] })).record.id

describe('create', () => {
  it('create prints only the token on standard output and everything else on standard error', async () => {
    const { code, stdout, stderr } = await shell.run('create', '--name', 'ERP', '--scope', 'inventory:read', '--expires-in', '90d')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^acme_live_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}\n$/)
    const [record] = (await shell.tokens.system.list({ name: 'ERP' })).items
    expect(stderr).toBe(
      `Created "ERP" (ID ${record?.id}). The token expires at ${record?.expiresAt?.toISOString()} and is shown only once:\n`,
    )
    expect(await shell.tokens.verify(stdout.trim())).toMatchObject({ ok: true, principal: { name: 'ERP' } })
  })

  it('create and rotate print when the token expires', async () => {
    const create = (name: string, ...terms: readonly string[]) => shell.run('create', '--name', name, '--scope', 'inventory:read', ...terms)
    expect((await create('endless')).stderr).toContain('The token never expires and ')
    const seconds = await create('brief', '--expires-in', '90')
    const [record] = (await shell.tokens.system.list({ name: 'brief' })).items
    expect(seconds.stderr).toContain(`The token expires at ${record?.expiresAt?.toISOString()} and `)
    const rotated = await shell.run('rotate', record?.id ?? '', '--overlap', '10')
    expect(rotated.stderr).toMatch(
      /^Note: --overlap 10 means 10 seconds\. .*\nRotated \w{16} to "brief" \(ID \w{16}\)\. The new token expires at 2\S+Z and is shown/,
    )
  })

  it("create accepts every field of a token, with durations and instants in the library's formats", async () => {
    const terms = ['--description', 'nightly', '--tenant', 't1', '--owner', 'o1', '--scope', 'inventory:read', '--scope', 'inventory:write']
    const data = ['--resource', 'warehouse=w1', '--resource', 'warehouse=w2', '--metadata', '{"a":[1]}']
    const times = ['--expires-at', '2099-01-01T00:00:00Z', '--not-before', '4000000000000', '--rotate-every', '3600']
    const answer = await json('create', '--name', 'all', ...terms, ...data, ...times, '--allowed-ip', '10.0.0.0/8', '--as', 'ada')
    expect(Object.keys(answer)).toEqual(['token', 'record'])
    expect(answer.record).toMatchObject({
      name: 'all',
      description: 'nightly',
      tenantId: 't1',
      ownerId: 'o1',
      scopes: ['inventory:read', 'inventory:write'],
      resources: { warehouse: ['w1', 'w2'] },
      metadata: { a: [1] },
      expiresAt: '2099-01-01T00:00:00.000Z',
      notBefore: new Date(4_000_000_000_000).toISOString(),
      rotateEverySeconds: 3600,
      allowedIps: ['10.0.0.0/8'],
      createdBy: 'cli:ada',
    })
  })
})

describe('reading commands', () => {
  it('list filters tokens, and its pages continue where the previous page ended', async () => {
    const ids = [await make('page one'), await make('page two')]
    const first = await json('list', '--name', 'page', '--limit', '1')
    const second = await json('list', '--name', 'page', '--limit', '1', '--cursor', first.nextCursor)
    expect((await json('list', '--name', 'page', '--status', 'revoked', 'expired')).items).toEqual([])
    expect([first, second].map((page) => page.items[0].id).sort()).toEqual(ids.sort())
    const { stdout, stderr } = await shell.run('list', '--name', 'page', '--limit', '1')
    expect(stdout).toContain('page two')
    expect(stderr).toContain(`--cursor ${first.nextCursor}`)
  })

  it('show prints the record as the library returns it', async () => {
    const id = await make('shown')
    const record = await shell.tokens.system.get(id)
    expect(await json('show', id)).toEqual(JSON.parse(JSON.stringify(record)))
    expect((await shell.run('show', id)).stdout).toMatch(/name +│ shown/)
  })

  it('events, usage and explain print what the library returns', async () => {
    const id = await make('used')
    const handle = shell.tokens.system
    const plain = (value: unknown) => JSON.parse(JSON.stringify(value))
    expect(await json('events', id)).toEqual(plain(await handle.events({ tokenId: id })))
    expect((await json('events', '--action', 'token.created', '--actor', 'nobody')).items).toEqual([])
    expect(await json('usage', id)).toEqual(plain(await handle.usage(id)))
    const from = Math.floor(Date.now() / 3_600_000 - 48) * 3_600_000
    const asked = ['usage', id, '--from', new Date(from).toISOString(), '--step', '1d'] as const
    expect(await json(...asked)).toEqual(plain(await handle.usage(id, { from, step: '1d' })))
    expect((await shell.run(...asked, '--step', '90s')).stderr).toContain('step')
    expect(await json('explain', id, '--scope', 'inventory:write')).toMatchObject({ ok: false, code: 'scope_insufficient' })
    const [events, usage, explain] = await Promise.all([
      shell.run('events', id),
      shell.run('usage', id),
      shell.run('explain', id, '--scope', 'inventory:read'),
    ])
    expect(events.stdout).toContain('token.created')
    expect(usage.stdout).toMatch(/total +│ 0/)
    expect([explain.stdout, explain.stderr]).toEqual([expect.stringMatching(/scopes +│ ok /), 'Accepted.\n'])
  })

  it('explain first prints whether and where a token is refused, and truncates no fact', async () => {
    const { record } = await shell.tokens.system.create({
      name: 'lost',
      scopes: ['inventory:read'],
      resources: { warehouse: ['w1'] },
      allowedIps: ['203.0.113.0/24'],
    })
    const reason = `the laptop was lost, ${'and nobody knows where '.repeat(5)}`.trim()
    await shell.tokens.system.revoke(record.id, { reason })
    const { stdout, stderr } = await shell.run('explain', record.id, '--scope', 'inventory:write', '--ip', '198.51.100.1')
    expect(stderr).toBe('Refused with token_revoked at revoked, and would also be refused at address, scopes.\n')
    expect(stdout).toMatch(/revoked +│ REFUSED +│ token_revoked/)
    expect(stdout).toContain(`revokedReason: ${reason}`)
    for (const fact of ['203.0.113.0/24', 'inventory:write: not held', 'would be granted by inventory:write'])
      expect(stdout).toContain(fact)
    const { record: limited } = await shell.tokens.system.create({
      name: 'w1',
      scopes: ['inventory:read'],
      resources: { warehouse: ['w1'] },
      allowedIps: ['203.0.113.7'],
    })
    const [reach, open] = await Promise.all([
      shell.run(
        'explain',
        limited.id,
        '--scope',
        'inventory:read',
        '--resource',
        'warehouse=w1',
        '--resource',
        'warehouse=w2',
        '--ip',
        '203.0.113.7',
      ),
      shell.run('explain', limited.id),
    ])
    expect([reach.stderr, reach.stdout]).toEqual([
      'Refused with resource_denied at resources.\n',
      expect.stringMatching(/warehouse=w1: covered.*warehouse=w2: not covered/s),
    ])
    expect([open.stderr, open.stdout]).toEqual([
      'Unknown: it depends on address.\n',
      expect.stringMatching(/address +│ unknown +│ not_given/),
    ])
  })

  it('doctor shows the state of the store, the feed and the settings', async () => {
    const { ok, checks, health } = await json('doctor')
    expect([ok, health.ok]).toEqual([true, true])
    const byName = new Map(checks.map((check: { name: string }) => [check.name, check]))
    expect(byName.get('store (sqlite)')).toMatchObject({ ok: true })
    expect(byName.get('feed')).toMatchObject({ ok: true, detail: expect.stringContaining('last read to the end') })
    expect(byName.get('pepper')).toMatchObject({ detail: expect.stringContaining('not set') })
    expect(byName.get('kept: usage')).toMatchObject({ detail: '400 days' })
    expect((await shell.run('doctor')).stdout).toContain('a revocation reaches every node within 2 s')
  })

  it('scanner-rules prints rules for the prefix of the instance', async () => {
    expect((await shell.run('scanner-rules')).stdout).toContain('id = "acme-live-token"')
    expect((await json('scanner-rules', '--prefix', 'acme_test')).pattern).toContain('acme_live|acme_test')
  })
})

describe('migrate', () => {
  it("migrate --print prints the SQL with the store's table names without connecting", async () => {
    const file = shell.write('ddl.config.mjs', config("sqliteStore({ path: '$folder/no/such/folder.db', tablePrefix: 'auth_' })"))
    const { code, stdout } = await shell.run('migrate', '--print', '--config', file)
    expect([code, stdout]).toEqual([0, await migrationSql('sqlite', { tablePrefix: 'auth_' })])
    expect(stdout).toContain('auth_tokens')
    expect(await json('migrate', '--print', '--config', file)).toEqual({ sql: stdout })
    expect((await shell.run('migrate', '--config', file)).code).toBe(3)
  })

  it('migrate sets up the store and can run again', async () => {
    const file = shell.write('new.config.mjs', config("sqliteStore('$folder/new.db')"))
    for (const _time of [1, 2])
      expect(await shell.run('migrate', '--config', file)).toMatchObject({ code: 0, stderr: 'The store sqlite is set up.\n' })
    const store = sqliteStore(join(shell.folder, 'new.db'))
    expect(await store.find(['0'.repeat(16)])).toEqual([])
    await store.close()
  })

  it.each([['migrate'], ['migrate --print']])('%s rejects a store that has no tables', async (command) => {
    const file = shell.write('memory.config.mjs', config('memoryStore()'))
    const { code, stderr } = await shell.run(...command.split(' '), '--config', file)
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^latchkey: the memory store has (nothing to set up|no SQL to print)\n$/)])
  })
})

describe('a configuration that loads another copy of the package', () => {
  it('doctor and migrate report a configuration that loads another copy of the package', async () => {
    const index = await bundle(new URL('../../src/index.ts', import.meta.url), undefined, {
      sqlite: new URL('../../adapters/stores/sqlite.ts', import.meta.url),
    })
    const text = config("sqliteStore('$folder/tokens.db')")
    const file = shell.write('copy.config.mjs', text.replace('$index', index).replace('$sqlite', join(dirname(index), 'sqlite.mjs')))
    expect((await json('doctor', '--config', file)).checks).toContainEqual({
      name: 'settings',
      detail: 'unknown: the configuration loads a different copy of latchkey than this command',
    })
    for (const command of [['migrate'], ['migrate', '--print']]) {
      expect(await shell.run(...command, '--config', file)).toEqual({
        code: 1,
        stdout: '',
        stderr:
          'latchkey: the configuration loads a different copy of latchkey than this command, so the command cannot reach the store: pass --config with a .mjs file that creates the instance with import\n',
      })
    }
  })
})

describe('commands that change tokens', () => {
  it('rotate with an overlap asks for no confirmation, and leaves both tokens valid', async () => {
    const old = await shell.tokens.system.create({ name: 'rolled', scopes: ['inventory:read'] })
    const { token, record } = await json('rotate', old.record.id, '--overlap', '1h')
    expect(record).toMatchObject({ replacesId: old.record.id, name: 'rolled' })
    for (const text of [token, old.token]) expect(await shell.tokens.introspect(text)).toMatchObject({ active: true })
  })

  it('rotate --owner gives the successor to another owner, and refuses an empty owner', async () => {
    const old = await shell.tokens.system.create({ name: 'left', scopes: ['inventory:read'], ownerId: 'bob' })
    const refused = await shell.run('rotate', old.record.id, '--overlap', '7d', '--owner', '')
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('ownerId')])
    const { record } = await json('rotate', old.record.id, '--overlap', '7d', '--owner', 'erp-service')
    expect(record).toMatchObject({ replacesId: old.record.id, ownerId: 'erp-service' })
  })

  it('commands that revoke tokens or remove data change nothing without --yes or a terminal', async () => {
    const id = await make('kept')
    const commands = [
      ['rotate', id],
      ['rotate', id, '--overlap', '0'],
      ['rotate', id, '--overlap', '0s'],
      ['revoke', id],
      ['revoke-all', '--all'],
      ['owner-gone', 'o1'],
      ['erase', 'o1'],
      ['prune', '--before', '4000000000000'],
    ]
    for (const command of commands) {
      const { code, stdout, stderr } = await shell.run(...command)
      expect([code, stdout, stderr]).toEqual([1, '', expect.stringContaining('nothing was changed. Add --yes to confirm')])
    }
    expect(await shell.tokens.system.get(id)).toMatchObject({ status: 'active', version: 1 })
  })

  it('update changes and removes only the given fields', async () => {
    const made = await shell.tokens.system.create({
      name: 'terms',
      description: 'old',
      scopes: ['inventory:read'],
      resources: { warehouse: ['w1'] },
      expiresIn: '1d',
      metadata: { a: 1 },
    })
    const { id } = made.record
    const set = ['--name', 'new terms', '--scope', 'inventory:write', '--allowed-ip', '10.0.0.0/8']
    const answer = await json('update', id, ...set, '--remove', 'description', 'resource', 'expires-at', '--as', 'ada')
    expect(answer).toMatchObject({
      name: 'new terms',
      scopes: ['inventory:write'],
      allowedIps: ['10.0.0.0/8'],
      metadata: { a: 1 },
      version: 2,
    })
    for (const gone of ['description', 'resources', 'expiresAt']) expect(answer).not.toHaveProperty(gone)
    expect((await shell.run('update', id)).code).toBe(2)
    expect(await shell.run('update', id, '--expires-in', '1d', '--remove', 'expires-at')).toMatchObject({ code: 2 })
    expect((await shell.run('update', id, '--remove', 'name')).code).toBe(2)
    expect((await shell.run('update', id, '--name', 'x')).stderr).toBe(`Updated "x" (ID ${id}) to version 3.\n`)
  })

  it('deactivate disables a token, and activate enables it again', async () => {
    const { token, record } = await shell.tokens.system.create({ name: 'paused', scopes: ['inventory:read'] })
    expect(await json('deactivate', record.id, '--as', 'ada')).toMatchObject({ status: 'inactive', deactivatedBy: 'cli:ada' })
    expect(await shell.tokens.introspect(token)).toMatchObject({ active: false })
    expect((await shell.run('activate', record.id)).stderr).toBe(`Activated "paused" (ID ${record.id}).\n`)
    expect(await shell.tokens.introspect(token)).toMatchObject({ active: true })
  })

  it("owner-gone previews and revokes the tokens of an owner, and erase removes the person's data", async () => {
    const { record } = await shell.tokens.system.create({ name: 'Zoe', scopes: ['inventory:read'], ownerId: 'zoe', tenantId: 't1' })
    expect(await json('owner-gone', 'zoe', '--tenant', 't1', '--dry-run')).toMatchObject({ live: 1, items: [{ id: record.id }] })
    expect((await shell.run('owner-gone', 'zoe', '--dry-run')).stderr).toContain(
      'Tokens that would be revoked: 1. Used in the last 30 days: 0.',
    )
    const early = await shell.run('erase', 'zoe', '--yes')
    expect([early.code, early.stderr]).toEqual([1, expect.stringContaining('`npx latchkey owner-gone zoe`')])
    expect(await json('owner-gone', 'zoe', '--yes', '--reason', 'left')).toEqual({ count: 1 })
    expect(await json('erase', 'zoe', '--yes', '--as', 'ada')).toMatchObject({ tokens: 1 })
    expect(await shell.tokens.system.get(record.id)).toMatchObject({ name: 'erased', status: 'revoked' })
    expect((await shell.run('erase', 'zoe', '--yes')).stderr).toBe('Erased 0 tokens and 0 events. Nothing is left.\n')
  })

  it('--version prints the version of the package without a configuration', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    expect(await shell.run('--version', '--config', 'none')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  })

  it('revoke records the user who ran it in the record and in the audit log', async () => {
    const id = await make('ended')
    expect(await json('revoke', id, '--yes', '--as', 'ada', '--reason', 'laptop lost', '--wait')).toMatchObject({
      status: 'revoked',
      revokedBy: 'cli:ada',
      revokedReason: 'laptop lost',
    })
    const { items } = await shell.tokens.system.events({ tokenId: id, action: 'token.revoked' })
    expect(items).toMatchObject([{ actorId: 'cli:ada', reason: 'laptop lost' }])
    const { code, stderr } = await shell.run('revoke', id)
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(
        /^"ended" \(ID \w{16}\) was already revoked at 20\d\d-.*Z by cli:ada \(reason: "laptop lost"\)\. Nothing changed\.\n$/,
      ),
    ])
  })

  it('rotate --yes revokes the old token immediately', async () => {
    const old = await shell.tokens.system.create({ name: 'now', scopes: ['inventory:read'] })
    const { code, stdout } = await shell.run('rotate', old.record.id, '--yes')
    expect(code).toBe(0)
    expect(await shell.tokens.introspect(stdout.trim())).toMatchObject({ active: true })
    expect(await shell.tokens.introspect(old.token)).toMatchObject({ active: false })
  })

  it('revoke-all revokes the matching tokens, and prune removes ended ones', async () => {
    const { record } = await shell.tokens.system.create({ name: 'bulk', scopes: ['inventory:read'], tenantId: 'gone' })
    expect(await json('revoke-all', '--tenant', 'gone', '--yes')).toEqual({ count: 1 })
    expect(await shell.tokens.system.get(record.id)).toMatchObject({ status: 'revoked' })
    expect(await shell.run('prune', '--before', String(Date.now() + 3_600_000), '--yes')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('is in the future'),
    })
    expect((await json('prune', '--before', String(Date.now() + 1000), '--yes')).count).toBeGreaterThan(0)
    expect(await shell.tokens.system.get(record.id)).toBeUndefined()
  })

  it('verify-audit checks the audit log against a head and fails on a mismatch', async () => {
    const head = await shell.tokens.system.sealAudit()
    shell.write('head.json', JSON.stringify(head))
    expect(await json('verify-audit', '--head', 'head.json')).toMatchObject({ ok: true, anchor: 'head' })
    // As appended by `onSeal`. Of two heads with the same number, the last one counts.
    shell.write('heads.jsonl', `${JSON.stringify({ ...head, hash: '0'.repeat(64) })}\n${JSON.stringify(head)}\n`)
    expect(await json('verify-audit', '--head', 'heads.jsonl')).toMatchObject({ ok: true, anchor: 'head' })
    // As merged from the files of two nodes: the newest head counts, wherever it is.
    const newer = { number: Number(head?.number) + 1, hash: '0'.repeat(64) }
    for (const heads of [
      [newer, head],
      [head, newer],
    ]) {
      shell.write('merged.jsonl', heads.map((line) => JSON.stringify(line)).join('\n'))
      expect((await shell.run('verify-audit', '--head', 'merged.jsonl')).code).toBe(1)
    }
    // A line that is not a head is refused, not skipped.
    shell.write('merged.jsonl', `${JSON.stringify(head)}\nnull\n${JSON.stringify(head)}\n`)
    expect(await shell.run('verify-audit', '--head', 'merged.jsonl')).toMatchObject({ code: 2, stderr: expect.stringContaining('head') })
    shell.write('pretty.json', JSON.stringify(head, null, 2))
    expect(await json('verify-audit', '--head', 'pretty.json')).toMatchObject({ ok: true, anchor: 'head' })
    shell.write('head.json', JSON.stringify({ ...head, hash: '0'.repeat(64) }))
    const { code, stdout } = await shell.run('verify-audit', '--head', 'head.json')
    expect([code, stdout]).toEqual([1, expect.stringContaining('seal')])
  })
})

describe('event consumers', () => {
  it('consumers lists the event consumers, and forget-consumer removes a consumer that no node is running', async () => {
    const siem = shell.tokens.system.consume('siem', () => undefined)
    while (!(await shell.tokens.health()).consumers.some(({ lagSeconds }) => lagSeconds === 0)) await new Promise(setImmediate)
    expect(await json('consumers')).toEqual({ items: [{ name: 'siem', lagSeconds: 0 }] })
    expect((await shell.run('consumers')).stdout).toMatch(/siem +│ 0\.0 s/)
    const forget = () => shell.run('forget-consumer', 'siem', '--yes')
    expect(await forget()).toMatchObject({ code: 1, stderr: expect.stringContaining('a node is running the consumer "siem"') })
    await siem.stop()
    expect((await shell.run('forget-consumer', 'siem')).code).toBe(1)
    expect(await forget()).toMatchObject({ code: 0, stderr: 'Forgot the consumer "siem".\n' })
    expect(await json('consumers')).toEqual({ items: [] })
    expect(await forget()).toMatchObject({ code: 1, stderr: expect.stringContaining('there is no consumer "siem"') })
  }, 120_000)
})
