import { expect, it } from 'vitest'
import { KeyRing } from '../../../src/extensions/leaks/key-ring.js'

const HOUR_MS = 3_600_000

/** A sender that publishes these keys to at most 60 requests an hour, as GitHub does for an address, and a key ring that fetches them. */
async function makeRing() {
  const { publicKey } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
  const key = `-----BEGIN PUBLIC KEY-----\n${Buffer.from(await crypto.subtle.exportKey('spki', publicKey)).toString('base64')}\n-----END PUBLIC KEY-----\n`
  const world = { now: 1_000_000, published: ['current'], fetches: [] as number[] }
  const fetch = async (): Promise<Response> => {
    world.fetches.push(world.now)
    const recent = world.fetches.filter((at) => at > world.now - HOUR_MS).length
    if (recent > 60) return new Response(null, { status: 403 })
    return Response.json({ public_keys: world.published.map((name) => ({ key_identifier: name, key })) })
  }
  const ring = new KeyRing('https://sender.test/keys', fetch, { report: () => undefined, deadlineMs: 2000 }, () => world.now)
  /** Presents an unknown key every five seconds. */
  const flood = async (ms: number, each: () => Promise<void>): Promise<void> => {
    for (const until = world.now + ms; world.now < until; world.now += 5000) {
      await ring.find(`forged-${world.now}`).catch(() => undefined)
      await each()
    }
  }
  return { world, ring, flood }
}

it('a caller who names unknown keys for two hours does not use up the 60 fetches an hour that GitHub allows', async () => {
  const { world, ring, flood } = await makeRing()
  await flood(2 * HOUR_MS, async () => {
    expect(await ring.find('current')).toBeDefined()
  })
  const busiest = Math.max(...world.fetches.map((from) => world.fetches.filter((at) => at >= from && at < from + HOUR_MS).length))
  expect(busiest).toBeGreaterThan(40)
  expect(busiest).toBeLessThan(60)
})

it('while a caller names unknown keys, a newly published key is found within 75 seconds', async () => {
  const { world, ring, flood } = await makeRing()
  await flood(HOUR_MS, async () => undefined)
  world.published = ['current', 'next']
  const publishedAt = world.now
  let foundAt = Number.POSITIVE_INFINITY
  await flood(120_000, async () => {
    const found = await ring.find('next').catch(() => undefined)
    if (found !== undefined) foundAt = Math.min(foundAt, world.now)
  })
  expect(foundAt - publishedAt).toBeLessThanOrEqual(75_000)
})
