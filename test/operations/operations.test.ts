import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { TokenStore } from '../../src/store/port.js'
import { execute, openShell, type Shell } from '../cli/support.js'
import { ownSchema } from '../stores/sql/databases.js'
import { service } from '../support/services.js'
import { programOn, readPage } from './page.js'
import type * as Programs from './shapes.js'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const postgres = await service('postgres')
const scopes = { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' }
const [OLD, NEW] = ['an older pepper, of thirty-two characters', 'a newer pepper, of thirty-two characters']

describe('the page about peppers', () => {
  it.each([
    ['introduces a pepper', false as const],
    ['replaces a pepper', OLD],
  ])('the documented rollout %s while every token works, until none depends on the previous setting', async (_what, before) => {
    const { tokensByPepper } = await programOn<typeof Programs>('pepper', 'tokens-by-pepper.ts')
    const store = memoryStore()
    const open = (pepper: readonly (string | false)[]) =>
      latchkey({ prefix: 'acme_live', store, scopes, ...(pepper[0] === false && pepper.length === 1 ? {} : { pepper }) })
    const create = (tokens: ReturnType<typeof open>, name: string) => tokens.system.create({ name, scopes: ['inventory:read'] })
    const nodes = [open([before]), open([before, NEW]), open([NEW, before]), open([NEW])] as const
    const first = await create(nodes[0], 'first')
    // During a rollout, nodes of two adjacent steps run together. Each accepts what the other creates.
    for (const [one, other] of [
      [nodes[0], nodes[1]],
      [nodes[1], nodes[2]],
    ] as const) {
      for (const [by, to] of [
        [one, other],
        [other, one],
      ] as const)
        expect(await to.verify((await create(by, 'meanwhile')).token)).toMatchObject({ ok: true })
    }
    const ids = (await tokensByPepper(nodes[2])).get(first.record.pepperId ?? 'none') ?? []
    expect(ids).toContain(first.record.id)
    for (const id of ids) {
      const { token } = await nodes[2].system.rotate(id, { overlap: '1h' })
      expect(await nodes[3].verify(token)).toMatchObject({ ok: true })
    }
    expect(await nodes[2].verify(first.token)).toMatchObject({ ok: true })
    expect(await nodes[3].verify(first.token)).toMatchObject({ ok: false, code: 'token_malformed' })
  })
})

describe('the page about environments', () => {
  it('live and test instances keep their tokens separate in one database', async () => {
    const { environments } = await programOn<typeof Programs>('environments', 'environments.ts')
    let finds = 0
    const inner = memoryStore()
    const store: TokenStore = {
      ...inner,
      find(ids) {
        finds += 1
        return inner.find(ids)
      },
    }
    const { live, test } = environments(store, { live: NEW, test: OLD })
    const { token, record } = await test.system.create({ name: 'trial', scopes: ['inventory:read'] })
    finds = 0
    expect([await live.verify(token), finds]).toEqual([{ ok: false, code: 'token_malformed' }, 0])
    expect([(await live.system.list()).items, await live.system.get(record.id)]).toEqual([[], undefined])
    expect(await live.system.revokeAll({ all: true })).toEqual({ count: 0 })
    await live.close()
    expect(await test.verify(token)).toMatchObject({ ok: true })
  })
})

/** A proxy that appends the client's address, as real ones do. */
async function proxyTo(port: number): Promise<number> {
  const proxy = createServer((incoming, outgoing) => {
    const forwarded = [incoming.headers['x-forwarded-for'], incoming.socket.remoteAddress].filter(Boolean).join(', ')
    const headers = { ...incoming.headers, 'x-forwarded-for': forwarded }
    incoming.pipe(
      httpRequest({ host: '127.0.0.1', port, path: incoming.url, method: incoming.method, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(outgoing)
      }),
    )
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  onTestFinished(() => void proxy.close())
  return (proxy.address() as AddressInfo).port
}

describe('the page about proxies', () => {
  it('a token limited to an address works behind a proxy only if the proxy is trusted and reports that address', async () => {
    const { behindProxy } = await programOn<typeof Programs>('proxy', 'behind-proxy.ts')
    const tokens = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes })
    const { token } = await tokens.system.create({ name: 'ERP', scopes: ['inventory:read'], allowedIps: ['203.0.113.7'] })
    const ask = async (proxies: readonly string[], through: boolean, claimed?: string) => {
      const server = behindProxy(tokens, proxies).listen(0, '127.0.0.1')
      await once(server, 'listening')
      onTestFinished(() => void server.close())
      const own = (server.address() as AddressInfo).port
      const port = through ? await proxyTo(own) : own
      const headers = { authorization: `Bearer ${token}`, ...(claimed !== undefined && { 'x-forwarded-for': claimed }) }
      return (await fetch(`http://127.0.0.1:${port}/api/stock`, { headers })).status
    }
    // Another proxy in front of ours has written the caller's address.
    expect(await ask(['127.0.0.1'], true, '203.0.113.7')).toBe(200)
    expect(await ask(['127.0.0.1'], true, '203.0.113.7, 198.51.100.9')).toBe(403)
    expect(await ask(['10.0.0.0/8'], true, '203.0.113.7')).toBe(403)
    await tokens.close()
  })
})

describe('the page about nodes', () => {
  it('a node stops after its requests have finished and their uses have been written', async () => {
    const { stop } = await programOn<typeof Programs>('nodes', 'stop.ts')
    const store = memoryStore()
    const tokens = latchkey({ prefix: 'acme_live', store, scopes })
    const { token, record } = await tokens.system.create({ name: 'ERP', scopes: ['inventory:read'] })
    let finish = (): void => undefined
    const server = createServer(async (_request, response) => {
      await tokens.verify(token, { ip: '203.0.113.7' })
      finish = () => response.end('done')
      reached()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    let reached = (): void => undefined
    const arrived = new Promise<void>((resolve) => {
      reached = resolve
    })
    const answer = fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, { headers: { connection: 'close' } })
    await arrived
    const stopped = stop(server, tokens)
    finish()
    expect(await (await answer).text()).toBe('done')
    await stopped
    expect((await store.usage({ tokenIds: [record.id] })).counts).toMatchObject([{ count: 1 }])
  })
})

describe('the commands on the pages', () => {
  let shell: Shell
  beforeAll(async () => {
    shell = await openShell()
  })
  afterAll(() => shell.close())

  const pages = readdirSync(new URL('../../docs/operations', import.meta.url)).map((name) => name.replace('.md', ''))
  const commands = pages.flatMap((page) =>
    [...readPage(page).matchAll(/^( *)```sh\n([\s\S]*?)^\1```$/gm)].flatMap(([, , text = '']) =>
      text.split('\n').flatMap((line) => (line.includes('npx latchkey') ? [[page, line.trim()] as const] : [])),
    ),
  )

  it.each(commands)('the command on the page %s runs as written: %s', async (_page, command) => {
    const { record } = await shell.tokens.system.create({ name: 'example', scopes: ['inventory:read'] })
    const npx = `npx() { shift; "${process.execPath}" "${shell.program}" "$@"; }`
    const ended = await execute('bash', ['-c', `${npx}\nset -e\nID=${record.id}\n${command}`], shell.folder)
    expect(ended.code, ended.stderr).toBe(0)
  })

  it.skipIf(postgres.skip)('the store works for a user with only the permissions that the printed SQL grants', async () => {
    const place = await ownSchema(postgres.url ?? '')
    const user = `${place.schema}_app`
    const config = (name: string, url: string): string =>
      shell.write(
        name,
        `import { latchkey } from '$index'
import { postgresStore } from '$postgres'
export const tokens = latchkey({ prefix: 'acme_live', store: postgresStore({ url: '${url}', schema: '${place.schema}' }), scopes: ${JSON.stringify(scopes)} })`,
      )
    const url = new URL(place.url)
    url.username = user
    url.password = 'word'
    const [asOwner, asUser] = [config('owner.config.mjs', place.url), config('user.config.mjs', url.href)]
    await place.query(`create role ${user} login password 'word'`)
    const owner = new Client({ connectionString: place.url })
    await owner.connect()
    try {
      await place.query(`grant usage on schema ${place.schema} to ${user}`)
      const before = await shell.run('doctor', '--json', '--config', asUser)
      expect(before.code).toBe(3)
      expect(JSON.parse(before.stdout).checks).toContainEqual(
        expect.objectContaining({ name: 'schema', ok: false, advice: expect.stringContaining('npx latchkey migrate') }),
      )
      const { stdout } = await shell.run('migrate', '--print', '--config', asOwner)
      await owner.query(stdout)
      for (const [, grant = ''] of stdout.matchAll(/^-- {3}(grant .*);$/gm)) await owner.query(grant.replace('latchkey_app', user))
      const created = await shell.run('create', '--name', 'ERP', '--scope', 'inventory:read', '--config', asUser)
      expect(created.code, created.stderr).toBe(0)
      const doctor = JSON.parse((await shell.run('doctor', '--json', '--config', asUser)).stdout)
      expect(doctor.checks).toContainEqual({ name: 'schema', ok: true, detail: 'version 1' })
      await expect(
        new Promise((resolve, reject) => {
          const client = new Client({ connectionString: url.href })
          client
            .connect()
            .then(() => client.query(`drop table ${place.schema}.latchkey_events`))
            .then(resolve, reject)
            .finally(() => void client.end())
        }),
      ).rejects.toMatchObject({ code: '42501' })
    } finally {
      await owner.query(`drop owned by ${user}; drop role ${user}`)
      await owner.end()
      await place.remove()
    }
  })
})
