import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Client, ClientOptions, ClientState } from 'latchkey/client'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { bundled } from '../../support/bundle.js'
import { call, holder, idOf, MANAGE, makeWorld, shelf, type World } from './world.js'

let world: World
beforeEach(async () => {
  world = await makeWorld()
})
afterEach(() => world.close())

const due = { rotateEvery: 86_400 }

/** A job that receives its token as an option and can only save a token, like a secret in a CI system. */
async function job(
  save: (token: string) => void,
  options: Partial<ClientOptions> = {},
): Promise<{ client: Client; first: string; codes: () => readonly string[] }> {
  const first = await world.mint(due)
  world.advance(90_000)
  const saved = shelf()
  const given = { load: undefined, token: first, save: ({ token }: ClientState) => save(token), ...options }
  const { client, errors } = holder(world, saved, given)
  return { client, first, codes: () => errors.map(({ code }) => code) }
}

/** Drops the responses to this many rotations. */
function loseAnswers(count: number): void {
  let left = count
  world.intercept(async (request, next) => {
    const response = await next()
    if (request.method !== 'POST' || left === 0) return response
    left -= 1
    throw new Error('the response was lost')
  })
}

it('settled() waits until a new token whose first save failed is saved', async () => {
  const secrets: string[] = []
  let calls = 0
  const { client, first, codes } = await job((token) => {
    calls += 1
    if (calls === 2) throw new Error('503')
    secrets.push(token)
  })
  await call(client)
  await client.settled()
  expect(secrets[0]).toBe(first)
  expect(secrets).toHaveLength(2)
  expect(await call(client)).toEqual({ status: 200, caller: idOf(secrets[1] ?? '') })
  expect(codes()).toEqual(['storage_failed'])
})

it('settled() rejects if the new token cannot be saved', async () => {
  const { client, first } = await job(
    (token) => {
      if (token !== first) throw new Error('disk full')
    },
    { deadline: 0.2 },
  )
  await call(client)
  const lost = { code: 'storage_failed', message: 'the token may be lost: save() failed: disk full' }
  await expect(client.settled()).rejects.toMatchObject(lost)
  await expect(client.settled()).rejects.toMatchObject(lost)
})

it('settled() waits for a rotate() that has not yet read the storage, and for one that follows a check', async () => {
  const first = await world.mint(due)
  const saved = shelf(first)
  const { client } = holder(world, saved, {
    load: async () => {
      await new Promise((resolve) => setTimeout(resolve, 50))
      return saved.load()
    },
  })
  // Not awaited, as in a job that ends soon.
  const rotated = client.rotate()
  await client.settled()
  expect(idOf(saved.token)).not.toBe(idOf(first))
  const second = saved.token
  const checked = call(client)
  const again = client.rotate()
  await client.settled()
  expect(idOf(saved.token)).not.toBe(idOf(second))
  await Promise.all([rotated, checked, again])
})

it('settled() rejects if the response to a rotation was lost, and a proxy refuses the attempts to repeat it', async () => {
  let attempts = 0
  world.intercept(async (request, next) => {
    if (request.method !== 'POST') return next()
    attempts += 1
    if (attempts > 1) return new Response('blocked', { status: 403 })
    await next()
    throw new Error('the response was lost')
  })
  const { client } = await job(() => undefined, { deadline: 0.5 })
  await call(client)
  await client.settled().then(
    () => expect.unreachable('the server has replaced the token'),
    (error: Error) => expect(error.message).toContain('the token may be lost'),
  )
})

it('settled() stops after a few reads if the storage does not answer', async () => {
  const state = { hangs: false, loads: 0 }
  world.intercept(async (request, next) => {
    const response = await next()
    if (request.method !== 'POST') return response
    state.hangs = true
    throw new Error('the response was lost')
  })
  const load = (): Promise<undefined> => {
    state.loads += 1
    return state.hangs ? new Promise(() => undefined) : Promise.resolve(undefined)
  }
  const { client } = await job(() => undefined, { deadline: 0.2, load })
  await call(client)
  state.loads = 0
  await expect(client.settled()).rejects.toThrow('the token may be lost')
  // Each read takes a whole deadline, and there used to be 30 of them.
  expect(state.loads).toBeLessThan(12)
})

it('a process that awaits settled() stays alive until the new token is saved', { timeout: 60_000 }, async () => {
  const child = spawn(process.execPath, [await bundled(new URL('./settled/child.ts', import.meta.url))], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.on('data', (chunk) => {
    said += String(chunk)
  })
  await once(child, 'close')
  expect(said).toBe('failed, saved, settled\n')
})

it('settled() repeats a rotation whose response was lost if the storage keeps no note about it', async () => {
  const secrets: string[] = []
  const { client, first } = await job((token) => void secrets.push(token))
  loseAnswers(1)
  await call(client)
  await client.settled()
  expect(secrets[0]).toBe(first)
  expect(secrets.at(-1)).not.toBe(first)
  expect((await world.tokens.verify(secrets.at(-1) ?? '')).ok).toBe(true)
})

it('settled() rejects if the server may have rotated a token and the storage has no note about it', async () => {
  const { client } = await job(() => undefined, { deadline: 0.2 })
  loseAnswers(Number.POSITIVE_INFINITY)
  await call(client)
  await expect(client.settled()).rejects.toMatchObject({
    code: 'server_unavailable',
    message: expect.stringContaining(`the token may be lost: POST ${MANAGE}/self/rotate`),
  })
})

it('settled() resolves after a failed rotation that the next start can finish', async () => {
  const store = shelf(await world.mint(due))
  world.advance(90_000)
  const { client, errors } = holder(world, store, { deadline: 0.2 })
  loseAnswers(Number.POSITIVE_INFINITY)
  await call(client)
  await client.settled()
  expect(store.kept?.rotation).toBeDefined()
  expect(errors.map(({ code }) => code)).toEqual(['server_unavailable'])
  world.restore()
  const next = holder(world, store)
  await call(next.client)
  await next.client.settled()
  expect((await world.tokens.verify(store.token)).ok).toBe(true)
  expect(store.kept?.rotation).toBeUndefined()
})

it('settled() resolves after a rotation that the server refused', async () => {
  const { client, codes } = await job(() => undefined)
  world.intercept((request, next) => (request.method === 'POST' ? Response.json({ code: 'scope_insufficient' }, { status: 403 }) : next()))
  await call(client)
  await client.settled()
  expect(codes()).toEqual(['rotation_refused'])
})
