import { memoryStore } from 'latchkey/stores/memory'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { interceptStore } from 'latchkey/testing'
import { expect, it, onTestFinished } from 'vitest'
import { admin, harness } from './support.js'

/** As many values as fit into a URL that a Node server accepts. */
const TIMES = 1100
const repeated = (parameter: string): string => Array.from({ length: TIMES }, () => parameter).join('&')

it.each([
  ['/', 'status=active'],
  ['/events', 'action=token.created'],
])('GET %s answers a filter value that is repeated a thousand times as if the value were sent once', async (path, parameter) => {
  const h = harness({ deadline: '30s' }, {}, sqliteStore(':memory:'))
  onTestFinished(() => h.tokens.close())
  const { id } = await h.create(admin)
  const once = await h.call('GET', `${path}?${parameter}`, { actor: admin })
  const often = await h.call('GET', `${path}?${repeated(parameter)}`, { actor: admin })
  expect(often.status).toBe(200)
  expect(often.text).toBe(once.text)
  expect(often.text).toContain(id)
})

it.each([
  ['/', 'status=active', 'list'],
  ['/events', 'action=token.created', 'events'],
])('GET %s passes a repeated filter value to the store once', async (path, parameter, method) => {
  const queries: unknown[] = []
  const store = interceptStore(memoryStore(), async (call, proceed) => {
    if (call.method === method) queries.push(...call.args)
    return await proceed()
  })
  const h = harness({}, {}, store as ReturnType<typeof memoryStore>)
  onTestFinished(() => h.tokens.close())
  await h.call('GET', `${path}?${repeated(parameter)}`, { actor: admin })
  const [, value] = parameter.split('=')
  const lists = queries.flatMap((query) => Object.values(Object(query)).filter((given) => Array.isArray(given) && given.includes(value)))
  expect(lists).toEqual([[value]])
})
