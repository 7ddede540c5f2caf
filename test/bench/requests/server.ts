import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Decider } from '../../../src/instance.js'
import type { StoredToken } from '../../../src/model/record.js'
import { type Adapter, apps, type Protection } from './apps.js'
import { HandGuard, type HandRecord } from './guard.js'
import { type Shares, startProfile } from './profile.js'

const PREFIX = 'acme_live'
const KEYS = 1000

type Created = { readonly token: string; readonly record: { readonly id: string } }
type Creator = { create(input: object, by?: object): Promise<Created> }
type Instance = Creator & { readonly system?: Creator; verify?(token: string): Promise<unknown> }

// One application in a separate process: server.mjs FRAMEWORK bare|hand|verifying|latchkey FOLDER, where FOLDER contains a build.
const [, , framework = '', variant = '', folder = ''] = process.argv
const load = (entry: string): Promise<unknown> => import(pathToFileURL(join(folder, `${entry}.mjs`)).href)

const { latchkey } = (await load('index')) as { latchkey: (options: object) => Instance }
const { memoryStore } = (await load('memory')) as { memoryStore: () => { find(ids: readonly string[]): readonly StoredToken[] } }
const store = memoryStore()
const tokens = latchkey({ prefix: PREFIX, store, scopes: { 'stock:read': 'See stock' } })
// In 0.1.0, the verbs were on the instance and took the actor as an argument.
const creator = tokens.system ?? tokens
const BY = tokens.system === undefined ? [{ actor: 'system' }] : []
const records = new Map<string, HandRecord>()
const credentials: string[] = []
for (let at = 0; at < KEYS; at += 1) {
  const { token, record } = await creator.create({ name: `key ${at}`, scopes: ['stock:read'] }, ...BY)
  const [stored] = store.find([record.id])
  if (stored === undefined) throw new Error('a created token is not in the store')
  records.set(record.id, { id: record.id, name: stored.name, digest: stored.digest, scopes: new Set(['stock:read']) })
  credentials.push(`Bearer ${token}`)
}
const protections: { readonly [variant: string]: () => Promise<Protection> } = {
  bare: async () => undefined,
  hand: async () => ({ hand: new HandGuard(records, PREFIX) }),
  verifying: async () => {
    const { deciderOf } = (await load('instance')) as { deciderOf: (tokens: object) => Decider }
    for (let round = 0; round < 2; round += 1)
      for (const credential of credentials) await tokens.verify?.(credential.slice('Bearer '.length))
    return { hand: new HandGuard(records, PREFIX, deciderOf(tokens)) }
  },
  latchkey: async () => ({ adapter: (await load(framework)) as Adapter, tokens }),
}
const server = await apps[framework]?.(await protections[variant]?.())
if (server === undefined) throw new Error(`unknown framework: ${framework}`)
server.listen(0, '127.0.0.1')
await once(server, 'listening')
let finish: (() => Promise<Shares>) | undefined
process.on('message', async (asked) => {
  if (asked === 'profile') finish = await startProfile()
  process.send?.({ cpu: process.cpuUsage(), ...(asked === 'shares' && { shares: await finish?.() }) })
})
process.on('disconnect', () => process.exit())
process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/stock`, credentials })
